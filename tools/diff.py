"""`brew diff`: the differences of two nets, solvers, weights files or solver states."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from brew.errors import BrewError, Place, UsageError
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo
from brew.tools.parts.table import render

if TYPE_CHECKING:
    from brew.prototxt.difference import Change
    from brew.reports.net_difference import LayerDifference, NetDifference, PlacedChange
    from brew.reports.weights_difference import BlobDifference, Progress

Outcome = tuple[bool, list[str], dict[str, Any]]  # equal, lines, facts


@click.command(name="diff", cls=Command)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=0.0, metavar="X",
    help="Weights: differences of numbers up to X count as none (0).",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Weights: list the equal blobs too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.pass_obj
def verb(settings: Settings, /, a: str, b: str, tolerance: float, everything: bool, as_json: bool) -> int:
    """Compare two nets, two solvers, two weights files or two solver states.

    Exit code 0: they mean the same; 1: they differ. Nets are compared layer by layer, after upgrades of old formats;
    a field that is not set equals its default. Shapes are those of the TEST phase with a batch of 1. Weights files may
    be of different formats; "relative" is the length of the difference as a vector, over that of A's blob.
    """
    kinds = [_kind(a), _kind(b)]
    if kinds[0] != kinds[1]:
        raise UsageError(f"{a} is {kinds[0]}, {b} is {kinds[1]}; two of one kind can be compared")
    compare: dict[str, Callable[[Progress], Outcome]] = {
        "a net": lambda progress: _nets(a, b),
        "a solver": lambda progress: _solvers(a, b),
        "a weights file": lambda progress: _weights(a, b, tolerance, everything, progress),
        "a solver state": lambda progress: _states(a, b, tolerance, everything, progress),
    }
    with bar(settings) as progress:
        equal, lines, facts = compare[kinds[0]](progress)
    if as_json:
        echo(json.dumps({"a": a, "b": b, "kind": kinds[0].removeprefix("a "), "equal": equal, **facts}))
    else:
        for line in lines:
            echo(line)
    return 0 if equal else 1


def _kind(path: str) -> str:
    """The kind of a file, by its contents; InputError for a kind that cannot be compared."""
    from brew.errors import InputError
    from brew.files.weights.reading import format_of
    from brew.files.weights.recognising import NET, SOLVER, STATE, WEIGHTS, recognise
    from brew.proto.brew_pb2 import NetParameter
    from brew.prototxt.net_or_solver import read_prototxt

    known = recognise(path)
    if known is not None and known.noun in (STATE, WEIGHTS):
        return known.noun
    with suppress(BrewError):
        if (of := format_of(path)) is not None and of.holds(path):
            return WEIGHTS
    try:
        return NET if isinstance(read_prototxt(path).message, NetParameter) else SOLVER
    except InputError as error:
        if known is not None and known.noun not in (NET, SOLVER, "a text file"):
            error.message, error.hint = f"this is {known.noun}", "nets, solvers, weights and solver states are compared"
        raise


# --- nets and solvers -------------------------------------------------------------------------------------------------


def _nets(a: str, b: str) -> Outcome:
    from brew.graph.definition import define
    from brew.reports.net_difference import net_difference

    return _net_outcome(net_difference(define(a), define(b)), a, b)


def _solvers(a: str, b: str) -> Outcome:
    from brew import prototxt
    from brew.proto.brew_pb2 import SolverParameter
    from brew.reports.net_difference import solver_difference

    return _net_outcome(solver_difference(*(prototxt.read(path, SolverParameter) for path in (a, b))), a, b)


def _net_outcome(found: NetDifference, a: str, b: str) -> Outcome:
    lines = [] if found.equal else [f"--- {a}", f"+++ {b}"]
    lines += [_change(placed) for placed in found.fields]
    for layer in found.layers:
        lines += _layer_lines(layer)
    if found.shapes:
        lines.append("shapes of blobs, in TEST, for a batch of 1")
        lines += [f"  {name}: {_by(old)} -> {_by(new)}" for name, old, new in found.shapes]
    if found.shapes_unknown:
        lines.append(f"shapes are not compared: {found.shapes_unknown}")
    facts = {
        "fields": [_fact(placed) for placed in found.fields],
        "layers": [
            {
                "name": layer.name, "type": layer.type, "kind": layer.kind, "after": layer.after,
                "a": _line(layer.old), "b": _line(layer.new), "fields": [_fact(c) for c in layer.changes],
            }
            for layer in found.layers
        ],
        "shapes": {name: [list(old), list(new)] for name, old, new in found.shapes},
        "shapes_unknown": found.shapes_unknown,
    }  # fmt: skip
    return found.equal, lines, facts


def _layer_lines(layer: LayerDifference) -> list[str]:
    sign = {"added": "+", "removed": "-"}.get(layer.kind, "!")
    head = f"{sign} {layer.name} ({layer.type}){_where(layer.old, layer.new)}"
    moved = [f"  moved, now after {layer.after}" if layer.after else "  moved, now first"]
    return [head, *(moved if layer.after is not None else []), *("  " + _change(placed) for placed in layer.changes)]


def _change(placed: PlacedChange) -> str:
    change = placed.change
    where = _where(placed.old_place, placed.new_place)
    return f"{change.name}: {change.old or 'not set'} -> {change.new or 'not set'}{where}"


def _where(old: Place | None, new: Place | None) -> str:
    """`  (a.prototxt:12, b.prototxt:14)`, of the places that are known, by the files' own names."""
    places = [f"{Path(place.file).name}:{place.line}" for place in (old, new) if place and place.line]
    return f"  ({', '.join(places)})" if places else ""


