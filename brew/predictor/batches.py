"""Rows put together into batches of one shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brew.errors import UsageError
from brew.layer import Shape

from .inputs import Array, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Items of one shape that run together: for each input the arrays whose items follow one another."""

    parts: dict[str, list[Array]]
    names: list[str]

    @property
    def shape(self) -> Shape:
        """The first input's shape."""
        arrays = next(iter(self.parts.values()))
        return (len(self.names), *arrays[0].shape[1:])

    def one_by_one(self) -> Iterator[Batch]:
        """Batches of one item each."""
        for i, name in enumerate(self.names):
            yield Batch({blob: [_item(arrays, i)] for blob, arrays in self.parts.items()}, [name])


def _item(arrays: list[Array], number: int) -> Array:
    for array in arrays:
        if number < len(array):
            return array[number : number + 1]
        number -= len(array)
    raise IndexError(number)


def batches(rows: Iterable[Rows], most: int) -> Iterator[Batch]:
    """Batches of up to `most` items, in order; one ends early where the next item has another shape. `rows` are taken
    when they are needed; their arrays are not copied."""
    waiting: list[Rows] = []
    count = 0
    for block in rows:
        if waiting and _shapes(waiting[0]) != _shapes(block):
            yield _joined(waiting)
            waiting, count = [], 0
        start = 0
        while block.count - start:
            taken = min(most - count, block.count - start)
            waiting.append(_part(block, start, start + taken))
            start, count = start + taken, count + taken
            if count == most:
                yield _joined(waiting)
                waiting, count = [], 0
    if waiting:
        yield _joined(waiting)


def _shapes(rows: Rows) -> dict[str, Shape]:
    return {name: array.shape[1:] for name, array in rows.values.items()}


def _part(rows: Rows, start: int, stop: int) -> Rows:
    if (start, stop) == (0, rows.count):
        return rows
    return Rows({name: array[start:stop] for name, array in rows.values.items()}, stop - start, rows.name)


def _joined(rows: list[Rows]) -> Batch:
    parts = {blob: [block.values[blob] for block in rows] for blob in rows[0].values}
    return Batch(parts, [block.name for block in rows for _ in range(block.count)])


def by_item(batch: Batch, values: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """The values of each item of a batch."""
    for i in range(len(batch.names)):
        yield {name: array[i] for name, array in values.items()}


def stacked(none: Mapping[str, Array], items: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The values of all items by blob, n x ...; those in `none`, without an item, where there are none.

    UsageError where a blob has several shapes.
    """
    found = dict(none)
    for name in none if items else ():
        arrays = [item[name] for item in items]
        if len({array.shape for array in arrays}) > 1:
            raise UsageError(f'"{name}" has another shape for each item', hint="give them one by one")
        found[name] = np.stack(arrays)
    return found
