"""Nodes of a graph placed in rows: each below all that it reads, with few crossings and straight links.

A row is across, the links lead along; which of the two is x is the caller's. Links that pass a row take a place in it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]  # across, along

GAP = 22.0  # between nodes of a row
FLOOR = 40.0  # between rows
PASSING = 14.0  # the breadth of a link that passes a row
_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Rows:
    """Where each node's middle is, and the points of each link: first and last on edges of nodes, two for each row that
    it passes. Everything ends at (`breadth`, `length`).
    """

    middles: list[Point]
    routes: list[list[Point]]
    breadth: float
    length: float

    def moved(self, across: float, along: float) -> Rows:
        """The same, away from (0, 0)."""
        routes = [[(a + across, b + along) for a, b in route] for route in self.routes]
        middles = [(a + across, b + along) for a, b in self.middles]
        return Rows(middles, routes, self.breadth + across, self.length + along)


def ranks_of(count: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """The row of each node: below all that it reads, and what reads nothing right above its first reader.

    Every link leads from a lower number to a higher one.
    """
    ranks = [0] * count
    readers: list[list[int]] = [[] for _ in ranks]
    for source, target in sorted(links, key=lambda link: link[1]):
        ranks[target] = max(ranks[target], ranks[source] + 1)
        readers[source].append(target)
    first = set(range(count)).difference(target for _, target in links)
    for node in first:
        ranks[node] = min((ranks[reader] for reader in readers[node]), default=1) - 1
    return ranks


def place(sizes: Sequence[Point], links: Sequence[tuple[int, int]], ranks: Sequence[int]) -> Rows:
    """Nodes of these sizes (across, along) and their links, where the ranks are those of `ranks_of`."""
    return _Placing(sizes, links, ranks).result()


class _Placing:
    """Nodes and, after them, a passing place for each row that a link passes."""

    def __init__(self, sizes: Sequence[Point], links: Sequence[tuple[int, int]], ranks: Sequence[int]) -> None:
        self.sizes, self.links = sizes, links
        self.ranks = list(ranks)
        self.chains = [self._chain(source, target) for source, target in links]
        self.breadths = [across for across, _ in sizes] + [PASSING] * (len(self.ranks) - len(sizes))
        self.above: list[list[int]] = [[] for _ in self.ranks]
        self.below: list[list[int]] = [[] for _ in self.ranks]
        for chain in self.chains:
            for upper, lower in pairwise(chain):
                self.below[upper].append(lower)
                self.above[lower].append(upper)
        self.rows: list[list[int]] = [[] for _ in range(max(self.ranks, default=-1) + 1)]
        for node, rank in enumerate(self.ranks):
            self.rows[rank].append(node)

    def _chain(self, source: int, target: int) -> list[int]:
        passed = range(self.ranks[source] + 1, self.ranks[target])
        first = len(self.ranks)
        self.ranks += passed
        return [source, *range(first, first + len(passed)), target]

    def result(self) -> Rows:
        self._order()
        across = self._across()
        starts, ends, along = [], [], 0.0
        for row in self.rows:
            starts.append(along)
            along += max((self.sizes[n][1] for n in row if n < len(self.sizes)), default=0)
            ends.append(along)
            along += FLOOR
        middles = [(across[n], (starts[r] + ends[r]) / 2) for n, r in enumerate(self.ranks[: len(self.sizes)])]
        ports = self._ports(across)
        routes = []
        for link, chain in enumerate(self.chains):
            (leaves, enters), passing = ports[link], chain[1:-1]
            points = [(leaves, middles[chain[0]][1] + self.sizes[chain[0]][1] / 2)]
            for node in passing:
                points += [(across[node], starts[self.ranks[node]]), (across[node], ends[self.ranks[node]])]
            routes.append([*points, (enters, middles[chain[-1]][1] - self.sizes[chain[-1]][1] / 2)])
        breadth = max((a + b / 2 for a, b in zip(across, self.breadths, strict=True)), default=0)
        return Rows(middles, routes, breadth, max(along - FLOOR, 0))

    # --- the order in each row ------------------------------------------------------------------------------------

    def _order(self) -> None:
        """Sort each row by the middle of its neighbours above and below in turn; keep the order of fewest crossings."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            ordered = self.rows if down else self.rows[::-1]
            for before, row in pairwise(ordered):
                places, here = ({n: i for i, n in enumerate(nodes)} for nodes in (before, row))
                middles = {n: self._middle([places[m] for m in neighbours[n]], here[n]) for n in row}
                row.sort(key=middles.__getitem__)
            if (crossings := self._crossings()) < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
            if not fewest:
                break
        self.rows = best

    @staticmethod
    def _middle(places: list[int], own: int) -> float:
        return sum(places) / len(places) if places else own

    def _crossings(self) -> int:
        count = 0
        for upper, lower in pairwise(self.rows):
            places = {n: i for i, n in enumerate(lower)}
            seen: list[int] = []
            for node in upper:
                ends = sorted(places[m] for m in self.below[node])
                count += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return count

    # --- the places across ----------------------------------------------------------------------------------------

    def _across(self) -> list[float]:
        """Each node towards the middle of its neighbours, as far as the others of its row let it."""
        across = [0.0] * len(self.ranks)
        for row in self.rows:
            self._settle(row, {n: 0.0 for n in row}, across)
        for sweep in range(2 * _SWEEPS):
            down = sweep % 2 == 0
            for row in self.rows if down else self.rows[::-1]:
                wanted = {}
                for n in row:
                    near = (self.above if down else self.below)[n] or (self.below if down else self.above)[n]
                    wanted[n] = sum(across[m] for m in near) / len(near) if near else across[n]
                self._settle(row, wanted, across)
        left = min((a - b / 2 for a, b in zip(across, self.breadths, strict=True)), default=0)
        return [a - left for a in across]

    def _settle(self, row: Sequence[int], wanted: dict[int, float], across: list[float]) -> None:
        """The places nearest to those wanted, in the row's order and apart: neighbours that collide move as one."""
        blocks: list[_Block] = []
        for node in row:
            weight = 1.0 if node < len(self.sizes) else 4.0
            block = _Block(weight * wanted[node], weight, [(node, 0.0)])
            while blocks:
                before, first = blocks[-1], block.members[0][0]
                last, at = before.members[-1]
                apart = at + (self.breadths[last] + self.breadths[first]) / 2 + self._gap(last, first)
                if before.place + apart <= block.place:
                    break
                block = blocks.pop().joined(block, apart)
            blocks.append(block)
        for block in blocks:
            for node, offset in block.members:
                across[node] = block.place + offset

    def _gap(self, left: int, right: int) -> float:
        return GAP if left < len(self.sizes) and right < len(self.sizes) else GAP / 2

    def _ports(self, across: list[float]) -> list[tuple[float, float]]:
        """Where each link leaves its source and enters its target: side by side, in the order of their other ends."""
        found = [[0.0, 0.0] for _ in self.chains]
        for end in (0, 1):
            groups: dict[int, list[int]] = {}
            for link, chain in enumerate(self.chains):
                groups.setdefault(chain[-end], []).append(link)
            for node, links in groups.items():
                links.sort(key=lambda link: across[self.chains[link][-2 if end else 1]])
                step = min(14.0, self.breadths[node] / (len(links) + 1))
                for place, link in enumerate(links):
                    found[link][end] = across[node] + (place - (len(links) - 1) / 2) * step
        return [(leaves, enters) for leaves, enters in found]


@dataclass(frozen=True, slots=True)
class _Block:
    """Nodes side by side that move as one: the sum of the places they want the first one at, by weight, and the nodes
    with their distances from the first.
    """

    total: float
    weight: float
    members: list[tuple[int, float]]

    @property
    def place(self) -> float:
        """Where its first node is."""
        return self.total / self.weight

    def joined(self, other: _Block, apart: float) -> _Block:
        """With `other`, whose first node is then `apart` from the own first one."""
        members = [*self.members, *((node, offset + apart) for node, offset in other.members)]
        return _Block(self.total + other.total - other.weight * apart, self.weight + other.weight, members)
