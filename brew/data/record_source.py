"""A database's records as batches: read, decoded, transformed."""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from brew.errors import DataError, Place

from .database import Database, Record
from .datum import decode_batch
from .prefetch import Batch
from .transformer import Transformer


class RecordSource:
    """Fills batches with `records`, which never end and begin with record number `start`; closes their `database`.

    Tops: pixels (batch_size, channels, height, width) and, where there is a second one, labels (batch_size).
    """

    def __init__(
        self,
        database: Database,
        records: Generator[Record, None, None],
        transformer: Transformer,
        batch_size: int,
        start: int,
        place: Place | None,
    ) -> None:
        self._database = database
        self._transformer = transformer
        self._batch_size = batch_size
        self._record = start
        self._place = place
        self._records = records
        self._workers = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "brew-decode")

    def fill(self, batch: Batch) -> None:
        try:
            records = list(islice(self._records, self._batch_size))
        except DataError as error:
            raise error.with_place(self._place) from None
        try:
            images, labels = decode_batch(records, self._transformer.color, self._workers)
            shape = self._transformer.batch_shape(
                images, lambda number: f"record {records[number][0].decode(errors='replace')!r}"
            )
        except DataError as error:
            raise DataError(
                f"{self._database.path}: {error.message}", place=error.place or self._place, hint=error.hint
            ) from None
        shapes = [(len(records), *shape), (len(records),)]
        tops = batch.take(shapes[: batch.count])
        self._transformer(images, self._record, tops[0])
        if len(tops) > 1:
            tops[1][...] = labels
        self._record += len(records)

    def close(self) -> None:
        self._workers.shutdown()
        self._records.close()
        self._database.close()
