"""What is stored of an item: the values of its record, by the database or the dataset that they go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

from brew.data.images.decoding import BadImage, encode_png
from brew.errors import DataError, UsageError
from brew.proto.brew_pb2 import Datum

from .annotated import annotated_datum
from .pictures import TURNED, Form, Picture
from .sources.items import Content, Item

Values = dict[str, "bytes | npt.NDArray[Any]"]
DATA, LABEL, MASKS, TARGETS = "data", "label", "masks", "targets"


class Made(NamedTuple):
    """A record: in LMDB the bytes of a Datum, in HDF5 an array, by name; and what is counted of it."""

    values: Values
    shape: tuple[int, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes records of one form for one format."""

    form: Form

    def make(self, item: Item, content: Content) -> Made:
        """The record of an item. DataError that begins behind the item's name; Coloured."""
        try:
            return self._made(item, content)
        except BadImage as error:
            raise DataError(str(error), place=item.place) from None

    def _made(self, item: Item, content: Content) -> Made:
        data = content.data
        if isinstance(data, bytes) or is_pixels(data):
            picture = self.form.picture(data)
            if TURNED in picture.told and (item.boxes or content.mask is not None):
                raise DataError("it is turned as its camera was, and its boxes or its mask are not")
            beside = self._beside(item, content, picture)
            main = self._main(item, picture)
            return Made(self._values(item, main, beside), picture.shape, picture.told)
        if self.form.settings.size is not None:
            raise UsageError("the source holds values that are no pictures, which have no size to be brought to")
        main = datum(data) if self._as_datums else data
        return Made(self._values(item, main, self._beside(item, content, None)), data.shape, ())

    def _main(self, item: Item, picture: Picture) -> Message | npt.NDArray[Any]:
        """The record of a picture itself: an array, a Datum, or with boxes an AnnotatedDatum."""
        if not self._as_datums:
            if item.boxes is not None:
                raise UsageError("HDF5 has no place for boxes, of which pictures have any number: --format lmdb")
            return picture.pixels
        datum = _picture_datum(picture)
        if item.boxes is None:
            return datum
        datum.label = -1  # as convert_annoset has it
        return annotated_datum(datum, item.boxes, picture.at)

    @property
    def _as_datums(self) -> bool:
        return self.form.settings.format == "lmdb"

    def _beside(self, item: Item, content: Content, picture: Picture | None) -> dict[str, npt.NDArray[Any]]:
        """What stands in databases or datasets of its own."""
        arrays = dict(content.more)
        if item.targets:
            arrays[TARGETS] = np.array(item.targets, np.float32)
        if content.mask is not None:
            if picture is None:
                raise DataError("it has a mask, and is no picture")
            arrays[MASKS] = self.form.mask(content.mask, picture.at)
        return arrays

    def _values(self, item: Item, main: Message | npt.NDArray[Any], beside: dict[str, npt.NDArray[Any]]) -> Values:
        if not isinstance(main, Message):
            values: Values = {DATA: main, **beside}
            if item.label is not None:
                values[LABEL] = np.array(item.label, np.int32)
            return values
        if item.label is not None and isinstance(main, Datum):
            main.label = item.label
        return {DATA: main.SerializeToString(), **{name: self._datum(name, beside[name]) for name in beside}}

    def _datum(self, name: str, array: npt.NDArray[Any]) -> bytes:
        if name == MASKS and self.form.settings.as_files:
            return _file_datum(encode_png(array[0]), array.shape).SerializeToString()
        return datum(array).SerializeToString()


def is_pixels(array: npt.NDArray[Any]) -> bool:
    """Whether an array is a picture: uint8, and of three axes."""
    return array.dtype == np.uint8 and array.ndim == 3


def datum(array: npt.NDArray[Any]) -> Datum:
    """An array of up to three axes as a Datum: of bytes where it is of uint8, else of floats.

    One axis is that of the channels; two are height and width.
    """
    shape = array.shape
    if len(shape) > 3:
        axes = " x ".join(map(str, shape))
        raise DataError(f"its values are {axes}; a record of an LMDB has three axes", hint="--format hdf5 takes all")
    channels, height, width = (*shape, 1, 1)[:3] if len(shape) < 2 else (1, *shape)[-3:]
    made = Datum(channels=channels, height=height, width=width)
    if array.dtype == np.uint8:
        made.data = array.tobytes()
    else:
        made.float_data.extend(array.astype(np.float32).ravel().tolist())
    return made


def _picture_datum(picture: Picture) -> Datum:
    return datum(picture.pixels) if picture.file is None else _file_datum(picture.file, picture.shape)


def _file_datum(file: bytes, shape: tuple[int, ...]) -> Datum:
    channels, height, width = shape
    return Datum(channels=channels, height=height, width=width, data=file, encoded=True)
