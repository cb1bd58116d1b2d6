"""Weighted sums of arrays that lie alike, by oneDNN."""

from __future__ import annotations

from collections.abc import Sequence

from brew import onednn
from brew.layer import Array
from brew.onednn import Call, Description, Operation


def weighted_sum(arrays: Sequence[Array], factors: Sequence[float], out: Array) -> Call:
    """A call that writes the sum of factor * array to `out`, which may be the first of them."""
    row = Description((out.size,), "a")
    operation = Operation.sum(row, factors, [row] * len(arrays))
    sources = {onednn.MULTIPLE_SRC + i: (row, array) for i, array in enumerate(arrays)}
    return operation.bind({**sources, onednn.DST: (row, out)})


def copy(source: Array, target: Array) -> Call:
    """A call that copies an array as it lies."""
    row = Description((source.size,), "a")
    return Operation.reorder(row, row).bind({onednn.SRC: (row, source), onednn.DST: (row, target)})
