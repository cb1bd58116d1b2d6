"""The contents of files of weights and solver states, in any format: blobs, layers, a state.

Values are mapped into memory and read piece by piece: a file of gigabytes needs no memory of its own.
"""

from __future__ import annotations

import errno
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import byte_bounds

from brew.errors import Place, WeightsError, did_you_mean
from brew.files import regular
from brew.proto.brew_pb2 import ResumeState

from .cursor import Floats

PIECE = 1 << 20  # values: small beside a net, large beside the cost of a step

BFLOAT16 = np.dtype("<u2")  # stands for bfloat16, which NumPy lacks: the upper half of a float32
Values: TypeAlias = Sequence[tuple[str, list[tuple[int, npt.NDArray[Any]]]]]  # by layer, (index, values) of its blobs
_Raw = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class StoredBlob:
    """One blob of a file: its shape, and its values as the file has them.

    `raw` and `raw_diff` (None where the file has none) are flat, read-only views into the mapped file, often not
    aligned: float16, float32 or float64 of either byte order, or BFLOAT16. `legacy` says that the shape came as
    num, channels, height, width and is to be compared as such.
    """

    shape: tuple[int, ...]
    legacy: bool
    raw: _Raw
    raw_diff: _Raw | None = None

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a blob of `shape` takes these values: the shapes are equal, or equal as four axes where this one is
        legacy and `shape`, of at most four axes, gets ones in front (Caffe's Blob::ShapeEquals)."""
        if self.shape == shape:
            return True
        return self.legacy and len(shape) <= 4 and self.shape == (1,) * (4 - len(shape)) + shape

    @property
    def data(self) -> Floats:
        """The values in `shape`, read-only, float32 or float64; half precision comes as a float32 copy."""
        return _floats(self.raw).reshape(self.shape)

    @property
    def diff(self) -> Floats | None:
        """The gradient like `data`, or None."""
        return None if self.raw_diff is None else _floats(self.raw_diff).reshape(self.shape)

    def pieces(self) -> Iterator[Floats]:
        """The values in order and flat, PIECE at a time; the file's pages are released after each."""
        for start in range(0, self.raw.size, PIECE):
            piece = self.raw[start : start + PIECE]
            yield _floats(piece)
            _let_go(piece)


@dataclass(frozen=True, slots=True, eq=False)
class LayerBlobs:
    """A layer of a weights file: its name, its type under its present name, its blobs.

    `indices` says which of the layer's blobs these are, where a file may leave some out (HDF5, safetensors); None
    means all. `old` says that the layer is stored in an earlier format of Caffe's (V0 or V1).
    """

    name: str
    type: str
    blobs: list[StoredBlob]
    indices: list[int] | None = None
    old: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StoredState:
    """A solver state; `resume` is None in a file of Caffe's."""

    iter: int
    learned_net: str
    history: list[StoredBlob]
    current_step: int
    resume: ResumeState | None


def _floats(raw: _Raw) -> Floats:
    if raw.itemsize > 2:
        return raw
    values: Floats = (raw.astype("<u4") << 16).view("<f4") if raw.dtype == BFLOAT16 else raw.astype("<f4")
    values.setflags(write=False)
    return values


def mapped(path: str | Path, wanted: str) -> memoryview:
    """The bytes of the file; the map lives as long as any view into it. WeightsError says `wanted` was expected."""
    path = Path(path)
    place = Place(str(path))
    try:
        with regular.opened(path) as file:
            size = file.seek(0, 2)
            if size == 0:
                raise WeightsError(f"the file is empty; {wanted} was expected", place=place)
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise WeightsError("no such file", place=place, hint=did_you_mean(path.name, siblings)) from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EISDIR:
            raise WeightsError(f"this is a folder; {wanted} was expected", place=place) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise WeightsError(f"the file cannot be read: {reason}", place=place) from None


def _let_go(view: _Raw) -> None:
    """Release the pages under a view into a mapped file: once touched, they count as this process's memory.

    The values are read from the file again when needed. Does nothing where the system has no such call, and for
    values that are no view of a file.
    """
    owner: object = view
    while isinstance(owner, np.ndarray):
        owner = owner.base
    file = owner.obj if isinstance(owner, memoryview) else None
    if not isinstance(file, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    begin = byte_bounds(np.frombuffer(file, np.uint8, 1))[0]
    first, end = (address - begin for address in byte_bounds(view))
    first -= first % mmap.PAGESIZE
    file.madvise(mmap.MADV_DONTNEED, first, end - first)
