"""Any number of items through a net of one batch size, and what callers give it written into its blobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError
from brew.layer import shape_text
from brew.memory.blob import Blob

Views: TypeAlias = dict[str, npt.NDArray[Any]]


class Runnable(Protocol):
    """What is needed of a net here (`Net`)."""

    @property
    def blobs(self) -> Mapping[str, Blob]: ...
    @property
    def inputs(self) -> list[str]: ...
    @property
    def outputs(self) -> list[str]: ...
    def forward(self, blobs: Iterable[str] | None = None, **inputs: Any) -> Views: ...
    def backward(self, diffs: Iterable[str] | None = None, **tops: Any) -> Views: ...


def write(blob: Blob, which: str, values: npt.ArrayLike, complaint: str) -> None:
    """Fill the "data" or "diff" of a blob; UsageError, with pycaffe's `complaint` for a batch of another size.

    Values of another shape are taken where they are as many, or where NumPy would repeat them.
    """
    array = np.asarray(values)
    if array.shape == blob.shape:
        getattr(blob, which)[...] = array
        return
    if array.ndim and blob.shape and array.shape[0] != blob.shape[0]:
        raise UsageError(f'{complaint}: "{blob.name}" has {blob.shape[0]} items, {array.shape[0]} were given')
    try:
        getattr(blob, which)[...] = array.reshape(blob.shape) if array.size == blob.count else array
    except ValueError:
        shapes = f"{shape_text(array.shape)}, the blob {shape_text(blob.shape)}"
        raise UsageError(f'{which} for "{blob.name}" is {shapes}') from None


def forward_all(net: Runnable, blobs: list[str], inputs: Mapping[str, Any]) -> Views:
    """Copies of the outputs and `blobs` for all items of `inputs`."""
    found: dict[str, list[npt.NDArray[Any]]] = {}
    for batch in _batches(net, inputs):
        _collect(found, net.forward(blobs, **batch))
    return _joined(found, _items(inputs))


def forward_backward_all(
    net: Runnable, blobs: list[str], diffs: list[str], values: Mapping[str, Any]
) -> tuple[Views, Views]:
    """Copies of the outputs and `blobs`, and of the gradients of the inputs and of `diffs`."""
    found: dict[str, list[npt.NDArray[Any]]] = {}
    gradients: dict[str, list[npt.NDArray[Any]]] = {}
    forward = _batches(net, {name: values[name] for name in net.inputs if name in values})
    backward = _batches(net, {name: values[name] for name in net.outputs if name in values})
    for inputs, tops in zip_longest(forward, backward):
        _collect(found, net.forward(blobs, **(inputs or {})))
        _collect(gradients, net.backward(diffs, **(tops or {})))
    return _joined(found, _items(values)), _joined(gradients, _items(values))


def _items(values: Mapping[str, Any]) -> int:
    """How many items there are; UsageError where there are none, or blobs differ in it."""
    counts = {name: len(items) for name, items in values.items()}
    if len(set(counts.values())) != 1 or not all(counts.values()):
        raise UsageError(f"as many items are needed for every blob, and at least one; given: {counts or 'none'}")
    return next(iter(counts.values()))


def _batches(net: Runnable, values: Mapping[str, Any]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """`values` in batches of the net's size, the last filled up with zeros."""
    if not values:
        return
    total, size = _items(values), next(iter(net.blobs.values())).shape[0]
    for start in range(0, total, size):
        batch = {name: np.asarray(items[start : start + size]) for name, items in values.items()}
        missing = max(start + size - total, 0)
        yield {
            name: np.concatenate([items, np.zeros((missing, *items.shape[1:]), items.dtype)]) if missing else items
            for name, items in batch.items()
        }


def _collect(found: dict[str, list[npt.NDArray[Any]]], views: Views) -> None:
    for name, view in views.items():
        found.setdefault(name, []).append(np.atleast_1d(view).copy())


def _joined(found: Mapping[str, list[npt.NDArray[Any]]], items: int) -> Views:
    return {name: np.concatenate(pieces)[:items] for name, pieces in found.items()}
