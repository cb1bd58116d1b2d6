"""A net in figures: shapes, parameters, multiply-adds and memory, layer by layer. Nothing is allocated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brew.graph import versions
from brew.graph.build import build
from brew.graph.data_shapes import data_shapes
from brew.graph.definition import NetDefinition, NetLike, SelectedNet, define, select
from brew.graph.graph import Graph, Node
from brew.graph.states import filter_layers, merged_state
from brew.layer import TRAIN, Context, Shape, count
from brew.net import memory_report, mode
from brew.net.engine import chosen
from brew.net.memory_report import MemoryReport
from brew.net.parameters import Parameters
from brew.net.run.assembly import assemble
from brew.net.run.blobs import make_blobs
from brew.net.run.executor import Executor
from brew.net.run.options import RunOptions
from brew.proto.brew_pb2 import NetState
from brew.prototxt.placed import PlacedLayer

from .plan_lines import PlanLine, plan_lines

_DTYPE = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One layer: `parameters` and `memory` (bytes of its tops and parameters) count what is its own, not shared.

    `multiply_adds` are those of one forward pass of the whole batch. `split` marks a Split that stands in no file.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[tuple[str, Shape], ...]
    parameter_shapes: tuple[Shape, ...]
    parameters: int
    multiply_adds: int
    memory: int
    split: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole net. `training` is None where no backward runs; `learned` counts the parameters that training changes."""

    name: str
    phase: int
    batch: int
    layers: tuple[LayerSummary, ...]
    learned: int
    inference: MemoryReport
    training: MemoryReport | None
    assumed: tuple[str, ...]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of a forward pass of the whole batch."""
        return sum(layer.multiply_adds for layer in self.layers)


def summarise(
    net: NetLike | NetDefinition,
    phase: int = TRAIN,
    *,
    states: Sequence[NetState] = (),
    level: int | None = None,
    stages: Iterable[str] = (),
    shapes: Mapping[str, Shape] | None = None,
    batch: int | None = None,
    history_slots: int = 1,
    recompute: bool = False,
) -> Summary:
    """The figures of `net` in `phase`, in float32 on the CPU.

    Data need not be there (graph.data_shapes). `shapes` are blobs' of data layers; `batch` replaces every first axis.
    `history_slots` are the arrays a solver keeps per parameter; with `recompute` training keeps less. Raises
    PrototxtError, NetError, DataError.
    """
    read = _read(net, phase, states, level, stages, shapes, batch)
    source, graph = read.source, read.graph
    options = _options(source, graph)
    types: dict[str, list[str]] = {}  # by name, in order: a data layer keeps its own
    for written_layer in read.written:
        types.setdefault(written_layer.param.name, []).append(written_layer.param.type)
    forward = graph.without_backward()
    trains = source.state.phase == TRAIN and any(node.backward for node in graph.nodes)
    return Summary(
        name=source.name,
        phase=source.state.phase,
        batch=next((s[0] for n in graph.nodes if not n.bottoms for s in n.top_shapes if s), 1),
        layers=tuple(_layer(graph, node, types.get(node.layer.name, [])) for node in graph.nodes),
        learned=sum(count(p.declared.shape) for i, p in enumerate(graph.params) if p.owner == i and p.wanted),
        inference=_predicted(forward, options, 0),
        training=_predicted(graph, options._replace(recompute=recompute), history_slots) if trains else None,
        assumed=read.assumed,
    )


def planned(
    net: NetLike | NetDefinition,
    phase: int = TRAIN,
    *,
    states: Sequence[NetState] = (),
    level: int | None = None,
    stages: Iterable[str] = (),
    shapes: Mapping[str, Shape] | None = None,
    batch: int | None = None,
    recompute: bool = False,
) -> list[PlanLine]:
    """How `net` would run on the CPU, a line for each layer; otherwise as `summarise`."""
    read = _read(net, phase, states, level, stages, shapes, batch)
    options = _options(read.source, read.graph)._replace(recompute=recompute)
    return plan_lines(_executor(read.graph, options))


@dataclass(frozen=True, slots=True)
class _Read:
    """A net whose data need not be there. `written` are its layers without the Splits of Caffe's rules."""

    source: SelectedNet
    graph: Graph
    written: Sequence[PlacedLayer]
    assumed: tuple[str, ...]


