"""Records that are there twice, in one source or in several: of the same values, or nearly the same to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brew.datasets import likeness

from .check import Report
from .facts import DIGEST, Compared


@dataclass(frozen=True, slots=True)
class Twin:
    """A record: the number of its source, its name and its class."""

    source: int
    name: str
    label: int | None


@dataclass(slots=True)
class Repeats:
    """Pairs of a kind: how many there are, how many across sources, and with different classes; the first of them.

    Those across sources and with different classes come first.
    """

    count: int = 0
    across: int = 0
    unlike: int = 0
    pairs: list[tuple[Twin, Twin]] = field(default_factory=list)


def repeats(reports: Sequence[Report], listed: int) -> tuple[Repeats, Repeats]:
    """(of the same values, nearly the same) among the records of all sources; at most `listed` pairs are kept of each.

    Of several that are alike, each is paired with the first one.
    """
    compared = [report.facts.compared for report in reports]
    starts = np.cumsum([0, *(len(some.ends) for some in compared)])
    digests = np.frombuffer(b"".join(bytes(some.digests) for some in compared), f"V{DIGEST}")
    if not len(digests):
        return Repeats(), Repeats()
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    originals = first[inverse]
    others = np.flatnonzero(originals != np.arange(len(digests)))
    exact = np.stack([originals[others], others], axis=1)
    twins = _Twins(compared, starts)
    return twins.told(exact, listed), twins.told(_near(compared, starts, originals), listed)


def _near(
    compared: Sequence[Compared], starts: npt.NDArray[np.intp], originals: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:  # fmt: skip
    """Pairs of records that are nearly the same to look at: every one with the first of its group."""
    tables = [some.table() for some in compared]
    numbers = np.concatenate(
        [np.array(some.signed, np.intp) + start for some, start in zip(compared, starts, strict=False)]
    )
    unique = originals[numbers] == numbers
    numbers, table = numbers[unique], np.concatenate(tables)[unique]
    if len(numbers) < 2:
        return np.empty((0, 2), np.intp)
    groups = _firsts(likeness.pairs(table))
    pairs = [(numbers[one], numbers[other]) for other, one in sorted(groups.items()) if one != other]
    return np.array(pairs, np.intp).reshape(-1, 2)


def _firsts(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """By member of a group, the first of the group; a chain of pairs joins it."""
    first: dict[int, int] = {}

    def root(number: int) -> int:
        while first.setdefault(number, number) != number:
            first[number] = first[first[number]]
            number = first[number]
        return number

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        first[high] = low
    return {number: root(number) for number in first}


@dataclass(frozen=True, slots=True)
class _Twins:
    compared: Sequence[Compared]
    starts: npt.NDArray[np.intp]

    def told(self, pairs: npt.NDArray[np.intp], listed: int) -> Repeats:
        """Of pairs of numbers over all sources."""
        sources = np.searchsorted(self.starts, pairs, "right") - 1
        across = sources[:, 0] != sources[:, 1]
        labels = np.concatenate([np.array(some.labels, np.int64) for some in self.compared])
        unlike = labels[pairs[:, 0]] != labels[pairs[:, 1]]
        order = np.lexsort((np.arange(len(pairs)), ~across, ~unlike))[:listed]
        shown = [(self._twin(int(one)), self._twin(int(other))) for one, other in pairs[order]]
        return Repeats(len(pairs), int(across.sum()), int(unlike.sum()), shown)

    def _twin(self, number: int) -> Twin:
        source = int(np.searchsorted(self.starts, number, "right")) - 1
        inside = number - int(self.starts[source])
        return Twin(source, self.compared[source].name(inside), self.compared[source].label(inside))
