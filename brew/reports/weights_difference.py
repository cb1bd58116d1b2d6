"""The differences of two weights files, or two solver states, blob by blob."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from brew.files.weights import caffemodel, hdf5, reading
from brew.files.weights.stored import StoredBlob, StoredState
from brew.layer import Shape
from brew.proto.brew_pb2 import ResumeState
from brew.prototxt.difference import Change, changes

# Fields of the record with paths, versions and speeds: they do not change how the run goes on.
_ASIDE = "weights_sha256", "average", "average_sha256", "seconds", "brew_version", "choice"
_CHUNK = 1 << 20  # elements; the arithmetic is in float64

Key = tuple[str, int]  # layer (or "history"), number of the blob
Progress: TypeAlias = "Callable[[str, int, int | None], None]"


@dataclass(frozen=True, slots=True)
class BlobDifference:
    """One blob of a layer; a shape is None where the file lacks the blob.

    largest    the largest |a - b| of all elements; inf where a NaN or infinity stands against another value
    relative   |a - b| / |a|, of the blobs as vectors; inf where only the first is zero
    Both are None where the shapes differ.
    """

    layer: str
    index: int
    old: Shape | None
    new: Shape | None
    largest: float | None = None
    relative: float | None = None

    def equal(self, tolerance: float = 0.0) -> bool:
        """Whether no element differs by more than `tolerance`."""
        return self.largest is not None and self.largest <= tolerance


def _untold(what: str, done: int, total: int | None) -> None:
    """Nobody wants to know."""


def weights_difference(old: str | Path, new: str | Path, progress: Progress = _untold) -> list[BlobDifference]:
    """Every blob of two weights files of any format, in the first one's order; layers are matched by name.

    `progress(what, done, all)` is told of every blob.
    """
    blobs = [dict(_blobs(path)) for path in (old, new)]
    return list(_compared(blobs[0], blobs[1], progress))


def state_difference(
    old: str | Path, new: str | Path, progress: Progress = _untold
) -> tuple[list[Change], list[BlobDifference]]:
    """Of two solver states: the numbers and Brew's record of the run, and the histories; not the weights they name."""
    states = [_state(path) for path in (old, new)]
    first, second = states
    numbers = [
        Change((name,), str(getattr(first, name)), str(getattr(second, name)))
        for name in ("iter", "current_step")
        if getattr(first, name) != getattr(second, name)
    ]
    records = [state.resume or ResumeState() for state in states]
    histories = [{("history", i): blob for i, blob in enumerate(state.history)} for state in states]
    return [*numbers, *changes(records[0], records[1], _ASIDE)], list(_compared(histories[0], histories[1], progress))


def _state(path: str | Path) -> StoredState:
    return hdf5.read_solver_state(path) if hdf5.is_hdf5(path) else caffemodel.read_solver_state(path)


def _blobs(path: str | Path) -> Iterator[tuple[Key, StoredBlob]]:
    """The first layer of a name counts, as it does when weights are loaded."""
    seen: set[str] = set()
    for layer in reading.read(path):
        if layer.name in seen or not layer.blobs:
            continue
        seen.add(layer.name)
        numbers: Iterable[int] = range(len(layer.blobs)) if layer.indices is None else layer.indices
        yield from (((layer.name, number), blob) for number, blob in zip(numbers, layer.blobs, strict=True))


def _compared(old: dict[Key, StoredBlob], new: dict[Key, StoredBlob], progress: Progress) -> Iterator[BlobDifference]:
    keys = [*old, *(key for key in new if key not in old)]
    for number, key in enumerate(keys, 1):
        a, b = old.get(key), new.get(key)
        distance = _distance(a, b) if a is not None and b is not None and _same_shape(a, b) else (None, None)
        old_shape, new_shape = (None if blob is None else tuple(blob.shape) for blob in (a, b))
        progress("blobs", number, len(keys))
        yield BlobDifference(*key, old_shape, new_shape, *distance)


def _same_shape(a: StoredBlob, b: StoredBlob) -> bool:
    """Whether one takes the other's values; a file of any age may be compared with one of any other."""
    return a.fits(b.shape) or b.fits(a.shape)


def _distance(a: StoredBlob, b: StoredBlob) -> tuple[float, float]:
    """The largest difference and the relative one."""
    x, y = a.data.reshape(-1), b.data.reshape(-1)
    largest = apart = length = 0.0
    for start in range(0, x.size, _CHUNK):
        left, right = (v[start : start + _CHUNK].astype(np.float64) for v in (x, y))
        same = (left == right) | (np.isnan(left) & np.isnan(right))
        with np.errstate(invalid="ignore"):
            difference = np.where(same, 0.0, np.abs(left - right))
        difference[np.isnan(difference)] = math.inf
        largest = max(largest, float(difference.max()))
        apart += float(np.square(difference).sum())
        length += float(np.square(left[np.isfinite(left)]).sum())
    return largest, math.sqrt(apart / length) if length else (math.inf if apart else 0.0)
