"""`brew show`: a net as a table: shapes, parameters, multiply-adds, memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from brew.tools.parts.command import Choice, Command
from brew.tools.parts.net_options import engine_option, fuse_option, names, parse_shapes, shape_option, state_options
from brew.tools.parts.output import echo
from brew.tools.parts.table import quantity, render, size

if TYPE_CHECKING:
    from brew.reports.plan_lines import PlanLine
    from brew.reports.summary import LayerSummary, Summary

_PURPOSES = (
    ("activations", "data"),
    ("their gradients", "gradients"),
    ("parameters", "params"),
    ("their gradients", "param_gradients"),
    ("solver history", "history"),
    ("workspace", "workspace"),
    ("used in turns", "arena"),
    ("total", "total"),
)


@click.command(name="show", cls=Command)
@click.argument("file", metavar="FILE")
@click.option("--phase", type=Choice(("TRAIN", "TEST")), default="TRAIN", help="The net's phase (TRAIN).")
@state_options
@shape_option("Shape of a data layer's blob, in place of the data's own.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="First axis of every input.")
@click.option("--all", "everything", is_flag=True, help="Show the Split layers that Caffe's rules put in, too.")
@click.option("--plan", is_flag=True, help="Show how the layers run: together, in which layout, what is converted.")
@click.option("--recompute", is_flag=True, help="Training as with brew train --recompute.")
@engine_option
@fuse_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def verb(
    file: str,
    phase: str,
    level: int | None,
    stage: str,
    shapes: tuple[str, ...],
    batch: int | None,
    everything: bool,
    plan: bool,
    recompute: bool,
    as_json: bool,
) -> None:
    """Show a net's layers with output shapes, parameters, multiply-adds and memory.

    FILE is a net or a solver; of a solver, its train net is shown, or with --phase TEST its first test net. Nothing is
    allocated, and the data need not be there: then the file's crop_size gives the shape, and a line says what was
    assumed. Multiply-adds are those of convolutions, fully connected and recurrent layers, in one forward pass of the
    batch; those of all other layers are few and are not counted.
    """
    given = parse_shapes(shapes)
    from brew.layer import TEST, TRAIN
    from brew.reports.summary import facts, planned, summarise
    from brew.solver.net_file import read_net

    number = TRAIN if phase == "TRAIN" else TEST
    net = read_net(file, number)
    asked = {
        "states": net.states, "level": level, "stages": names(stage), "shapes": given, "batch": batch,
        "recompute": recompute or net.recompute,
    }  # fmt: skip
    if plan:
        lines = planned(net.definition, number, **asked)  # type: ignore[arg-type]
        for text in [json.dumps([asdict(line) for line in lines])] if as_json else plan_table(lines):
            echo(text)
        return
    summary = summarise(net.definition, number, history_slots=net.history_slots, **asked)  # type: ignore[arg-type]
    if as_json:
        echo(json.dumps(facts(summary)))
        return
    for line in (*heading(summary), "", *table(summary, everything=everything), "", *totals(summary)):
        echo(line)


def heading(summary: Summary) -> list[str]:
    """The net's name, phase and batch, and what was assumed."""
    phase = "TEST" if summary.phase else "TRAIN"
    name = f"{summary.name}, " if summary.name else ""
    return [f"{name}{phase}, batch of {summary.batch}", *(f"assumed: {text}" for text in summary.assumed)]


def plan_table(lines: Sequence[PlanLine]) -> list[str]:
    """A line for each layer; those that run with the one above it are marked, conversions stand behind."""
    rows = []
    for line in lines:
        follows = bool(line.together) and line.together != line.name
        notes = [_ways(line.ways)] if line.ways else []
        notes += [f"writes into {line.writes_into}"] if line.writes_into else []
        notes += [f"converts {text}" for text in line.conversions]
        notes += ["runs again for backward"] if line.again else []
        notes += [f"not in place: {line.apart}"] if line.apart else []
        rows.append((line.name, line.type, "+" if follows else line.engine, line.layout, "; ".join(notes)))
    return [line.rstrip() for line in render(("layer", "type", "runs", "tops lie", "and"), rows)]


def _ways(ways: Mapping[str, str]) -> str:
    """How the passes are computed: in one word where all are computed alike."""
    alike = len(set(ways.values())) == 1
    return next(iter(ways.values())) if alike else ", ".join(f"{what} {way}" for what, way in ways.items())


def table(summary: Summary, *, everything: bool) -> list[str]:
    """A line for each layer and for each further top."""
    rows: list[tuple[str, ...]] = []
    for layer in summary.layers:
        if everything or not layer.split:
            rows += _rows(layer)
    memory = sum(layer.memory for layer in summary.layers)
    rows.append(("total", "", "", f"{summary.parameters:,}", quantity(summary.multiply_adds), size(memory)))
    return render(("layer", "type", "output", "parameters", "mult-adds", "memory"), rows, right=(3, 4, 5))


def _rows(layer: LayerSummary) -> list[tuple[str, ...]]:
    outputs = ["x".join(map(str, shape)) or "scalar" for _, shape in layer.tops] or [""]
    parameters = f"{layer.parameters:,}" if layer.parameters else ""
    shared = "shared" if layer.parameter_shapes and not layer.parameters else parameters
    adds = quantity(layer.multiply_adds) if layer.multiply_adds else ""
    first = (layer.name, layer.type, outputs[0], shared, adds, size(layer.memory) if layer.memory else "")
    return [first, *(("", "", output, "", "", "") for output in outputs[1:])]


def totals(summary: Summary) -> list[str]:
    """Parameters, multiply-adds of an item, and the memory by purpose."""
    learned = "all" if summary.learned == summary.parameters else f"{summary.learned:,}"
    each = quantity(summary.multiply_adds / summary.batch) if summary.batch else "0"
    lines = [
        f"parameters: {summary.parameters:,}, {learned} learned",
        f"multiply-adds: {each} for one item of the batch",
        "",
    ]
    reports = [report for report in (summary.inference, summary.training) if report is not None]
    rows = [
        (purpose, *(size(getattr(report, field)) if getattr(report, field) else "" for report in reports))
        for purpose, field in _PURPOSES
        if any(getattr(report, field) for report in reports)
    ]
    return lines + render(("memory", "inference", "training")[: 1 + len(reports)], rows, right=(1, 2))