def _read(
    net: NetLike | NetDefinition, phase: int, states: Sequence[NetState], level: int | None, stages: Iterable[str],
    shapes: Mapping[str, Shape] | None, batch: int | None,
) -> _Read:  # fmt: skip
    definition = net if isinstance(net, NetDefinition) else define(net)
    stages = list(stages)
    state = merged_state(phase, definition.net.shell.state, *states, level=level, stages=stages)
    written = filter_layers(definition.net.layers, state)

    def context(source: PlacedLayer) -> Context:
        own = source.param.phase if source.param.HasField("phase") else state.phase
        return Context(own, _DTYPE, 0, source.place, definition.folder)

    known = data_shapes(written, context, shapes, batch)
    source = select(definition, phase, states=states, level=level, stages=stages, shapes=known.shapes)
    graph = build(source.layers, context, force_backward=source.force_backward)
    return _Read(source, graph, written, tuple(known.assumed))


def _layer(graph: Graph, node: Node, types: list[str]) -> LayerSummary:
    """`types` are those in the file of layers of this name from here on; none for a Split that Caffe's rules put in."""
    shapes = [graph.blobs[b].shape for b in node.bottoms]
    own = sum(count(graph.params[p].declared.shape) for p in node.params if graph.params[p].owner == p)
    made = sum(
        count(shape)
        for t, (blob, shape) in enumerate(zip(node.tops, node.top_shapes, strict=True))
        if blob not in node.bottoms and node.layer.view(t) is None
    )
    summary = LayerSummary(
        name=node.layer.name,
        type=types[0] if types else node.layer.param.type,
        bottoms=tuple(graph.blobs[b].name for b in node.bottoms),
        tops=tuple((graph.blobs[t].name, s) for t, s in zip(node.tops, node.top_shapes, strict=True)),
        parameter_shapes=tuple(graph.params[p].declared.shape for p in node.params),
        parameters=own,
        multiply_adds=node.layer.multiply_adds(shapes, node.top_shapes),
        memory=(made + own) * _DTYPE.itemsize,
        split=not types,
    )
    del types[:1]
    return summary


def _options(source: SelectedNet, graph: Graph) -> RunOptions:
    """How a command runs a net on the CPU: only its outputs can be read afterwards."""
    outputs = frozenset(graph.blobs[b].name for b in graph.outputs)
    engine = chosen(mode.default_engine(), source.engine)
    return RunOptions("cpu", engine, fuse=mode.default_fuse(), keep=outputs)


def _predicted(graph: Graph, options: RunOptions, history_slots: int) -> MemoryReport:
    return memory_report.predict(_executor(graph, options), graph, _DTYPE.itemsize, history_slots)


def _executor(graph: Graph, options: RunOptions) -> Executor:
    graph = versions.separate_tops(graph)
    parameters = Parameters(graph, _DTYPE, options.device)
    stamps = parameters.stamps
    blobs = make_blobs(graph, _DTYPE, options.device, stamps)
    return assemble(graph, blobs, parameters.slots, parameters.changes, stamps, options)


def facts(summary: Summary) -> dict[str, Any]:
    """The summary as JSON takes it; sizes in bytes."""

    def memory_facts(report: MemoryReport | None) -> dict[str, int] | None:
        if report is None:
            return None
        fields = ("data", "gradients", "params", "param_gradients", "history", "workspace", "arena", "total")
        return {name: getattr(report, name) for name in fields}

    return {
        "name": summary.name,
        "phase": "TRAIN" if summary.phase == TRAIN else "TEST",
        "batch": summary.batch,
        "parameters": summary.parameters,
        "learned": summary.learned,
        "multiply_adds": summary.multiply_adds,
        "inference_bytes": memory_facts(summary.inference),
        "training_bytes": memory_facts(summary.training),
        "assumed": list(summary.assumed),
        "layers": [
            {
                "name": layer.name, "type": layer.type, "bottoms": list(layer.bottoms),
                "tops": {name: list(shape) for name, shape in layer.tops},
                "parameter_shapes": [list(shape) for shape in layer.parameter_shapes],
                "parameters": layer.parameters, "multiply_adds": layer.multiply_adds, "bytes": layer.memory,
            }
            for layer in summary.layers
        ],
    }  # fmt: skip
