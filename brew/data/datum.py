"""Datum records as arrays: raw bytes, floats, or an encoded image (BGR, channels first, as Caffe stores pixels)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from brew.data.databases.database import Database, Record
from brew.errors import DataError
from brew.layer.label_sample import LabelSample
from brew.proto.brew_pb2 import Datum

from .image import BadImage, decode_image

Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]

_DATA, _LABEL = 0x22, 0x28  # tags of Datum.data (field 4, bytes) and Datum.label (field 5, varint)


@dataclass(frozen=True, slots=True)
class ColorRule:
    """transform_param.force_color and force_gray: how encoded images are decoded."""

    color: bool = False
    gray: bool = False


def decode(record: Record, rule: ColorRule = ColorRule()) -> tuple[Pixels, int]:
    """Pixels (channels, height, width), uint8 or float32, and label of one record, 0 where it has none.

    Raises DataError, naming the record's key, for bytes that are no Datum, a size that does not fit the pixels, a
    Datum without pixels, and an encoded image that cannot be decoded.
    """
    key, value = record
    datum = Datum()
    try:
        datum.ParseFromString(value)
    except DecodeError:
        raise _bad(key, f"its {len(value)} bytes are no Datum") from None
    return _pixels(key, datum, rule), datum.label


def first_labels(database: Database, most: int) -> LabelSample:
    """The labels of the first `most` records and of the last one. DataError where the database is damaged."""
    first, last = list(islice(database.scan(0), most)), database.last()
    whole = len(first) < most or first[-1][0] == last[0]
    labelled: list[tuple[bytes, int]] = []
    missing = None
    with suppress(DecodeError):  # an error when it is read
        for key, value in first if whole else [*first, last]:
            datum = Datum.FromString(value)
            if datum.HasField("label"):
                labelled.append((key, datum.label))
            else:
                missing = missing or _name(key)
    values = np.array([label for _, label in labelled], np.int64)
    return LabelSample(values, lambda number: _name(labelled[number][0]), missing, whole)


def _name(key: bytes) -> str:
    return f"record {key.decode(errors='replace')!r}"


def has_label(record: Record) -> bool:
    """Whether a record that can be decoded has a label."""
    return Datum.FromString(record[1]).HasField("label")


def decode_batch(
    records: Sequence[Record], rule: ColorRule, workers: Executor | None = None
) -> tuple[Pixels | list[Pixels], Labels]:
    """Pixels and labels of many records.

    Pixels come in one array (records, channels, height, width) where all records are raw bytes of one size, else
    in a list. `workers` decode images side by side (Pillow lets go of the interpreter while it decodes).
    """
    template = _Template.of(records[0])
    if template is not None and (batch := template.decode(records)) is not None:
        return batch
    each = map if workers is None else workers.map
    decoded = list(each(partial(decode, rule=rule), records))
    return [pixels for pixels, _ in decoded], np.array([label for _, label in decoded], np.int64)


def _pixels(key: bytes, datum: Datum, rule: ColorRule) -> Pixels:
    if datum.encoded:
        try:
            return decode_image(datum.data, color=rule.color, gray=rule.gray)
        except BadImage as error:
            raise _bad(key, f"its encoded image {error}") from None
    shape = datum.channels, datum.height, datum.width
    if min(shape) <= 0:
        raise _bad(key, "its size is {} x {} x {} (channels x height x width)".format(*shape))
    needed = shape[0] * shape[1] * shape[2]
    if datum.data and datum.float_data:
        raise _bad(key, "it has both data and float_data")
    pixels: Pixels
    if datum.data:
        pixels = np.frombuffer(datum.data, np.uint8)
    elif datum.float_data:
        pixels = np.array(datum.float_data, np.float32)
    else:
        raise _bad(key, "it has no pixels (neither data nor float_data)")
    if pixels.size != needed:
        sizes = " x ".join(map(str, shape))
        raise _bad(key, f"it says {sizes} (channels x height x width), that is {needed} values, and has {pixels.size}")
    return pixels.reshape(shape)


def _bad(key: bytes, what: str) -> DataError:
    return DataError(f"{_name(key)}: {what}")


@dataclass(frozen=True, slots=True)
class _Template:
    """The bytes of a raw Datum: all of them but pixels and label are the same in every record of one size.

    So a whole batch is decoded as one array of bytes: a call of a parser per record would slow down small nets.
    """

    value: npt.NDArray[np.uint8]
    shape: tuple[int, int, int]
    start: int  # of the pixels
    label: int  # of the label's one byte; 0: the records have no label

    @classmethod
    def of(cls, record: Record) -> _Template | None:
        """The template of a record, None where it is encoded, of floats, has a label beyond 127 or an odd order."""
        value = record[1]
        try:
            datum = Datum.FromString(value)
        except DecodeError:
            return None
        shape = datum.channels, datum.height, datum.width
        size = shape[0] * shape[1] * shape[2]
        if datum.encoded or size == 0 or len(datum.data) != size or not 0 <= datum.label < 128:
            return None
        start = value.find(_field(size))
        start += len(_field(size))
        label = start + size
        if not datum.HasField("label"):
            label = 0
        elif value[label : label + 2] == bytes([_LABEL, datum.label]):
            label += 1
        else:
            return None
        if value[start : start + size] != datum.data:
            return None
        return cls(np.frombuffer(value, np.uint8), shape, start, label)

    def decode(self, records: Sequence[Record]) -> tuple[Pixels, Labels] | None:
        """All records at once; None where one of them differs in more than pixels and label."""
        length = self.value.size
        if any(len(value) != length for _, value in records):
            return None
        values = np.frombuffer(b"".join([value for _, value in records]), np.uint8).reshape(-1, length)
        end = self.start + self.shape[0] * self.shape[1] * self.shape[2]
        labels = np.zeros(len(records), np.int64)
        if self.label:
            labels[:] = values[:, self.label]
        varies = np.zeros(length, bool)
        varies[self.start : end] = True
        if self.label:
            varies[self.label] = True
        fixed = np.flatnonzero(~varies)
        if (values[:, fixed] != self.value[fixed]).any() or labels.max(initial=0) > 127:
            return None
        return values[:, self.start : end].reshape(-1, *self.shape), labels


def _field(size: int) -> bytes:
    """Tag and length in front of `size` bytes of Datum.data."""
    out = [_DATA]
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size])
