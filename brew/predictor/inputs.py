"""What `predict` takes, read into rows of a net's inputs.

Pictures   a path, the bytes of an encoded image, an open binary file, an image of Pillow's, or an array
               of bytes, height x width or height x width x channels (1, RGB or RGBA), 0 to 255; four axes are several
               of floats of the same shapes, 0 to 1; each is rounded to a byte
Prepared   an array of floats with the axes of the net's input, which goes into it as it is (n x channels x height x
           width for pictures); a mapping of such arrays by name for nets with several inputs

Things     for a net whose data brew data import made of sounds, rows of a table, windows of a series or texts: a path,
               a mapping, an array or a text, as the preparation of its data says

Arrays may be any that speak DLPack or have an array interface, such as PyTorch's; they are not copied on the way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.data.images.decoding import BadImage, array_pixels, decode_image, image_pixels, is_pillow
from brew.errors import BrewError, DataError, UsageError
from brew.files import regular
from brew.files.paths import expanded
from brew.layer import Shape, shape_text

from .preparation import Bytes, Preparation
from .things import ThingPreparation

Array: TypeAlias = npt.NDArray[Any]
_CHANNELS = (1, 3, 4)  # of a picture
_SHOWN = 200  # characters of a path in a message


class BinaryFile(Protocol):
    """A file that is open for bytes."""

    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Values of each input for `count` items, by the input's name; `single`: the item came by itself."""

    values: Mapping[str, Array]
    count: int
    name: str = ""
    single: bool = False


class Reader:
    """Reads items for a net with these `inputs`, shapes by name; `preparation` is None where no input is a picture."""

    def __init__(
        self,
        inputs: Mapping[str, Shape],
        preparation: Preparation | ThingPreparation | None,
        model: str,
        device: str = "cpu",
    ) -> None:
        things = isinstance(preparation, ThingPreparation)
        self._things: ThingPreparation | None = preparation if things else None  # type: ignore[assignment]
        self._preparation: Preparation | None = None if things else preparation  # type: ignore[assignment]
        self._inputs, self._model, self._device = inputs, model, device

    def rows(self, item: object) -> Rows:
        """One picture or thing, one or several prepared items. UsageError for anything else, DataError for bad ones."""
        if self._things is not None and not self._is_prepared(item):
            name = str(item) if isinstance(item, str | os.PathLike) else ""
            return Rows(self._things(item), 1, name, single=True)
        if isinstance(item, np.ndarray):
            return self._array(item)
        if isinstance(item, Mapping):
            return self._mapped(item)
        if isinstance(item, str | os.PathLike):
            return self._picture(self._file(Path(item)), str(item))
        if is_pillow(item):
            return self._picture(self._decoded("the picture", image_pixels, item))
        if isinstance(item, bytes | bytearray | memoryview):
            return self._picture(self._decoded("the picture", decode_image, bytes(item)))
        if is_file(item):
            content, name = item.read(), str(getattr(item, "name", ""))
            if not isinstance(content, bytes):
                raise UsageError(
                    "the file is open for text; a picture is read from one open for bytes: open(name, 'rb')"
                )
            return self._picture(self._decoded(name or "the picture", decode_image, content), name)
        array = as_array(item, self._device)
        if array is None:
            raise UsageError(f"a {type(item).__name__} is no picture, array or mapping", hint=_TAKEN)
        return self._array(array)

    def _is_prepared(self, item: object) -> bool:
        """Whether what is given where things are prepared is a batch of values of the net's inputs already."""
        if isinstance(item, Mapping):
            return set(item) == set(self._inputs) and all(says_array(value) for value in item.values())
        ranks = [len(shape) for shape in self._inputs.values()]
        return says_array(item) and len(ranks) == 1 and getattr(item, "ndim", None) == ranks[0]

    # --- arrays -----------------------------------------------------------------------------------------------------

    def _array(self, array: Array) -> Rows:
        if len(self._inputs) != 1:
            names = ", ".join(self._inputs) or "none"
            raise UsageError(f"the inputs of {self._model} are {names}: give arrays for them by name, in a mapping")
        [name] = self._inputs
        if self._preparation is not None and (array.dtype == np.uint8 or array.ndim in (2, 3)):
            return self._pictures(array, name)
        return self._mapped({name: array})

    def _mapped(self, arrays: Mapping[Any, object]) -> Rows:
        """Prepared arrays for all inputs."""
        if set(arrays) != set(self._inputs):
            given = ", ".join(map(str, arrays)) or "none"
            raise UsageError(f"the inputs of {self._model} are {', '.join(self._inputs) or 'none'}; given were {given}")
        values: dict[str, Array] = {}
        single = True
        for name, shape in self._inputs.items():
            array = as_array(arrays[name], self._device)
            if array is None:
                raise UsageError(f'input "{name}": a {type(arrays[name]).__name__} is no array')
            if array.ndim not in (len(shape), len(shape) - 1) or not array.ndim:
                raise UsageError(
                    f'input "{name}" is {shape_text(shape)}; an array of {shape_text(array.shape)} was given',
                    hint=_TAKEN,
                )
            single &= array.ndim < len(shape)
            values[name] = array[None] if array.ndim < len(shape) else array
        counts = {len(array) for array in values.values()}
        if len(counts) != 1:
            raise UsageError(
                f"arrays of {' and '.join(map(str, sorted(counts)))} items were given for the inputs together"
            )
        return Rows(values, counts.pop(), single=single)

    def _pictures(self, array: Array, name: str) -> Rows:
        assert self._preparation is not None
        if array.ndim < 4:
            return self._picture(self._pixels(array))
        if array.ndim != 4 or array.shape[3] not in _CHANNELS:
            raise UsageError(
                f"bytes of {shape_text(array.shape)} are no pictures: n x height x width x channels is expected",
                hint="an array that is prepared for the net holds floats",
            )
        prepared = [self._preparation(self._pixels(picture), f"picture {i}") for i, picture in enumerate(array)]
        if len({p.shape for p in prepared}) > 1 or not prepared:
            raise UsageError("no picture is in the array")
        return Rows({name: np.stack(prepared)}, len(prepared))

    def _pixels(self, array: Array) -> Bytes:
        """Those of one picture, height x width (x channels)."""
        if array.ndim == 3 and array.shape[2] not in _CHANNELS:
            raise UsageError(
                f"an array of {shape_text(array.shape)} is no picture: height x width x channels is expected",
                hint="x[None] is a batch of one that is prepared already",
            )
        if not array.size:
            raise UsageError(f"a picture of {shape_text(array.shape)} has no pixels")
        host = array if isinstance(array, np.ndarray) else cuda.asnumpy(array)
        return self._decoded("the array", array_pixels, as_bytes(host))

    # --- pictures ---------------------------------------------------------------------------------------------------

    def _picture(self, pixels: Bytes, name: str = "") -> Rows:
        if self._preparation is None:
            shapes = ", ".join(f'"{n}" ({shape_text(s)})' for n, s in self._inputs.items()) or "none"
            raise UsageError(f"no picture can be given to {self._model}: its inputs are {shapes}", hint=_TAKEN)
        [blob] = self._inputs
        prepared = self._preparation(pixels, name or "the picture")
        return Rows({blob: prepared[None]}, 1, name, single=True)

    def _file(self, path: Path) -> Bytes:
        try:
            content = regular.read_bytes(expanded(path))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(f"image {str(path)[:_SHOWN]} cannot be read: {reason}") from None
        return self._decoded(f"image {path}", decode_image, content)

    def _decoded(self, name: str, decode: Any, content: Any) -> Bytes:
        channels = self._preparation.channels if self._preparation is not None else 0
        try:
            pixels: Bytes = decode(content, color=channels == 3, gray=channels == 1)
        except BadImage as error:
            raise DataError(f"{name} {error}") from None
        return pixels


