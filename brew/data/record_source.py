"""A database's records as batches: read, and each decoded and transformed by a thread, straight into its slot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.held import HeldWindows
from brew.data.databases.database import Database, Record, Records
from brew.errors import BrewError, DataError, Place

from .bad_records import BadRecords
from .crew import Crew
from .datum import Bytes, Labels, Pixels, RawDatums, decode
from .images.cache import ImageCache
from .prefetch import Batch, Finish, Top
from .transformer import Form, Transformer

_PIECE = 1 << 22  # bytes of raw pixels that a thread transforms at once, at least: half a millisecond
_AUGMENTED = 8  # records that it changes at once, which takes longer


def _said(records: list[Record], number: int) -> str:
    return f"record {records[number][0].decode(errors='replace')!r}"


def _named(keys: list[bytes], path: Path, number: int) -> str:
    return f"record {keys[number].decode(errors='replace')!r} of {path}"


class RecordSource:
    """Fills batches with `records`, which never end and begin with record number `start`; closes their `database`.

    Tops: pixels (batch_size, channels, height, width) and, where there is a second one, labels (batch_size). While
    threads decode a batch, the records of the next one are read.
    """

    def __init__(
        self,
        database: Database,
        records: Records,
        transformer: Transformer,
        batch_size: int,
        start: int,
        place: Place | None,
        bad: BadRecords,
        cache: ImageCache,
    ) -> None:
        self._database = database
        self._transformer = transformer
        self._batch_size = batch_size
        self._record = start
        self._place = place
        self._records = records
        self._bad = bad
        self._cache = cache
        self._crew = Crew()
        self._raw = RawDatums()
        self._coming: list[Record] | BrewError = []  # what was read of the records behind the batch
        self._form: Form | None = None  # of the last batch

    def begin(self, batch: Batch) -> Finish:
        """What is decoded begins at once, if the batch before has told the form of images."""
        if self._form is None:
            return lambda: self._begun(batch)()
        return self._begun(batch)

    def _begun(self, batch: Batch) -> Finish:
        records = self._read()
        if isinstance(records, BrewError):
            raise records
        raw = self._raw(records)
        if raw is not None:
            return partial(self._end, records, batch, partial(self._fill_raw, records, raw, batch))
        return partial(self._end, records, batch, self._begin_encoded(records, batch))

    def _end(self, records: list[Record], batch: Batch, finish: Finish) -> None:
        batch.passed = 0
        try:
            finish()
        except BrewError:  # once more, one after the other: bad records are passed over in their order
            records, batch.passed = self._fill_good(records, batch)
        batch.name = partial(_named, [key for key, _ in records], self._database.path)
        self._record += len(records) + batch.passed

    def _read(self) -> list[Record] | BrewError:
        """The records of the next batch, or the error that stands in the way."""
        early, self._coming = self._coming, []
        if isinstance(early, BrewError):
            return early
        try:
            return early + list(islice(self._records, self._batch_size - len(early)))
        except DataError as error:
            return error.with_place(self._place)

    def _finish(
        self, images: Top, tops: list[npt.NDArray[Any]], labels: Labels, records: list[Record],
        numbers: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        """The labels of a batch whose images are there. Without `numbers`, the records follow one another."""
        numbers = numbers or range(self._record, self._record + len(records))
        try:
            self._transformer.finish(images, tops, labels, numbers, partial(_said, records))
        except DataError as error:
            raise self._placed(error) from None

    def _fill_raw(self, records: list[Record], raw: tuple[Bytes, Labels], batch: Batch) -> None:
        """The batch of records that are raw bytes of one size."""
        pixels, labels = raw
        images, tops = self._transformer.tops(batch, len(records), self._transformer.form(pixels[:1]))
        try:
            if isinstance(images, HeldWindows) and self._transformer.augmentation is None:
                self._transformer.refer(pixels, self._record, images)
            else:
                self._put_all(pixels, records, images)
        except DataError as error:
            raise self._placed(error) from None
        self._finish(images, tops, labels, records)

    def _put_all(self, pixels: npt.NDArray[np.uint8], records: list[Record], images: Top) -> None:
        """Transform the pixels of records into the batch's images, some by each thread."""
        many = max(1, _PIECE // pixels[0].size) if self._transformer.augmentation is None else _AUGMENTED

        def put(piece: int) -> None:
            some = range(len(records))[piece * many : (piece + 1) * many]
            if isinstance(images, np.ndarray):
                part = slice(some.start, some.stop)
                name = partial(_said, records[part])
                self._transformer(pixels[part], self._record + some.start, images[part], name)
                return
            for number in some:
                name = partial(_said, records, number)
                self._transformer.place(pixels[number], self._record + number, images, number, name)

        self._crew.each(put, -(-len(records) // many))

    def _begin_encoded(self, records: list[Record], batch: Batch) -> Finish:
        """All records into the batch, each by a thread; the last batch tells the shape. Errors for a first look."""
        if self._form is None or len(records) == 1:
            return partial(self._fill_from_first, records, batch)
        labels = np.zeros(len(records), np.int64)
        images, tops = self._transformer.tops(batch, len(records), self._form)

        def put(number: int) -> None:
            pixels, labels[number] = self._decode(records[number])
            self._transformer.place(pixels, self._record + number, images, number)

        decoded = self._crew.start(put, len(records))

        def finish() -> None:
            try:
                self._coming = self._read()
            finally:
                decoded()
            self._finish(images, tops, labels, records)

        return finish

    def _fill_from_first(self, records: list[Record], batch: Batch) -> None:
        """The same where nothing has told the shape but the first record."""
        pixels, label = self._decode(records[0])
        self._form = self._transformer.form([pixels])
        if len(records) > 1:
            self._begin_encoded(records, batch)()
            return
        images, tops = self._transformer.tops(batch, 1, self._form)
        self._transformer.place(pixels, self._record, images, 0)
        self._finish(images, tops, np.array([label]), records)

    def _fill_good(self, records: list[Record], batch: Batch) -> tuple[list[Record], int]:
        """Fill the batch with those of `records` that can be decoded and the next ones.

        The records it holds then, and how many were passed over. Each has the number it has where none is bad.
        """
        records, decoded, labels, places = self._decode_good(records)
        numbers = [self._record + place for place in places]
        try:
            self._transformer.batch_shape(decoded, partial(_said, records))
            self._form = self._transformer.form(decoded)
            images, tops = self._transformer.tops(batch, len(records), self._form)
            for slot, (pixels, number) in enumerate(zip(decoded, numbers, strict=True)):
                self._transformer.place(pixels, number, images, slot, partial(_said, records, slot))
        except DataError as error:
            raise self._placed(error) from None
        self._finish(images, tops, labels, records, numbers)
        return records, places[-1] + 1 - len(records)

    def _decode_good(self, records: list[Record]) -> tuple[list[Record], list[Pixels], Labels, list[int]]:
        """Those of `records` that can be decoded and the next ones, decoded, and where they stand among all."""
        try:
            good, decoded, places = self._bad.read(
                chain(records, self._early(), self._records), self._batch_size, self._decode_placed,
                key=lambda record: record[0], epoch=lambda: self._database.length,
            )  # fmt: skip
        except DataError as error:
            raise error.with_place(self._place) from None
        return good, [pixels for pixels, _ in decoded], np.array([label for _, label in decoded], np.int64), places

    def _early(self) -> Iterator[Record]:
        """The records that were read for the next batch; those that are not taken stay there."""
        while self._coming:
            if isinstance(self._coming, BrewError):
                raise self._coming
            yield self._coming.pop(0)

    def _decode(self, record: Record) -> tuple[Pixels, int]:
        return self._cache.get(record[0], lambda: decode(record, self._transformer.rule), itemgetter(0))

    def _decode_placed(self, record: Record) -> tuple[Pixels, int]:
        try:
            return self._decode(record)
        except DataError as error:
            raise self._placed(error) from None

    def _placed(self, error: DataError) -> DataError:
        return DataError(f"{self._database.path}: {error.message}", place=error.place or self._place, hint=error.hint)

    def close(self) -> None:
        self._crew.close()
        self._records.close()
        self._database.close()
