"""A database's records as batches: read, decoded, transformed."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np

from brew.cpu import threads
from brew.data.databases.database import Database, Record
from brew.errors import DataError, Place

from .bad_records import BadRecords
from .datum import Labels, Pixels, decode, decode_batch
from .prefetch import Batch
from .transformer import Transformer


def _named(keys: list[bytes], path: Path, number: int) -> str:
    return f"record {keys[number].decode(errors='replace')!r} of {path}"


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
        bad: BadRecords,
    ) -> None:
        self._database = database
        self._transformer = transformer
        self._batch_size = batch_size
        self._record = start
        self._place = place
        self._records = records
        self._bad = bad
        self._workers = ThreadPoolExecutor(threads.decoders(), "brew-decode")

    def fill(self, batch: Batch) -> None:
        try:
            records = list(islice(self._records, self._batch_size))
        except DataError as error:
            raise error.with_place(self._place) from None
        batch.passed = 0
        try:
            images, labels = decode_batch(records, self._transformer.color, self._workers)
        except DataError:
            records, images, labels, batch.passed = self._decode_good(records)
        try:
            shape = self._transformer.batch_shape(
                images, lambda number: f"record {records[number][0].decode(errors='replace')!r}"
            )
        except DataError as error:
            raise self._placed(error) from None
        shapes = [(len(records), *shape), (len(records),)]
        tops = batch.take(shapes[: batch.count])
        self._transformer(images, self._record, tops[0])
        if len(tops) > 1:
            tops[1][...] = labels
        batch.name = partial(_named, [key for key, _ in records], self._database.path)
        self._record += len(records) + batch.passed

    def _decode_good(self, records: list[Record]) -> tuple[list[Record], list[Pixels], Labels, int]:
        """A batch with those of `records` that can be decoded and the next ones; how many were passed over."""
        try:
            good, decoded, passed = self._bad.read(
                chain(records, self._records), self._batch_size, self._decode,
                key=lambda record: record[0], epoch=lambda: self._database.length,
            )  # fmt: skip
        except DataError as error:
            raise error.with_place(self._place) from None
        return good, [pixels for pixels, _ in decoded], np.array([label for _, label in decoded], np.int64), passed

    def _decode(self, record: Record) -> tuple[Pixels, int]:
        try:
            return decode(record, self._transformer.color)
        except DataError as error:
            raise self._placed(error) from None

    def _placed(self, error: DataError) -> DataError:
        return DataError(f"{self._database.path}: {error.message}", place=error.place or self._place, hint=error.hint)

    def close(self) -> None:
        self._workers.shutdown()
        self._records.close()
        self._database.close()
