"""Blocks of layers that follow one another unchanged, drawn once: the bottlenecks of a ResNet, a stack of layers.

A block is a number of cards in the layers' order. Its copy has the same cards, each with the same layers of the same
sizes, linked alike: to cards of its own and to those of the copy before it. Nothing else reads what copies make, but
for the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from .cards import Card, Link

_LONGEST = 150  # cards of a block
_LEAST = 3  # cards that a run of copies must save


@dataclass(frozen=True, slots=True)
class Repeat:
    """A block that stands for `count` copies: the numbers of its cards; `last` is what the last copy is called."""

    cards: tuple[int, ...]
    count: int
    last: str


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    length: int  # cards of a copy
    count: int

    @property
    def end(self) -> int:
        return self.start + self.length * self.count

    @property
    def saved(self) -> int:
        return self.length * (self.count - 1)


def folded(cards: Sequence[Card], links: Sequence[Link]) -> tuple[list[Card], list[Link], list[Repeat]]:
    """Cards and links without the copies, and the blocks that stand for them. Links still lead to later cards."""
    runs = _chosen(_runs(cards, links))
    stands_for = list(range(len(cards)))  # by a card of a copy, that of the first
    for run in runs:
        for number in range(run.start, run.end):
            stands_for[number] = run.start + (number - run.start) % run.length
    kept = [number for number, original in enumerate(stands_for) if number == original]
    place = {number: at for at, number in enumerate(kept)}
    made: dict[Link, None] = {}
    for link in links:
        if stands_for[link.target] == link.target:
            made[Link(place[stands_for[link.source]], place[link.target], link.label)] = None
    repeats = [
        Repeat(
            tuple(place[number] for number in range(run.start, run.start + run.length)),
            run.count,
            _called(cards[run.end - run.length : run.end]),
        )
        for run in runs
    ]
    return [cards[number] for number in kept], list(made), repeats


def _runs(cards: Sequence[Card], links: Sequence[Link]) -> list[_Run]:
    """All runs of copies, many of which overlap."""
    backs: list[list[int]] = [[] for _ in cards]  # how far back each card reads
    readers: list[list[int]] = [[] for _ in cards]
    for link in links:
        backs[link.target].append(link.target - link.source)
        readers[link.source].append(link.target)
    alike: dict[object, int] = {}
    kinds = []
    for card, back in zip(cards, backs, strict=True):
        key = tuple((part.detail, part.kind) for part in card.parts), tuple(sorted(back))
        kinds.append(alike.setdefault(key, len(alike)))
    found = []
    for length in range(1, min(len(cards) // 2, _LONGEST) + 1):
        first = None
        for number in range(length, len(cards) + 1):
            same = number < len(cards) and kinds[number] == kinds[number - length]
            if same and first is None:
                first = number - length
            elif not same and first is not None:
                if (run := _best(cards, first, number, length, backs, readers)) is not None:
                    found.append(run)
                first = None
    return found


def _best(
    cards: Sequence[Card], first: int, end: int, length: int, backs: Sequence[Sequence[int]],
    readers: Sequence[Sequence[int]],
) -> _Run | None:  # fmt: skip
    """Of the runs within a stretch that repeats itself, one that few links join to what is before it; of such ones the
    longest, or one whose cards are called alike."""
    best, key = None, (len(backs), 0, 0)
    for start in range(first, min(first + length, end - 2 * length + 1)):
        run = _Run(start, length, (end - start) // length)
        if run.saved < _LEAST or not _is_closed(run, backs, readers):
            continue
        joints = sum(any(reader >= start + length for reader in readers[n]) for n in range(start, start + length))
        own = joints, -run.count, -len(_common(cards[start : start + length]))
        if own < key:
            best, key = run, own
    return best


def _common(cards: Sequence[Card]) -> str:
    """The letters with which all titles begin."""
    titles = [card.parts[0].title for card in cards]
    pairs = zip(min(titles), max(titles), strict=False)
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _called(cards: Sequence[Card]) -> str:
    """What the titles of a block have in common, or where that is little its first one."""
    common = _common(cards).rstrip("_/-.: ")
    return common if len(common) > 2 else cards[0].parts[0].title


def _is_closed(run: _Run, backs: Sequence[Sequence[int]], readers: Sequence[Sequence[int]]) -> bool:
    """Whether copies read no further back than the copy before, and only the last one is read from behind the run."""
    reach = all(back <= place + run.length for place in range(run.length) for back in backs[run.start + place])
    inner = range(run.start, run.end - run.length)
    return reach and not any(reader >= run.end for number in inner for reader in readers[number])


def _chosen(runs: Sequence[_Run]) -> list[_Run]:
    """Runs that do not overlap, those that save most first; in the order of their cards."""
    taken: list[_Run] = []
    for run in sorted(runs, key=lambda run: (-run.saved, run.length, run.start)):
        if all(run.end <= other.start or run.start >= other.end for other in taken):
            taken.append(run)
    return sorted(taken, key=lambda run: run.start)
