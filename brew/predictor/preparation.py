"""From a picture's pixels to a net's input, by the same code as the data layers: resize, crop, mean, scale."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.data.images.resize import resize
from brew.data.transformer import Transformer
from brew.errors import DataError, UsageError
from brew.files import regular
from brew.layer import TEST, Context, Shape, shape_text
from brew.proto.brew_pb2 import TransformationParameter

from .metadata import KEEP, Metadata

log = logging.getLogger("brew")

Bytes = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]


class Preparation:
    """Prepares pictures for an input of (channels, height, width), as `metadata` says.

    Pixels are of 0 to 255. A picture is resized to `size`, the middle `crop` x `crop` is taken, the mean is subtracted
    and the rest multiplied by `scale`. Where the metadata is silent, a mean image tells the size, a size beyond that
    of a square input tells the crop. For the rest a default is taken, and a warning tells it once: pictures without a
    size are cropped as they are, or resized to the input; there is no mean, the scale is 1, the channels are BGR.
    """

    def __init__(self, metadata: Metadata, shape: tuple[int, int, int], dtype: np.dtype[Any], model: str) -> None:
        self.metadata, self.dtype, self._model = metadata, dtype, model
        self.channels, self.height, self.width = shape
        self._told: set[str] = set()

    def __call__(self, pixels: Bytes, name: str) -> Array:
        """The input, (channels, height, width), of pixels (channels, rows, columns), BGR or gray; `name` is the
        picture's, for messages. DataError, NetError."""
        if pixels.shape[0] != self.channels:
            raise UsageError(f"{name} has {pixels.shape[0]} channels, the input of {self._model} {self.channels}")
        self._tell_missing()
        transformer = self._transformer
        if self.metadata.channel_order == "RGB" and self.channels >= 3:
            pixels = np.concatenate([pixels[2::-1], pixels[3:]])
        target = self._target(transformer, pixels.shape[1:])
        if target is not None:
            pixels = resize(pixels, *target)
        crop = transformer.crop
        if crop and (crop[0] > pixels.shape[1] or crop[1] > pixels.shape[2]):
            raise DataError(
                f"{name} is {shape_text(pixels.shape[1:])}: a crop of {shape_text(crop)} does not fit into it",
                hint="size=(height, width) of brew.load says to what pictures are resized before",
            )
        return self.transformed(pixels)

    def transformed(self, values: Array) -> Array:
        """Values (channels, height, width), cropped, less the mean, times the scale. DataError, NetError."""
        out = np.empty((1, *self._transformer.output_shape(values.shape)), self.dtype)
        self._transformer(values[None], 0, out)
        prepared: Array = out[0]
        return prepared

    # --- size and crop ----------------------------------------------------------------------------------------------

    @cached_property
    def _size(self) -> Shape | None:
        """Height and width that every picture is resized to; None where it depends on the picture."""
        size = self.metadata.size
        if size is not None:
            return None if isinstance(size, str) else size
        mean = self._mean_image
        return None if mean is None else mean.shape[1:]

    @cached_property
    def _crop(self) -> int:
        if self.metadata.crop is not None:
            return self.metadata.crop
        if self._size is None or self._size == (self.height, self.width):
            return 0
        if self.height == self.width <= min(self._size):
            return self.height
        return 0

    def _target(self, transformer: Transformer, size: Shape) -> Shape | None:
        if self._size is not None or self.metadata.size == KEEP:
            return self._size
        if transformer.crop:
            if size != transformer.crop:
                self._tell("size", f"pictures are not resized: the middle {shape_text(transformer.crop)} counts")
            return None
        if size != (self.height, self.width):
            self._tell("size", f"pictures are resized to its input, {self.height} x {self.width}")
        return self.height, self.width

    # --- the transformer of the data layers ---------------------------------------------------------------------------

    @cached_property
    def _mean_image(self) -> npt.NDArray[np.float32] | None:
        """The mean that has a value for each pixel, (channels, height, width)."""
        mean = self._loaded
        return mean if isinstance(mean, np.ndarray) else None

    @cached_property
    def _loaded(self) -> npt.NDArray[np.float32] | tuple[float, ...]:
        mean = self.metadata.mean
        if isinstance(mean, Path):
            mean = _read_mean(mean)
        if not isinstance(mean, np.ndarray):
            return mean or ()
        shape = mean.shape[1:] if mean.ndim == 4 and mean.shape[0] == 1 else mean.shape
        if len(shape) == 3 and shape[1:] != (1, 1):
            return np.ascontiguousarray(mean, np.float32).reshape(shape)
        if mean.size in (1, self.channels):
            return tuple(float(value) for value in mean.reshape(-1))
        raise DataError(f"the mean has the shape {shape_text(mean.shape)}; channels x height x width is expected")

    @cached_property
    def _transformer(self) -> Transformer:
        """That of the data layers, in TEST: nothing is random."""
        scale = 1.0 if self.metadata.scale is None else self.metadata.scale
        mean = self._loaded
        values = mean if isinstance(mean, tuple) else ()
        param = TransformationParameter(crop_size=self._crop, mean_value=values, scale=scale)
        array = mean if isinstance(mean, np.ndarray) else None
        if array is not None:
            param.mean_file = str(self.metadata.mean) if isinstance(self.metadata.mean, Path) else "(an array)"
        return Transformer(param, Context(TEST, self.dtype), self._model, "predictor", mean=array)

    # --- what is not known --------------------------------------------------------------------------------------------

    def _tell_missing(self) -> None:
        known = self.metadata
        missing = [
            f"{field.replace('_', ' ')} ({taken} taken)"
            for field, taken in (("mean", "none is"), ("scale", "1 is"), ("channel_order", "BGR is"))
            if getattr(known, field) is None and (field != "channel_order" or self.channels >= 3)
        ]
        if missing:
            self._tell("missing", f"nothing says its {', '.join(missing)}")

    def _tell(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning("%s: %s; arguments of brew.load or its readme.md can say otherwise", self._model, text)


def _read_mean(path: Path) -> Array:
    """The mean in a .npy file, or else a .binaryproto; DataError, WeightsError."""
    if not path.is_file():
        raise DataError(f"there is no mean file {path}", hint="mean= of brew.load names another, or gives values")
    if path.suffix == ".npy":
        try:
            with regular.opened(path) as file:
                mean: Array = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"mean file {path} cannot be read: {error}") from None
        if not np.issubdtype(mean.dtype, np.number) or not np.isfinite(mean).all():
            raise DataError(f"mean file {path} has values that are no finite numbers")
        return mean
    from brew.files.weights.caffemodel import read_blob

    blob = read_blob(path)
    return np.asarray(blob.data, np.float32)
