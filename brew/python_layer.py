"""Layers that a user writes in Python, as in pycaffe: the base class, its blobs, and the lookup of a class.

    class Halve(PythonLayer):
        def reshape(self, bottom, top):
            top[0].reshape(*bottom[0].shape)

        def forward(self, bottom, top):
            top[0].data[...] = bottom[0].data / 2

        def backward(self, top, propagate_down, bottom):
            if propagate_down[0]:
                bottom[0].diff[...] = top[0].diff / 2

The layer `Python` (layers/python.py) calls it.
"""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.memory.blob import Blob, Memory
from brew.proto.brew_pb2 import FillerParameter, LayerParameter

from . import cuda
from .errors import BrewError, did_you_mean
from .layer import TEST, Array, count

_importing = threading.Lock()  # sys.path belongs to the whole process


class LentBlob(Blob):
    """A blob that lives in memory of the net while a layer runs, and in its own, from zeros, before that.

    On CUDA `data` and `diff` are host copies, made when they are first asked for.
    """

    def __init__(self, shape: Sequence[int], dtype: npt.DTypeLike, name: str) -> None:
        self._home: tuple[Array, Array | None] | None = None
        super().__init__(shape, dtype, "cpu", name)

    def reshape(self, *shape: int) -> None:
        """Change the shape; where lent memory is too small, the blob's own is used until it is lent anew."""
        size = count([int(n) for n in shape])
        if self._home is not None and size > self.data_memory.capacity:
            self._home = None
            self.data_memory, self.diff_memory = (Memory(self.data_memory.dtype, "cpu") for _ in range(2))
        super().reshape(*shape)

    def lend(self, data: Array, diff: Array | None, device: str, *, keep: bool = False) -> None:
        """Live in `data` and, where it is given, `diff`. With `keep`, what was written before goes there too."""
        if self._home is None or self._home[0] is not data or self._home[1] is not diff:
            dtype, own = self.data_memory.dtype, self.data_memory
            written = own.array(data.shape) if keep and self._home is None and own.capacity >= data.size else None
            self.data_memory = Memory(dtype, device, data.reshape(-1))
            self.diff_memory = Memory(dtype, "cpu") if diff is None else Memory(dtype, device, diff.reshape(-1))
            self._home = data, diff
            if written is not None and own.capacity:
                np.copyto(data, written) if device == "cpu" else cuda.upload(data, written)
        super().reshape(*data.shape)


class ParamBlobs(list[LentBlob]):
    """The parameters of a Python layer."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        super().__init__()
        self._dtype = np.dtype(dtype)
        self.fillers: list[FillerParameter | None] = []

    def add_blob(self, *shape: int, filler: Mapping[str, Any] | None = None) -> None:
        """One more parameter. It starts as `filler` says ({"type": "xavier"}); without one, as setup leaves it."""
        self.append(LentBlob(shape, self._dtype, f"param {len(self)}"))
        self.fillers.append(None if filler is None else FillerParameter(**filler))


class PythonLayer:
    """The base of layers written in Python; pycaffe's `caffe.Layer`.

    param_str, phase     of the layer's message and of the net (TRAIN 0, TEST 1)
    blobs                parameters, added in `setup` with `self.blobs.add_blob(*shape)`

    Bottoms and tops are blobs: `data`, `diff` (writable host arrays), `shape`, `count`, `num`, `channels`, `height`,
    `width`, `reshape(*shape)`. `setup` and the first `reshape` see shapes only: the values are zeros.
    """

    param_str: str = ""
    phase: int = TEST
    blobs: ParamBlobs

    def __init__(self, layer_param: LayerParameter | None = None) -> None:
        """Made by the net; what a layer needs is read in `setup`."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Called once: read `param_str`, check bottoms, add parameters."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Called before every forward: give the tops their shapes."""
        raise NotImplementedError("a Python layer needs reshape(self, bottom, top)")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Fill `data` of the tops."""
        raise NotImplementedError("a Python layer needs forward(self, bottom, top)")

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Write `diff` of the bottoms that `propagate_down` names; add to `diff` of the parameters."""
        raise NotImplementedError("this layer needs backward(self, top, propagate_down, bottom) for a gradient")


def load_class(module: str, name: str, folder: Path, fail: Callable[..., BrewError]) -> type[PythonLayer]:
    """Class `name` of `module`, found along sys.path, then in the working directory, then in `folder`.

    Raises what `fail` returns (it takes a message and perhaps `hint=`) when there is none.
    """
    try:
        loaded = _import(module, folder)
    except Exception as error:
        raise fail(f'module "{module}" cannot be imported: {described(error)}') from error
    if loaded is None:
        raise fail(f'there is no module "{module}"; looked along sys.path, in {Path.cwd()} and in {folder.absolute()}')
    found = getattr(loaded, name, None)
    if found is None:
        raise fail(f'{_file(loaded)} has no class "{name}"', hint=did_you_mean(name, vars(loaded)))
    if not (isinstance(found, type) and issubclass(found, PythonLayer)):
        raise fail(f'"{name}" of {_file(loaded)} is no class on the base PythonLayer (caffe.Layer in pycaffe)')
    return found


def described(error: Exception, module: str | None = None) -> str:
    """The message of an error in the user's code, and its place: the innermost line in `module`, else in any."""
    frames = traceback.extract_tb(error.__traceback__)
    file = _file(sys.modules[module]) if module in sys.modules else None
    frame = next((f for f in reversed(frames) if f.filename == file), frames[-1])
    return f"{type(error).__name__}: {error} (at {frame.filename}:{frame.lineno})"


def _import(module: str, folder: Path) -> ModuleType | None:
    for place in (None, Path.cwd(), folder.absolute()):
        try:
            with _along(place):
                return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise  # the module is there, and what it imports is not
    return None


@contextmanager
def _along(place: Path | None) -> Iterator[None]:
    """A context in which modules are found in `place` too."""
    if place is None:
        yield
        return
    with _importing:
        sys.path.append(str(place))
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(str(place))


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__
