"""A long graph folded into columns, as text is into lines, so that it fits a page.

It is folded between rows that few links pass. Of what passes a fold the lowest node's links go on at the head of the
next column; for any other, a small card there names the blob.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .cards import Card, Link, Part
from .rows import FLOOR, GAP, PASSING, Point, ranks_of

GUTTER = 60.0  # between columns
_SHORTEST = 450.0  # of columns
_MOST = 12  # columns


@dataclass(slots=True)
class Column:
    """Cards from one fold to the next. `entry` and `exit` are the numbers of cards without parts, where a link comes
    from the column before and goes to the next.
    """

    cards: list[Card] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    entry: int | None = None
    exit: int | None = None

    def ranks(self) -> list[int]:
        """The row of each card; the exit is in the last."""
        ranks = ranks_of(len(self.cards), [(link.source, link.target) for link in self.links])
        if self.exit is not None:
            ranks[self.exit] = max(ranks)
        return ranks

    def add(self, card: Card) -> int:
        self.cards.append(card)
        return len(self.cards) - 1


def fold(
    cards: Sequence[Card],
    links: Sequence[Link],
    sizes: Sequence[Point],
    page: float,
    together: Sequence[Sequence[int]] = (),
) -> list[Column]:
    """The columns of a graph whose cards have these sizes (across, along), for a page of that breadth by length.

    Numbers of cards that stand `together` stay in one column.
    """
    ranks = ranks_of(len(cards), [(link.source, link.target) for link in links])
    lengths = [0.0] * (max(ranks, default=-1) + 1)
    for (_, along), rank in zip(sizes, ranks, strict=True):
        lengths[rank] = max(lengths[rank], along)
    along = sum(lengths) + FLOOR * len(lengths)
    passing = _passing(links, ranks, len(lengths))
    rows = [[ranks[card] for card in block] for block in together]
    closed = {rank for block in rows for rank in range(min(block), max(block))}
    breadth_of = {id(card): across for card, (across, _) in zip(cards, sizes, strict=True)}
    best, nearest = [Column(list(cards), list(links))], math.inf
    for count in range(1, _MOST + 1):
        if count > 1 and along / count < _SHORTEST:
            break
        columns = _columns(cards, links, ranks, _folds(lengths, passing, count, closed))
        breadth = sum(_breadth(column, breadth_of) + GUTTER for column in columns)
        if (far := abs(math.log(breadth / max(along / count, 1) / page))) < nearest:
            best, nearest = columns, far
    return best


def _breadth(column: Column, breadth_of: dict[int, float]) -> float:
    """How broad a column nearly is: its broadest row."""
    ranks = column.ranks()
    rows = [0.0] * (max(ranks, default=0) + 1)
    for card, rank in zip(column.cards, ranks, strict=True):
        rows[rank] += breadth_of.get(id(card), 0) + GAP
    for link in column.links:
        for rank in range(ranks[link.source] + 1, ranks[link.target]):
            rows[rank] += PASSING + GAP / 2
    return max(rows)


def _passing(links: Sequence[Link], ranks: Sequence[int], count: int) -> list[set[int]]:
    """Below each row, the cards whose links pass on."""
    passing: list[set[int]] = [set() for _ in range(count)]
    for link in links:
        for rank in range(ranks[link.source], ranks[link.target]):
            passing[rank].add(link.source)
    return passing


def _folds(lengths: Sequence[float], passing: Sequence[set[int]], count: int, closed: set[int]) -> list[int]:
    """The last rows of all columns but the last: near equal lengths, where the fewest links pass; none is `closed`."""
    ends, along = [], 0.0
    for length in lengths:
        along += length + FLOOR
        ends.append(along)
    folds: list[int] = []
    for number in range(1, count):
        wanted, reach = along * number / count, along / count * 0.3
        after = folds[-1] if folds else -1
        open_rows = (r for r in range(after + 1, len(lengths) - 1) if r not in closed)
        near = [r for r in open_rows if abs(ends[r] - wanted) <= reach]
        if near:
            folds.append(min(near, key=lambda r: (len(passing[r]), abs(ends[r] - wanted))))
    return folds


def _columns(cards: Sequence[Card], links: Sequence[Link], ranks: Sequence[int], folds: Sequence[int]) -> list[Column]:
    columns = [Column() for _ in range(len(folds) + 1)]
    column_of = [sum(rank > last for last in folds) for rank in ranks]
    arriving: list[list[Link]] = [[] for _ in columns]
    for link in links:
        if column_of[link.source] != column_of[link.target]:
            arriving[column_of[link.target]].append(link)
    heads: list[dict[Link, int]] = []  # of each column: by a link that arrives, the card it begins at
    for number, column in enumerate(columns):
        heads.append(_head(column, number, cards, arriving[number], ranks, column_of))
    own: dict[int, int] = {}
    for card, number in enumerate(column_of):
        own[card] = columns[number].add(cards[card])
    for link in links:
        number = column_of[link.target]
        inside = column_of[link.source] == number
        source = own[link.source] if inside else heads[number][link]
        if (made := Link(source, own[link.target], link.label if inside else "")) not in columns[number].links:
            columns[number].links.append(made)
    for number, column in enumerate(columns[1:], 1):
        if column.entry is not None:
            source = next(link.source for link, head in heads[number].items() if head == column.entry)
            before = columns[number - 1]
            before.exit = before.add(Card())
            before.links.append(Link(own[source], before.exit))
    return columns


def _head(
    column: Column, number: int, cards: Sequence[Card], arriving: Sequence[Link], ranks: Sequence[int],
    column_of: Sequence[int],
) -> dict[Link, int]:  # fmt: skip
    """Put what arrives at the head of a column: an entry for the lowest card of the column before, and small cards, one
    for each name and each row of readers.
    """
    near = [link.source for link in arriving if column_of[link.source] == number - 1]
    trunk = max(near, key=lambda card: ranks[card], default=None)
    heads: dict[Link, int] = {}
    named: dict[tuple[str, int], int] = {}
    for link in arriving:
        if link.source == trunk:
            column.entry = column.add(Card()) if column.entry is None else column.entry
            heads[link] = column.entry
            continue
        name = link.label or cards[link.source].parts[0].title
        key = name, ranks[link.target]
        if key not in named:
            named[key] = column.add(Card([Part(name, "", "name")], small=True))
        heads[link] = named[key]
    return heads
