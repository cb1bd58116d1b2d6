"""A record as it is stored, and a look at what it holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from brew.data.datum import decode
from brew.errors import DataError
from brew.proto.brew_pb2 import AnnotatedDatum, Datum

Message = TypeVar("Message", Datum, AnnotatedDatum)
DATA, LABEL = "data", "label"
_ANNOTATED = b"\x0a"  # the tag of AnnotatedDatum.datum; a Datum begins with a number
_LONGEST_NAME = 500  # bytes in a key behind its number; LMDB takes 511 in all
_FORMATS = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"II*\0", "tif"),
            (b"MM\0*", "tif"), (b"RIFF", "webp"), (b"\0\0\0\x0cjP", "jp2"), (b"P5", "pgm"), (b"P6", "ppm"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """A box of a record: its class and its sides, as shares of the picture's width and height."""

    label: int
    left: float
    top: float
    right: float
    bottom: float
    difficult: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One record: the `value` of its key in a database, or a row of every dataset of an HDF5 file."""

    key: bytes
    value: bytes | None = None
    row: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.key.decode(errors="replace")

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.value) if self.value is not None else sum(values.nbytes for values in self.row.values())

    @property
    def annotated(self) -> bool:
        """Whether it is an AnnotatedDatum."""
        return self.value is not None and self.value.startswith(_ANNOTATED)

    def datum(self) -> Datum:
        """The Datum of a database's record, that within an AnnotatedDatum too. DataError where there is none."""
        return self._parsed(AnnotatedDatum).datum if self.annotated else self._parsed(Datum)

    def annotation(self) -> AnnotatedDatum:
        """The AnnotatedDatum of a record that is one. DataError where it is broken."""
        return self._parsed(AnnotatedDatum)

    def _parsed(self, kind: type[Message]) -> Message:
        assert self.value is not None
        try:
            return kind.FromString(self.value)
        except DecodeError:
            raise DataError(f"record {self.name!r}: its {len(self.value)} bytes are no Datum") from None

    def label(self) -> int | None:
        """Its class; None where it has none, or several. DataError."""
        if self.value is not None:
            datum = self.datum()
            return datum.label if datum.HasField("label") else None
        label = self.row.get(LABEL)
        if label is None or label.size != 1 or not float(label.reshape(-1)[0]).is_integer():
            return None
        return int(label.reshape(-1)[0])

    def relabelled(self, numbers: Mapping[int, int]) -> Entry:
        """The same with other numbers for its classes, those of boxes too; byte for byte where none changes."""
        if all(old == new for old, new in numbers.items()):
            return self
        if self.value is None:
            return self._row_relabelled(numbers)
        if not self.annotated:
            datum = self.datum()
            if not datum.HasField("label"):
                return self
            datum.label = numbers.get(datum.label, datum.label)
            return Entry(self.key, datum.SerializeToString())
        annotated = self.annotation()
        for group in annotated.annotation_group:
            group.group_label = numbers.get(group.group_label, group.group_label)
        return Entry(self.key, annotated.SerializeToString())

    def _row_relabelled(self, numbers: Mapping[int, int]) -> Entry:
        label = self.label()
        if label is None:
            return self
        changed = np.full_like(self.row[LABEL], numbers.get(label, label))
        return Entry(self.key, None, {**self.row, LABEL: changed})


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a record holds.

    values  pixels (channels, height, width), BGR where there are three, or other numbers of any shape
    stored  the ending of its file's kind ("jpg"), "" where the values themselves are stored
    more    other values of the record by the name of their dataset
    """

    key: str
    values: npt.NDArray[Any]
    label: int | None
    size: int
    stored: str = ""
    boxes: tuple[Mark, ...] = ()
    more: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


def look(entry: Entry) -> Look:
    """Decode a record. DataError with its key where it cannot be."""
    if entry.value is None:
        main = DATA if DATA in entry.row else next(name for name in entry.row if name != LABEL or len(entry.row) == 1)
        more = {name: values for name, values in entry.row.items() if name not in (main, LABEL)}
        if entry.label() is None and LABEL in entry.row and main != LABEL:
            more[LABEL] = entry.row[LABEL]
        return Look(entry.name, entry.row[main], entry.label(), entry.size, more=more)
    datum = entry.datum()
    value = datum.SerializeToString() if entry.annotated else entry.value
    pixels, _ = decode((entry.key, value))
    kind = picture_format(datum.data) if datum.encoded else ""
    label = datum.label if datum.HasField("label") and not entry.annotated else None
    return Look(entry.name, pixels, label, entry.size, kind, marks(entry))


def marks(entry: Entry) -> tuple[Mark, ...]:
    """The boxes of a record. DataError."""
    if not entry.annotated:
        return ()
    return tuple(
        Mark(group.group_label, box.xmin, box.ymin, box.xmax, box.ymax, box.difficult)
        for group in entry.annotation().annotation_group
        for box in (annotation.bbox for annotation in group.annotation)
    )


def picture_format(data: bytes) -> str:
    """The usual ending of an encoded picture's file by its first bytes; "img" for one of unknown kind."""
    return next((ending for start, ending in _FORMATS if data.startswith(start)), "img")


def file_datum(data: bytes, label: int | None) -> bytes:
    """A record of an encoded picture's bytes."""
    datum = Datum(data=data, encoded=True)
    if label is not None:
        datum.label = label
    return datum.SerializeToString()


def numbered_key(number: int, key: bytes) -> bytes:
    """`key` under another number: "%08d_" in front of what stood behind the old one, cut at its front.

    >>> numbered_key(7, b"00000123_cat.png"), numbered_key(7, b"00000123"), numbered_key(7, b"cat")
    (b'00000007_cat.png', b'00000007', b'00000007_cat')
    """
    head, bar, rest = key.partition(b"_")
    name = rest if bar and head.isdigit() else key
    return b"%08d_%s" % (number, name[-_LONGEST_NAME:]) if name and not name.isdigit() else b"%08d" % number


def text_of(key: bytes) -> str:
    """A key as the name of a file would be: what stands behind its number."""
    head, bar, rest = key.partition(b"_")
    return os.fsdecode(rest if bar and head.isdigit() and rest else key)
