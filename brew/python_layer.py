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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from brew.memory.blob import Blob, Memory
from brew.proto.brew_pb2 import FillerParameter, LayerParameter

from . import cuda
from .errors import BrewError, did_you_mean
from .layer import TEST, TRAIN, Array, Shape, count

_importing = threading.Lock()  # sys.path belongs to the whole process


class Phase(IntEnum):
    """A net's phase, as Python layers see it: a number that prints as its name, as in pycaffe.

    >>> print(Phase.TEST, Phase.TEST == 1, f"{Phase(0)} {Phase(0):d}")
    TEST True TRAIN 0
    """

    TRAIN = TRAIN
    TEST = TEST

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        return format(int(self), spec) if spec else self.name


class _OnDevice(Memory):
    """Memory whose values are looked at where they lie: arrays of CuPy on CUDA."""

    def expose(self, shape: Shape, name: str) -> Array:
        return self.array(shape)


class LentBlob(Blob):
    """A blob that lives in memory of the net while a layer runs, and in its own, from zeros, before that.

    On CUDA `data` and `diff` are host copies, made when they are first asked for; with `on_device`, device arrays.
    """

    on_device = False

    def __init__(self, shape: Sequence[int], dtype: npt.DTypeLike, name: str) -> None:
        self._home: tuple[Array, Array | None] | None = None
        super().__init__(shape, dtype, "cpu", name)

    def reshape(self, *shape: int) -> None:
        """Change the shape; where lent memory is too small, the blob's own is used until it is lent anew."""
        size = count([int(n) for n in shape])
        if self._home is not None and size > self.data_memory.capacity:
            self._leave()
        super().reshape(*shape)

    def lend(self, data: Array, diff: Array | None, device: str, *, keep: bool = False, reshaped: bool = False) -> None:
        """Live in `data` and, where it is given, `diff`. With `keep`, what was written before goes there too. With
        `reshaped`, a blob that lives there already keeps the shape that it was given since."""
        stays = self._home is not None and self._home[0] is data and self._home[1] is diff
        if not stays:
            own = self.data_memory
            written = own.array(data.shape) if keep and self._home is None and own.capacity >= data.size else None
            self.data_memory = self._memory(device, data)
            self.diff_memory = Memory(own.dtype, "cpu") if diff is None else self._memory(device, diff)
            self._home = data, diff
            if written is not None and own.capacity:
                _copy(data, device, written, own.device)
        if not (stays and reshaped):
            super().reshape(*data.shape)

    def move_out(self) -> None:
        """Live in memory of its own, with the values, until it is lent anew."""
        if self._home is not None:
            lent = self.data_memory
            values = lent.array(self.shape) if self.on_device else self.data
            self._leave()
            own = self.data_memory
            _copy(own.array(self.shape), own.device, values, own.device)

    def _leave(self) -> None:
        device = self.data_memory.device if self.on_device else "cpu"
        self._home = None
        self.data_memory, self.diff_memory = self._memory(device), self._memory(device)

    def _memory(self, device: str, array: Array | None = None) -> Memory:
        kind = _OnDevice if self.on_device and device == "cuda" else Memory
        return kind(self.data_memory.dtype, device, None if array is None else array.reshape(-1))


def _copy(target: Array, device: str, source: Array, source_device: str) -> None:
    if device == "cpu":
        np.copyto(target, source)
    else:
        (cuda.copy if source_device == "cuda" else cuda.upload)(target, source)


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

    param_str, phase     of the layer's message (`param_str_` is its old name) and of the net: an int that prints as
                         TRAIN (0) or TEST (1)
    type                 "Python"
    blobs                parameters, added in `setup` with `self.blobs.add_blob(*shape)`
    device_arrays        True: on CUDA, forward and backward see arrays of CuPy, and nothing is copied to the host

    Bottoms and tops are blobs: `data`, `diff` (writable host arrays), `shape`, `count`, `num`, `channels`, `height`,
    `width`, `reshape(*shape)`. `setup` and the first `reshape` see shapes only: the values are zeros. Tops may get
    their shape in `reshape` or in `forward`; later layers follow in the same pass.

    Exact resume: a class that has the methods `state()` and `restore(state)` goes on from a snapshot as it was. `state`
    returns what it keeps between batches, of what JSON knows and NumPy arrays; tuples come back as lists.
    """

    param_str: str = ""
    param_str_: str = ""
    phase: int = Phase.TEST
    type: str = "Python"
    blobs: ParamBlobs
    device_arrays: ClassVar[bool] = False

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
        raise fail(f'module "{module}" cannot be imported: {described(error)}', hint=_way_out(error)) from error
    if loaded is None:
        raise fail(f'there is no module "{module}"; looked along sys.path, in {Path.cwd()} and in {folder.absolute()}')
    found = getattr(loaded, name, None)
    if found is None:
        raise fail(f'{_file(loaded)} has no class "{name}"', hint=did_you_mean(name, vars(loaded)))
    if not (isinstance(found, type) and issubclass(found, PythonLayer)):
        raise fail(
            f'"{name}" of {_file(loaded)} is no class on the base caffe.Layer (brew.python_layer.PythonLayer)',
            hint=f"class {name}(caffe.Layer): ..." if isinstance(found, type) else None,
        )
    return found


def _way_out(error: Exception) -> str | None:
    """What helps against an error of an import."""
    lacks = error.name if isinstance(error, ModuleNotFoundError) else None
    if lacks == "caffe":
        return "brew.install_as_caffe() gives it one"
    if isinstance(error, SyntaxError) or lacks in ("cPickle", "cStringIO", "StringIO", "ConfigParser", "Queue"):
        return "where it is Python 2: brew run --py2 script.py, or brew run --py2 -m brew train ..., translates it"
    return None


def described(error: Exception, module: str | None = None) -> str:
    """The message of an error in the user's code, and its place: the innermost line in `module`, else in any."""
    frames = extract_tb(error.__traceback__)
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
