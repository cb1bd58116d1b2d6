"""The tops that count in a net's loss, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.graph.graph import Graph
from brew.memory.blob import Blob
from brew.memory.stamps import Stamps


class LossTerms:
    """Iterates over pairs of weight and blob, `blobs` being those of `graph` and `stamps` theirs."""

    def __init__(self, graph: Graph, blobs: Sequence[Blob], stamps: Stamps) -> None:
        self._stamps = stamps
        weighted = [
            (number, weight, top)
            for number, node in enumerate(graph.nodes)
            for weight, top in zip(node.loss_weights, node.tops, strict=True)
            if weight
        ]
        self._terms = [(weight, blobs[top]) for _, weight, top in weighted]
        self._makers = [number for number, _, _ in weighted]
        self._sums: list[tuple[float, Callable[[], float]]] = []
        self._found_at = -1  # the latest stamp then; -1 where they have to be found again

    def __iter__(self) -> Iterator[tuple[float, Blob]]:
        return iter(self._terms)

    def sum(self) -> float:
        """Sum of weight x sum of elements, as of the last forward (read back from the device)."""
        if self._found_at != self._stamps.latest:
            self._sums = [(weight, _sum(blob.data_memory.host(blob.shape))) for weight, blob in self._terms]
            copied = any(blob.data_memory.mirrored for _, blob in self._terms)
            self._found_at = -1 if copied else self._stamps.latest
        total = 0.0
        for weight, sum_ in self._sums:
            total += weight * sum_()
        return float(total)

    def sum_of(self, start: int, end: int) -> float:
        """The part of the sum that the layers `start` to `end` (inclusive) make."""
        if not any(start <= maker <= end for maker in self._makers):
            return 0.0
        return float(
            sum(
                weight * _sum(blob.data_memory.host(blob.shape))()
                for maker, (weight, blob) in zip(self._makers, self._terms, strict=True)
                if start <= maker <= end
            )
        )


def _sum(values: npt.NDArray[Any]) -> Callable[[], float]:
    """A function that sums `values` as they are when it is called."""
    return values.item if values.size == 1 else partial(values.sum, dtype=np.float64)