_TAKEN = "predict takes pictures and arrays; docs/predict.md says which"


def as_bytes(picture: Array) -> Bytes:
    """A picture of floats from 0 to 1 as bytes; one of bytes as it is. UsageError for other values.

    >>> as_bytes(np.array([[0.0, 0.5, 1.0]]))
    array([[  0, 128, 255]], dtype=uint8)
    """
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.bool_ or not np.issubdtype(picture.dtype, np.floating):
        raise UsageError(f"a picture of {picture.dtype} was given: bytes of 0 to 255 or floats of 0 to 1 are expected")
    least, most = float(picture.min()), float(picture.max())
    if not (least >= -_SLACK and most <= 1 + _SLACK):
        hint = "x.astype(np.uint8) has bytes; an array that is prepared already has as many axes as the net's input"
        raise UsageError(f"a picture of floats has values of 0 to 1; this one has {least:g} to {most:g}", hint=hint)
    rounded: Bytes = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    return rounded


_SLACK = 1e-3  # what resizing by splines, and rounding, add to 0 and 1


def as_array(value: object, device: str = "cpu") -> Array | None:
    """`value` as an array in the same memory: NumPy's; of what lies on a GPU CuPy's, which is copied where `device` is
    "cpu". None for what is no array; UsageError where it says that it is one, and cannot be read.
    """
    if isinstance(value, np.ndarray):
        return value
    try:
        if hasattr(value, "__cuda_array_interface__"):
            return cuda.wrap(value) if device == "cuda" else cuda.asnumpy(cuda.wrap(value))
        if hasattr(value, "__dlpack__"):
            return np.from_dlpack(value)
        if hasattr(value, "__array_interface__") or hasattr(value, "__array__"):
            return np.asarray(value)
    except BrewError:
        raise
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        text = f"the array of a {type(value).__name__} cannot be read: {error}"
        raise UsageError(text, hint="a tensor of PyTorch's is given as x.detach().cpu()") from None
    return None


def is_file(value: object) -> TypeGuard[BinaryFile]:
    """Whether `value` can be read as an open file."""
    return callable(getattr(value, "read", None))


def is_stream(value: object) -> bool:
    """Whether `value` gives items one by one: an iterator, or another iterable that is no list, array or picture."""
    if isinstance(value, np.ndarray | str | bytes | bytearray | memoryview | os.PathLike) or is_file(value):
        return False
    if isinstance(value, Mapping | Sequence):
        return False
    if isinstance(value, Iterator):
        return True
    return isinstance(value, Iterable) and not is_pillow(value) and not says_array(value)


def says_array(value: object) -> bool:
    """Whether `value` says that it is an array."""
    names = "__array_interface__", "__dlpack__", "__array__", "__cuda_array_interface__"
    return isinstance(value, np.ndarray) or any(hasattr(value, name) for name in names)