def _fact(placed: PlacedChange) -> dict[str, Any]:
    change = placed.change
    return {
        "field": change.name, "old": change.old, "new": change.new,
        "a": _line(placed.old_place), "b": _line(placed.new_place),
    }  # fmt: skip


def _line(place: Place | None) -> int | None:
    return place.line or None if place else None


# --- weights and states -----------------------------------------------------------------------------------------------


def _weights(a: str, b: str, tolerance: float, everything: bool, progress: Progress) -> Outcome:
    from brew.reports.weights_difference import weights_difference

    return _blob_outcome((), weights_difference(a, b, progress), tolerance, everything)


def _states(a: str, b: str, tolerance: float, everything: bool, progress: Progress) -> Outcome:
    from brew.reports.weights_difference import state_difference

    return _blob_outcome(*state_difference(a, b, progress), tolerance, everything)


def _blob_outcome(
    numbers: Iterable[Change], blobs: Sequence[BlobDifference], tolerance: float, everything: bool
) -> Outcome:
    numbers = list(numbers)
    different = [blob for blob in blobs if not blob.equal(tolerance)]
    lines = [f"{change.name}: {change.old or 'not set'} -> {change.new or 'not set'}" for change in numbers]
    shown = blobs if everything else different
    if shown:
        rows = [_row(blob, tolerance) for blob in shown]
        lines += render(("layer", "blob", "shape", "largest", "relative", ""), rows, right=(1, 3, 4))
    close = " within the tolerance" if tolerance else ""
    lines.append(f"{len(blobs) - len(different)} of {len(blobs)} blobs are equal{close}")
    facts = {
        "fields": [{"field": change.name, "old": change.old, "new": change.new} for change in numbers],
        "tolerance": tolerance,
        "blobs": [
            {
                "layer": blob.layer, "blob": blob.index,
                "a": blob.old and list(blob.old), "b": blob.new and list(blob.new),
                "largest": _json(blob.largest), "relative": _json(blob.relative), "equal": blob.equal(tolerance),
            }
            for blob in blobs
        ],
    }  # fmt: skip
    return not different and not numbers, lines, facts


def _row(blob: BlobDifference, tolerance: float) -> tuple[str, ...]:
    if blob.old is None or blob.new is None:
        shape = _by(cast("tuple[int, ...]", blob.new if blob.old is None else blob.old))
        return blob.layer, str(blob.index), shape, "", "", "only in B" if blob.old is None else "only in A"
    if blob.largest is None or blob.relative is None:
        return blob.layer, str(blob.index), f"{_by(blob.old)} -> {_by(blob.new)}", "", "", "shapes differ"
    verdict = "equal" if blob.equal(tolerance) else "differs"
    return blob.layer, str(blob.index), _by(blob.old), f"{blob.largest:.3g}", f"{blob.relative:.3g}", verdict


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _json(value: float | None) -> float | str | None:
    """JSON has no infinity."""
    return "inf" if value == float("inf") else value
