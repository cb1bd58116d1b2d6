"""One pass of a batch through a net that the caller has for itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from brew import cuda
from brew.errors import UsageError
from brew.layer import shape_text
from brew.memory.blob import Blob
from brew.net.net import Net

from .batches import Batch
from .inputs import Array


def forward(net: Net, batch: Batch, names: Iterable[str]) -> dict[str, Array]:
    """Copies of the values of some blobs, n x ...; where one does not go by items, the items run one by one."""
    _feed(net, batch)
    net.run_forward()
    count = len(batch.names)
    found = {name: np.array(_values(net.blobs[name])) for name in names}
    if all(array.ndim and len(array) == count for array in found.values()):
        return found
    if count == 1:
        return {name: array[None] for name, array in found.items()}
    each = [forward(net, one, found) for one in batch.one_by_one()]
    return {name: _stack(name, [values[name][0] for values in each]) for name in found}


def _stack(name: str, arrays: list[Array]) -> Array:
    """Items of one blob; as objects where they have several shapes."""
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    stacked = np.empty(len(arrays), object)
    stacked[:] = arrays
    return stacked


def backward(net: Net, batch: Batch, of: Any, output: str, to: str) -> Array:
    """A copy of the gradient of each item's score with respect to blob `to`, n x ... (Model.gradient)."""
    _feed(net, batch)
    last, first = _maker(net, output), _maker(net, to)
    if first > last:
        raise UsageError(f'"{output}" does not depend on "{to}", which is made later')
    net.run_forward(end=last)
    blob, count = net.blobs[output], len(batch.names)
    values = np.array(_values(blob))
    if not values.ndim or len(values) != count or len(net.blobs[to].shape) < 1 or net.blobs[to].shape[0] != count:
        raise UsageError(f'"{output}" and "{to}" have no axis of {count} items: the gradient of an item is not known')
    seed = np.zeros_like(values)
    for i in range(count):
        at = _score(values[i], of, output)
        seed[i][at] = 1
    blob.diff[...] = seed
    if first < last:
        net.run_backward(start=last, end=first + 1)  # of `to` as it is read, where layers make it anew in place
    return np.array(net.blobs[to].diff)


def _maker(net: Net, blob: str) -> int:
    """The layer that makes its last values."""
    return max(i for i, layer in enumerate(net.layers) if blob in net.top_names[layer.name])


def _score(values: Array, of: Any, output: str) -> Any:
    """The index of the score in an item's values."""
    if of is None:
        return np.unravel_index(int(np.argmax(values)), values.shape)
    numbers = of if isinstance(of, tuple) else (of,)
    fits = len(numbers) <= values.ndim and all(
        isinstance(n, int | np.integer) and -size <= n < size for n, size in zip(numbers, values.shape, strict=False)
    )
    if not fits:
        raise UsageError(f'of is {of!r}; "{output}" has {shape_text(values.shape)} values for an item')
    return numbers


def _feed(net: Net, batch: Batch) -> None:
    """Give the inputs the batch's shapes and values."""
    for name, parts in batch.parts.items():
        blob = net.blobs[name]
        blob.reshape(len(batch.names), *parts[0].shape[1:])
        if blob.data_memory.device == "cuda":
            _upload(blob, parts)
            continue
        start, data = 0, blob.data
        for part in parts:
            data[start : start + len(part)] = part
            start += len(part)


def _upload(blob: Blob, parts: list[Array]) -> None:
    """Of parts on the host and on the GPU."""
    memory = blob.data_memory
    memory.move_out(blob.name)
    start, data = 0, memory.array(blob.shape)
    for part in parts:
        target = data[start : start + len(part)]
        if isinstance(part, np.ndarray):
            cuda.upload(target, part)
        else:
            target[...] = part
        start += len(part)


def _values(blob: Blob) -> Array:
    """On the host."""
    return blob.data_memory.host(blob.shape)
