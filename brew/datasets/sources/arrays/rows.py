"""Arrays on disk, a row at a time: pictures as records have them, labels as numbers of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.datasets.sources.trees import class_order
from brew.errors import DataError, UsageError

from .stored import Stored

Array: TypeAlias = npt.NDArray[Any]
MOST_LABELS = 1 << 28  # bytes of labels, which are in memory
_LAST_CHARACTER = 0x10FFFF
OPTIONS = {
    "layout": "of pictures in arrays: hwc (the channels last) or chw",
    "colors": "of pictures in arrays: rgb or bgr, the order of their channels",
}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """An array on disk, its rows one behind the other in `stored`, from byte `offset` on, in C's order."""

    stored: Stored
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def row(self, number: int) -> Array:
        size = self.dtype.itemsize * prod(self.shape[1:])
        data = self.stored.read(self.offset + number * size, size, f"row {number}")
        return np.frombuffer(data, self.dtype).reshape(self.shape[1:])

    def whole(self) -> Array:
        """All rows, for labels; DataError for more than those may be."""
        size = self.dtype.itemsize * prod(self.shape)
        if size > MOST_LABELS:
            raise DataError(f"{self.stored.path} has {size} bytes of labels; up to {MOST_LABELS} are read")
        data = self.stored.read(self.offset, size, "the labels")
        self.stored.close()
        return np.frombuffer(data, self.dtype).reshape(self.shape)

    def close(self) -> None:
        self.stored.close()


Layout: TypeAlias = Literal["hw", "hwc", "chw", "values"]


class PictureForm(NamedTuple):
    """How the rows of an array become records: pictures in BGR, channels first, or values as they are."""

    layout: Layout
    rgb: bool

    def record(self, row: Array) -> Array:
        """A row as `Content.data` has it."""
        if self.layout == "values":
            return np.ascontiguousarray(row, row.dtype.newbyteorder("="))
        if self.layout == "hw":
            return np.ascontiguousarray(row[None])
        planes = row.transpose(2, 0, 1) if self.layout == "hwc" else row
        if self.rgb and len(planes) in (3, 4):
            planes = planes[[2, 1, 0, 3][: len(planes)]]
        return np.ascontiguousarray(planes)

    def told(self, what: str) -> str:
        """A sentence for the user."""
        if self.layout == "values":
            return f"{what}: the rows are stored as they are"
        order = {"hw": "height, width", "hwc": "height, width, channels", "chw": "channels, height, width"}[self.layout]
        colours = (
            "" if self.layout == "hw" else (", RGB stored as BGR" if self.rgb else ", channels in the order they have")
        )
        return f"{what}: pictures of {order}{colours}"


def picture_form(rows: Rows, options: Mapping[str, str], *, colors: str) -> PictureForm:
    """What the rows of an array are: pictures where they are bytes of two axes, or of three with 1, 3 or 4 channels at
    either end: where both could be, they stand last in arrays of `colors` rgb, and first, as Caffe has it, in those of
    bgr, which is also the order of the channels where options do not say it. UsageError, DataError.
    """
    layout, given = options.get("layout"), options.get("colors", colors)
    if layout not in (None, "hwc", "chw"):
        raise UsageError(f"layout={layout} is neither hwc nor chw")
    if given not in ("rgb", "bgr"):
        raise UsageError(f"colors={given} is neither rgb nor bgr")
    shape = rows.shape[1:]
    found: Layout = "values"
    if rows.dtype == np.uint8 and len(shape) == 2:
        found = "hw"
    elif rows.dtype == np.uint8 and len(shape) == 3:
        ends: dict[Layout, int] = {"hwc": shape[2], "chw": shape[0]}
        order: tuple[Layout, ...] = ("hwc", "chw") if colors == "rgb" else ("chw", "hwc")
        found = next((end for end in order if ends[end] in (1, 3, 4)), "values")
    if layout is not None and found in ("hwc", "chw", "values"):
        if len(shape) != 3:
            raise UsageError(f"layout={layout}: the rows have {len(shape)} axes; three are expected")
        found = "hwc" if layout == "hwc" else "chw"
    if found != "values" and (min(shape) < 1 or max(shape) > 65535):
        raise DataError(f"pictures of {' x '.join(map(str, shape))} are none")
    return PictureForm(found, given == "rgb")


class Labels(NamedTuple):
    """What a column of labels says of each row: a class, or targets; the names of the classes; a note."""

    classes: Sequence[int] | None
    targets: Array | None
    names: tuple[str, ...]
    note: str | None


def labels_of(column: Array, where: str) -> Labels:
    """Labels from an array with a row for each record: whole numbers, one in each row or all but one of them zero in it
    (one-hot), are classes; texts are their names; other numbers are targets. DataError for other types.
    """
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.dtype.kind == "U":
        codes = np.ascontiguousarray(column).reshape(-1).view(np.dtype("u4").newbyteorder(column.dtype.byteorder))
        if codes.size and codes.max() > _LAST_CHARACTER:
            raise DataError(f"{where} holds texts of no characters that there are")
    if column.dtype.kind in "SUO" and column.ndim == 1:
        texts = [_text(value, where) for value in column.tolist()]
        names = class_order(texts)
        numbers = {name: number for number, name in enumerate(names)}
        return Labels([numbers[value] for value in texts], None, names, None)
    if column.dtype.kind not in "biuf":
        raise DataError(f"{where} is of {column.dtype}; numbers or texts are expected")
    if column.ndim == 1:
        whole = column.dtype.kind != "f" or bool((np.isfinite(column) & (column == np.floor(column))).all())
        if not whole:
            return Labels(None, _finite(column[:, None], where), (), None)
        if column.size and not (column.min() >= -(2**31) and column.max() < 2**31):
            raise DataError(f"{where} holds numbers beyond 32 bits, which labels have")
        return Labels(column.astype(np.int64).tolist(), None, (), None)
    flat = column.reshape(len(column), -1)
    if flat.shape[1] > 1 and bool((((flat == 0) | (flat == 1)).all(axis=1) & (flat.sum(axis=1) == 1)).all()):
        return Labels(
            flat.argmax(axis=1).tolist(), None, (), f"{where}: one of {flat.shape[1]} is 1 in each row: a class"
        )
    return Labels(None, _finite(flat, where), (), None)


def _finite(values: Array, where: str) -> Array:
    made = values.astype(np.float32)
    if not np.isfinite(made).all():
        row = int(np.flatnonzero(~np.isfinite(made).all(axis=1))[0])
        raise DataError(f"{where} has a value in row {row} that is no finite number")
    return made


def _text(value: Any, where: str) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise DataError(f"{where} holds {type(value).__name__}; numbers or texts are expected")
    return value
