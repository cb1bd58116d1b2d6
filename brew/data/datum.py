"""Datum records as arrays: raw bytes, floats, or an encoded image (BGR, channels first, as Caffe stores pixels)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from brew.data.databases.database import Database, Record
from brew.errors import DataError
from brew.files import varints
from brew.layer.label_sample import LabelSample
from brew.proto.brew_pb2 import Datum

from .images.decoding import AS_STORED, BadImage, ImageRule
from .images.decoding import decode as decode_image
from .images.header import jpeg_header

Bytes: TypeAlias = npt.NDArray[np.uint8]
Pixels: TypeAlias = Bytes | npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]

_MOST_LABELS = 1 << 16  # remembered
_SIZES = b"\x08\x10\x18"  # the tags of Datum.channels, height and width (fields 1 to 3, numbers)
_DATA = 0x22  # the tag of Datum.data (field 4, bytes)


def decode(record: Record, rule: ImageRule = AS_STORED) -> tuple[Pixels, int]:
    """Pixels (channels, height, width), uint8 or float32, and label of one record, 0 where it has none.

    Raises DataError, naming the record's key, for bytes that are no Datum, a size that does not fit the pixels, a
    Datum without pixels, and an encoded image that cannot be decoded.
    """
    key, value = record
    found = _encoded(value)
    if found is not None:
        return _decoded(key, found[0], rule), found[1]
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


def encoding(record: Record) -> str:
    """How a record that can be decoded is compressed: "JPEG", "image" for other formats, "" for raw values."""
    datum = Datum.FromString(record[1])
    return "" if not datum.encoded else "image" if jpeg_header(datum.data) is None else "JPEG"


def has_label(record: Record) -> bool:
    """Whether a record that can be decoded has a label."""
    return Datum.FromString(record[1]).HasField("label")


def decode_batch(records: Sequence[Record], rule: ImageRule) -> tuple[Pixels | list[Pixels], Labels]:
    """Pixels and labels of many records.

    Pixels come in one array (records, channels, height, width) where all records are raw bytes of one size, else
    in a list.
    """
    raw = RawDatums()(records)
    if raw is not None:
        return raw
    decoded = [decode(record, rule) for record in records]
    return [pixels for pixels, _ in decoded], np.array([label for _, label in decoded], np.int64)


class RawDatums:
    """Decodes batches of records that are raw bytes of one size, without a parser's objects."""

    def __init__(self) -> None:
        self._template: _Template | None = None  # of the last batch: the next one is most often written alike

    def __call__(self, records: Sequence[Record]) -> tuple[Bytes, Labels] | None:
        """Pixels (records, channels, height, width) and labels; None where the records are anything else."""
        values = [value for _, value in records]
        found = None if self._template is None else self._template.decode(values)
        if found is None:
            self._template = _Template.of(records[0])
            found = None if self._template is None else self._template.decode(values)
        return found


def _pixels(key: bytes, datum: Datum, rule: ImageRule) -> Pixels:
    if datum.encoded:
        return _decoded(key, datum.data, rule)
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


def _encoded(value: bytes) -> tuple[memoryview, int] | None:
    """The compressed image in a Datum, not copied, and the label.

    None for a Datum of any other kind, and where its fields are not in the order of their numbers.
    """
    try:
        at = 0
        while value[at] in _SIZES:
            _, at = varints.read(value, at + 1)
        if value[at] != _DATA:
            return None
        size, start = varints.read(value, at + 1)
        end = start + size
        return memoryview(value)[start:end], _labels_of_images[value[end:]]
    except (IndexError, ValueError):
        return None


def _decoded(key: bytes, data: bytes | memoryview, rule: ImageRule) -> Pixels:
    try:
        return decode_image(data, rule)
    except BadImage as error:
        raise _bad(key, f"its encoded image {error}") from None


def _bad(key: bytes, what: str) -> DataError:
    return DataError(f"{_name(key)}: {what}")


@dataclass(frozen=True, slots=True)
class _Template:
    """How raw Datums of one size are written: the bytes before their pixels are the same, behind them is the label.

    So a whole batch is decoded as one array of bytes: a call of a parser per record would slow down small nets.
    """

    head: bytes
    shape: tuple[int, int, int]
    size: int  # bytes of the pixels

    @classmethod
    def of(cls, record: Record) -> _Template | None:
        """The template of a record, None where it is encoded, of floats, or its fields come in an odd order."""
        value = record[1]
        try:
            datum = Datum.FromString(value)
            size = datum.channels * datum.height * datum.width
            if datum.encoded or size <= 0 or len(datum.data) != size:
                return None
            field = bytes([_DATA]) + varints.written(size)
            start = value.find(field)
            before = Datum.FromString(value[:start])
        except DecodeError:
            return None
        start += len(field)
        shape = before.channels, before.height, before.width
        whole = shape == (datum.channels, datum.height, datum.width) and len(before.ListFields()) == len(shape)
        return cls(value[:start], shape, size) if whole and value[start : start + size] == datum.data else None

    def decode(self, values: Sequence[bytes]) -> tuple[Bytes, Labels] | None:
        """All records at once; None where one of them differs in more than pixels and label."""
        head, start, end, length = self.head, len(self.head), len(self.head) + self.size, len(values[0])
        if len(set(map(len, values))) > 1:  # labels of other lengths
            if not all(value.startswith(head) and len(value) >= end for value in values):
                return None
            tails = [value[end:] for value in values]
            pixels = np.frombuffer(b"".join([value[start:end] for value in values]), np.uint8)
        else:
            whole = np.frombuffer(b"".join(values), np.uint8).reshape(-1, length)
            if length < end or (whole[:, :start] != np.frombuffer(head, np.uint8)).any():
                return None
            tails = [b""] * len(values)
            if length > end:
                tails = np.ascontiguousarray(whole[:, end:]).view(f"V{length - end}")[:, 0].tolist()
            pixels = whole[:, start:end]
        try:
            labels = np.array([_labels[tail] for tail in tails], np.int64)
        except ValueError:
            return None
        return pixels.reshape(-1, *self.shape), labels


class _Labels(dict[bytes, int]):
    """The labels in the bytes behind Datums' pixels, raw or `encoded`; ValueError where these say anything else."""

    def __init__(self, *, encoded: bool) -> None:
        super().__init__()
        self._encoded = encoded

    def __missing__(self, tail: bytes) -> int:
        try:
            datum = Datum.FromString(tail)
        except DecodeError:
            raise ValueError from None
        if datum.encoded != self._encoded or {field.name for field, _ in datum.ListFields()} - {"label", "encoded"}:
            raise ValueError
        if len(self) < _MOST_LABELS:
            self[tail] = datum.label
        return datum.label


_labels, _labels_of_images = _Labels(encoded=False), _Labels(encoded=True)
