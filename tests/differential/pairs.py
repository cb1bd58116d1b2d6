"""Neighbouring types: which can be neighbours, and a walk through all of them that takes every pair equally often."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import cache

from .builder import Builder, Misfit
from .rows import Row

Pair = tuple[str, str]
LENGTH = 18  # pairs in a net
_BEFORE = ("Power", "Sigmoid", "Reshape", "Flatten", "InnerProduct", "Reduction")


_SIGNED = (  # their tops may be negative, or zero
    "ArgMax", "BatchNorm", "Bias", "Clip", "Convolution", "Deconvolution", "Dropout", "ELU", "Eltwise", "Embed", "Im2col",
    "InnerProduct", "LRN", "LSTM", "LSTMUnit", "Log", "MVN", "PReLU", "Power", "Python", "RNN", "ReLU", "Reduction", "SPP",
    "Scale", "Swish", "TanH", "Threshold",
)  # fmt: skip


def possible(first: str, second: str) -> bool:
    """Whether any parameters make `second` legal on a top of `first`, and its numbers such as mean something."""
    if second == "Embed":  # reads integers
        return False
    if second == "Log":
        return first not in (*_SIGNED, "Softmax")
    if second == "MultinomialLogisticLoss":
        return first not in (*_SIGNED, "Pooling")
    if second in ("LRN", "Pooling", "SPP"):  # 4 axes
        return first not in ("LSTM", "LSTMUnit", "RNN", "Reduction") and (first, second) != ("SPP", "SPP")
    return second != "LSTMUnit" or first not in ("Filter", "LRN", "Pooling", "SPP")


def walk(b: Builder, number: int, length: int, rows: Mapping[str, Row], ends: Mapping[str, Row]) -> None:
    """Neighbours by the turn of `number`: each pair once, before any comes twice."""
    b.style = "pairs"
    b.case.styles.append("pairs")
    last: tuple[str, list[int]] = ("", [])
    for first, second in _turn(number, length, tuple(rows), tuple(ends)):
        tops = last[1] if last[0] == first else []
        last = (second, _pair(b, first, second, tops, {**rows, **ends}))


def _turn(number: int, length: int, rows: tuple[str, ...], ends: tuple[str, ...]) -> Iterator[Pair]:
    order = _order(rows, ends)
    for place in range(number * length, (number + 1) * length):
        yield order[place % len(order)]


@cache
def _order(rows: tuple[str, ...], ends: tuple[str, ...]) -> list[Pair]:
    """All pairs, so that one mostly begins with the type that the one before ends with."""
    rng = random.Random("pairs")
    left: dict[str, list[str]] = {}
    for first in rows:
        left[first] = [second for second in (*rows, *ends) if possible(first, second)]
        rng.shuffle(left[first])
    order: list[Pair] = []
    at = rows[0]
    while left:
        if at not in left:
            at = rng.choice(sorted(left))
        second = left[at].pop()
        if not left[at]:
            del left[at]
        order.append((at, second))
        at = second
    return order


def _pair(b: Builder, first: str, second: str, tops: list[int], rows: Mapping[str, Row]) -> list[int]:
    """`second` on a top of `first`: one of `tops`, where it takes one, or of a layer that is made for it."""
    for turn in range(50):
        able = [t for t in tops if rows[second].takes(b.value(t))]
        if able:
            try:
                return rows[second].build(b, able[0])
            except Misfit:
                pass
        try:
            tops = rows[first].build(b, _suitable(b, rows[first], second if turn > 1 else ""))
        except Misfit:
            tops = []
    return []


def _suitable(b: Builder, row: Row, second: str = "") -> int:
    """A value that a row takes: one of those there are, mostly, or a new one; such as may make one for `second`."""
    able = [n for n in b.smooth(loose=True)[-12:] if row.takes(b.value(n))]
    if able and not second and b.chance(0.88):
        return b.rng.choice(able)
    for _ in range(20):
        axes = b.pick(4, 4, 4, 2, 3, 5)
        shape = b.shape(axes)
        if axes == 3 and b.chance(0.7):
            shape = (1, shape[1], b.pick(4, 8, 12))
        if axes == 4 and b.chance(0.5):
            shape = (*shape[:2], b.pick(4, 5, 7), b.pick(4, 6, 8))
        if second in ("ContrastiveLoss", "HingeLoss", "MultinomialLogisticLoss") and b.chance(0.7):
            shape = (shape[0], b.pick(2, 3, 5), *([1, 1] if b.chance(0.7) else []))
        if second == "LSTMUnit" and b.chance(0.7):
            shape = (1, b.pick(2, 3), b.pick(4, 8), *([b.pick(2, 4)] if b.chance(0.75) else []))
        found = b.input(shape, low=b.pick(None, 0.1))
        if row.takes(b.value(found)):
            return found
        del b.case.values[found]
        b.case.ops.pop()
    raise Misfit("nothing suits it")
