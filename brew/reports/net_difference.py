"""The differences of two nets, or two solvers: layer by layer, field by field, with the places in both files."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from brew.errors import BrewError, Place, in_brews_words
from brew.graph.definition import NetDefinition
from brew.layer import TEST, Shape
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.prototxt.difference import Change, changes
from brew.prototxt.placed import PlacedLayer
from brew.prototxt.upgrade import upgrade_solver

from .summary import summarise

_Pair = tuple[int, int]  # numbers of a layer in the two nets


@dataclass(frozen=True, slots=True)
class PlacedChange:
    """A change, and where the field (or the message around it) stands in either file."""

    change: Change
    old_place: Place | None
    new_place: Place | None


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """One layer. `old` or `new`, its place, is None where the net has no such layer; `after` is set where it moved."""

    name: str
    type: str
    kind: str  # "added", "removed", "changed"
    old: Place | None = None
    new: Place | None = None
    changes: tuple[PlacedChange, ...] = ()
    after: str | None = None


@dataclass(frozen=True, slots=True)
class NetDifference:
    """`shapes` are blobs of both nets whose shapes differ; `shapes_unknown` says why they were not compared."""

    fields: tuple[PlacedChange, ...]
    layers: tuple[LayerDifference, ...]
    shapes: tuple[tuple[str, Shape, Shape], ...] = ()
    shapes_unknown: str | None = None

    @property
    def equal(self) -> bool:
        return not (self.fields or self.layers or self.shapes)


def solver_difference(old: Document[SolverParameter], new: Document[SolverParameter]) -> NetDifference:
    """The fields of two solvers that differ, after upgrades; nets named by a path are compared by name."""
    found = changes(upgrade_solver(old.message, old)[0], upgrade_solver(new.message, new)[0])
    return NetDifference(tuple(_placed(found, old.place, new.place)), ())


def net_difference(old: NetDefinition, new: NetDefinition, phase: int = TEST) -> NetDifference:
    """The differences of two nets, upgraded, in all phases; shapes are those of `phase`, for a batch of 1.

    Layers are matched by name, those of one name by their rules, then in order.
    """
    before, after = old.net.layers, new.net.layers
    pairs = _matched(before, after)
    moved = _moved(pairs)
    layers = [
        LayerDifference(s.param.name, s.param.type, "removed", old=s.place())
        for n, s in enumerate(before) if n not in {a for a, _ in pairs}
    ]  # fmt: skip
    partner = {b: a for a, b in pairs}
    for number, source in enumerate(after):
        name, kind = source.param.name, source.param.type
        if number not in partner:
            layers.append(LayerDifference(name, kind, "added", new=source.place()))
            continue
        other = before[partner[number]]
        found = tuple(_placed(changes(other.param, source.param), other.place, source.place))
        behind = (after[number - 1].param.name if number else "") if (partner[number], number) in moved else None
        if found or behind is not None:
            layers.append(LayerDifference(name, kind, "changed", other.place(), source.place(), found, behind))
    shell = changes(old.net.shell, new.net.shell)
    fields = tuple(PlacedChange(change, None, None) for change in shell)
    shapes, unknown = _shapes(old, new, phase)
    return NetDifference(fields, tuple(layers), shapes, unknown)


def _placed(
    found: Iterator[Change], old: Callable[..., Place | None], new: Callable[..., Place | None]
) -> Iterator[PlacedChange]:
    return (PlacedChange(change, old(*change.path), new(*change.path)) for change in found)


def _matched(before: Sequence[PlacedLayer], after: Sequence[PlacedLayer]) -> list[_Pair]:
    """The layers that both nets have, in the second one's order."""
    left = list(range(len(before)))
    pairs: list[_Pair] = []
    for same_rules in (True, False):
        for b, source in enumerate(after):
            if any(b == taken for _, taken in pairs):
                continue
            for a in left:
                other = before[a]
                if other.param.name == source.param.name and (not same_rules or _rules(other) == _rules(source)):
                    pairs.append((a, b))
                    left.remove(a)
                    break
    return sorted(pairs, key=lambda pair: pair[1])


def _rules(source: PlacedLayer) -> list[bytes]:
    return [rule.SerializeToString(deterministic=True) for rule in (*source.param.include, *source.param.exclude)]


def _moved(pairs: Sequence[_Pair]) -> set[_Pair]:
    """The smallest set of pairs without which the others are in the same order in both nets."""
    ends: list[int] = []  # the least last element of a rising run of each length
    best: list[list[_Pair]] = []
    for pair in pairs:
        length = bisect_left(ends, pair[0])
        run = [*(best[length - 1] if length else ()), pair]
        ends[length : length + 1] = [pair[0]]
        best[length : length + 1] = [run]
    return set(pairs) - set(best[-1] if best else ())


def _shapes(
    old: NetDefinition, new: NetDefinition, phase: int
) -> tuple[tuple[tuple[str, Shape, Shape], ...], str | None]:
    tops: list[dict[str, Shape]] = []
    for definition in (old, new):
        try:
            with in_brews_words():
                summary = summarise(definition, phase, batch=1)
        except BrewError as error:
            return (), error.message
        tops.append({name: shape for layer in summary.layers if not layer.split for name, shape in layer.tops})
    first, second = tops
    return tuple((n, s, second[n]) for n, s in first.items() if n in second and second[n] != s), None
