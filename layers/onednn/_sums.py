"""Weighted sums of arrays that lie alike, by oneDNN."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from brew.cpu import onednn
from brew.cpu.onednn import Call, Description, Operation
from brew.cpu.onednn.after import After
from brew.layer import Array

_MOST_TERMS = 16  # more of them oneDNN adds up by its reference code, or not at all


def weighted_sum(arrays: Sequence[Array], factors: Sequence[float], out: Array) -> Callable[[], None]:
    """A call that writes the sum of factor * array to `out`, which may be the first of them."""
    flat = Description((out.size,), "a")
    calls, left = [], list(zip(arrays, factors, strict=True))
    while left:
        some, left = left[:_MOST_TERMS], left[_MOST_TERMS:]
        operation = Operation.sum(flat, [factor for _, factor in some], [flat] * len(some))
        sources = {onednn.MULTIPLE_SRC + i: (flat, array) for i, (array, _) in enumerate(some)}
        calls.append(operation.bind({**sources, onednn.DST: (flat, out)}))
        left = [(out, 1.0), *left] if left else []
    return calls[0] if len(calls) == 1 else _one_after_the_other(calls)


def _one_after_the_other(calls: Sequence[Call]) -> Callable[[], None]:
    def run() -> None:
        for call in calls:
            call()

    return run


def total(arrays: Sequence[Array], out: Array) -> Callable[[], None]:
    """A call that writes the sum of two arrays or more to `out`, which may be the first of them.

    As `weighted_sum` with factors of 1, to the last bit, and up to twice as fast: the sum primitive goes over `out`
    once for each of them.
    """
    if not 2 <= len(arrays) <= _MOST_TERMS:
        return weighted_sum(arrays, [1.0] * len(arrays), out)
    flat, after = Description((out.size,), "a"), After()
    further = {after.add(flat): (flat, array) for array in arrays[2:]}
    operation = Operation("binary", onednn.ADD, flat, flat, flat, attributes=after)
    first = {onednn.SRC: (flat, arrays[0]), onednn.SRC_1: (flat, arrays[1])}
    return operation.bind({**first, **further, onednn.DST: (flat, out)})


def copy(source: Array, target: Array) -> Call:
    """A call that copies an array as it lies."""
    flat = Description((source.size,), "a")
    return Operation.reorder(flat, flat).bind({onednn.SRC: (flat, source), onednn.DST: (flat, target)})
