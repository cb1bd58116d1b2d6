"""The plan of a net, layer by layer, for people: engines, fused groups, layouts, conversions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from brew.layer.layout import Layout
from brew.memory.blob import Blob
from brew.net.run.executor import Executor
from brew.net.run.step import Step


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One layer. `together` names the first layer of those it runs with, itself included; "" where it runs alone.

    `writes_into`: its top goes into the buffer of the fused group that follows. `conversions` are blobs that are
    copied to another layout on the way in or out, each with what it is converted from and to. `ways` says of a
    convolution which way each of its passes goes, by the rule. `again`: it runs forward once more before its backward
    (brew.memory.recompute). `apart` says why it does not run in place though the file says so (brew.graph.versions).
    """

    name: str
    type: str
    engine: str
    layout: str
    together: str
    writes_into: str
    conversions: tuple[str, ...]
    ways: Mapping[str, str]
    again: bool = False
    apart: str = ""


def plan_lines(executor: Executor) -> list[PlanLine]:
    """A line for each layer of a prepared net, in order."""
    grouped = {n: group for group in executor.fused.groups for n in range(group.first, group.last + 1)}
    producers = {group.producer: group for group in executor.fused.groups if group.producer is not None}
    lines = []
    for number, step in enumerate(executor.steps):
        group = grouped.get(number)
        head = executor.steps[group.first].layer.name if group is not None else ""
        shown: Step = step if group is None else group.step
        converts = group is None or number == group.first
        target = executor.steps[producers[number].first].layer.name if number in producers else ""
        lines.append(
            PlanLine(
                step.layer.name, step.layer.type, _engine(shown),
                ", ".join(dict.fromkeys(str(blob.data_memory.layout) for blob in step.tops)), head, target,
                tuple(_conversions(shown)) if converts else (), dict(shown.implementation.ways()) if converts else {},
                number in executor.memory.schedule.again, step.apart,
            )
        )  # fmt: skip
    return lines


def _engine(step: Step) -> str:
    return {"caffe": "NumPy", "onednn": "oneDNN"}[step.implementation.engine]


def _conversions(step: Step) -> Iterator[str]:
    yield from _differing(step.bottoms, step.layouts.x, into=True)
    yield from _differing(step.tops, step.layouts.y, into=False)


def _differing(blobs: Sequence[Blob], layouts: Sequence[Layout], *, into: bool) -> Iterator[str]:
    for blob, layout in zip(blobs, layouts, strict=True):
        home = blob.data_memory.layout
        if home != layout:
            pair = (home, layout) if into else (layout, home)
            yield f"{blob.name}: {pair[0]} to {pair[1]}"
