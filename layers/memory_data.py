"""MemoryData: images and labels from arrays that the program sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.data.datum import Pixels, decode_batch
from brew.data.feed import feeds
from brew.data.prefetching_layer import first_not_finite
from brew.data.transformer import Transformer
from brew.errors import BrewError, DataError, UsageError
from brew.layer import Context, Shape, exactly, shape_text
from brew.layer.data_layer import DataLayer, RandomChoices
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import Datum, LayerParameter, SourceState

_SIZES = "batch_size", "channels", "height", "width"


@register_layer
class MemoryData(DataLayer):
    """Arrays in memory as batches, in order, from the start again at the end.

    Top      data    (batch_size x channels x height x width)
    Top      label   (batch_size)
    Param    memory_data_param.batch_size, .channels, .height, .width, all needed; transform_param, for
             add_datum_vector and add_mat_vector

    Before the first forward the program calls one of: `net.set_input_arrays(data, labels)` or this layer's `reset`
    (arrays as they are), `add_datum_vector` (Datum messages), `add_mat_vector` (images). The number of items is a
    multiple of batch_size.

    Example  top: "data" top: "label" memory_data_param { batch_size: 32 channels: 3 height: 227 width: 227 }
    """

    type = "MemoryData"
    tops = exactly(2)
    brings_images = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        memory = param.memory_data_param
        for field in _SIZES:
            if getattr(memory, field) == 0:
                raise self.error(f"{field} must be at least 1", "memory_data_param", field)
        self.batch_size: int = memory.batch_size
        self.image: Shape = (memory.channels, memory.height, memory.width)
        self.transformer = Transformer(param.transform_param, context, self.name, self.type)
        if param.transform_param.HasField("mix_param"):
            raise self.error("mix_param is for layers that read records", "transform_param", "mix_param")
        self._data: npt.NDArray[Any] | None = None
        self._labels: npt.NDArray[Any] | None = None
        self._record = 0
        self._added = 0  # items that went through the transformer so far: they key its random numbers
        self._waiting = False  # items were added, and not all were brought yet

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return self.next_shapes()

    def draw_as(self, name: str) -> None:
        super().draw_as(name)
        self.transformer.draws = name

    def image_shape(self) -> Shape:
        return self.image

    def random_choices(self) -> RandomChoices:
        transformer = self.transformer
        return RandomChoices(None, None, None, False, (), transformer.random_crop, transformer.param.mirror)

    # --- what the program calls ------------------------------------------------------------------------------------

    def reset(self, data: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Take `data` (n x channels x height x width) and n labels of any shape; begin with the first.

        Arrays of the net's type are kept, not copied: what is written to them shows in later batches. After a resume
        the first data given goes on where the snapshot was taken. transform_param is not applied. UsageError for
        other sizes, and where n is no multiple of batch_size.
        """
        images = np.asarray(data, self.context.dtype)
        flat = np.asarray(labels, self.context.dtype).reshape(-1)
        if images.shape[1:] != self.image or images.ndim != 4:
            raise self._wrong(f"data is {shape_text(images.shape)}; expected is n x {shape_text(self.image)}")
        self._check_number(len(images))
        if len(flat) != len(images):
            raise self._wrong(f"{len(flat)} labels for {len(images)} items of data")
        if self._data is not None:
            self._record = 0
        self._data, self._labels, self._waiting = images, flat, False

    def add_datum_vector(self, datums: Sequence[Datum]) -> None:
        """Take Datum messages, transformed, in place of the data so far. UsageError or DataError as `reset`.

        What was added before must have been brought to the last item.
        """
        records = [(b"%d" % number, datum.SerializeToString()) for number, datum in enumerate(datums)]
        self._check_number(len(records))
        try:
            images, labels = decode_batch(records, self.transformer.rule)
            self._add(images, labels)
        except DataError as error:
            raise DataError(f'layer "{self.name}" (MemoryData): {error.message}', place=error.place) from None

    def add_mat_vector(self, images: Sequence[npt.NDArray[Any]], labels: npt.ArrayLike) -> None:
        """Like add_datum_vector, with images as OpenCV has them: height x width (x channels), BGR, bytes or floats."""
        self._check_number(len(images))
        planes: list[Pixels] = []
        for number, image in enumerate(images):
            if image.ndim not in (2, 3):
                raise self._wrong(f"image {number} is {shape_text(image.shape)}; height x width x channels is expected")
            planes.append(np.atleast_3d(image).transpose(2, 0, 1))
        self._add(planes, np.asarray(labels).reshape(-1))

    def _add(self, images: Pixels | list[Pixels], labels: npt.NDArray[Any]) -> None:
        if self._waiting:
            raise self._wrong("items that were added before have not been used yet")
        shape = self.transformer.batch_shape(images, lambda number: f"image {number}")
        if shape != self.image:
            raise self._wrong(f"images come out as {shape_text(shape)}; expected is {shape_text(self.image)}")
        data = np.empty((len(images), *shape), self.context.dtype)
        self.transformer(images, self._added, data)
        self.reset(data, labels)
        self._added += len(images)
        self._waiting = True

    def _check_number(self, items: int) -> None:
        if items == 0 or items % self.batch_size:
            raise self._wrong(f"{items} items; a multiple of batch_size, {self.batch_size}, is expected")

    def _wrong(self, message: str) -> BrewError:
        place = self.context.place("memory_data_param")
        return UsageError(f'layer "{self.name}" (MemoryData): {message}', place=place)

    # --- what the net calls ----------------------------------------------------------------------------------------

    def next_shapes(self) -> list[Shape]:
        return [(self.batch_size, *self.image), (self.batch_size,)]

    def next_batch(self) -> list[npt.NDArray[Any]]:
        if self._data is None or self._labels is None:
            hint = "call net.set_input_arrays(data, labels) before forward"
            raise self.error("has no data yet", "memory_data_param", hint=hint)
        start = self._record % len(self._data)
        batch = slice(start, start + self.batch_size)
        self._record += self.batch_size
        self._waiting = self._waiting and batch.stop < len(self._data)
        return [self._data[batch], self._labels[batch]]

    def not_finite(self) -> str | None:
        if self._data is None or self._labels is None or self._record == 0:
            return None
        start = (self._record - self.batch_size) % len(self._data)
        batch = slice(start, start + self.batch_size)
        tops = [self._data[batch], self._labels[batch]]
        return first_not_finite(tops, self.param.top, lambda number: f"item {start + number}")

    def epoch(self) -> int | None:
        return None if self._data is None else len(self._data)

    def state(self) -> SourceState:
        return SourceState(layer=self.name, record=self._record)

    def restore(self, state: SourceState) -> None:
        self.skip_to(state.record)

    def skip_to(self, record: int) -> None:
        self._record = record // self.batch_size * self.batch_size


feeds(MemoryData)
