"""How many classes a net tells apart: what the labels of its data may be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from brew.errors import UsageError
from brew.graph.build import build
from brew.graph.data_shapes import data_shapes
from brew.graph.definition import select
from brew.layer import TEST, TRAIN, Context
from brew.prototxt.placed import PlacedLayer
from brew.solver.net_file import read_net

from .label_rules import ignored_label
from .view import class_count, facts


class NetClasses(NamedTuple):
    """The number of classes, a label that does not count (None: all do), and the layer that compares: "loss"."""

    number: int
    ignored: int | None
    layer: str


def classes_of(path: Path) -> NetClasses:
    """The fewest classes that a layer of the net or solver at `path` compares labels with. UsageError where none does.

    Data need not be there (graph.data_shapes).
    """
    found: list[NetClasses] = []
    for phase in (TRAIN, TEST):
        file = read_net(path, phase)
        net = select(file.definition, phase, states=file.states)

        def context(source: PlacedLayer, folder: Path = net.folder, phase: int = phase) -> Context:
            return Context(phase=phase, place=source.place, folder=folder)

        shapes = data_shapes(net.written, context).shapes
        net = select(file.definition, phase, states=file.states, shapes=shapes)
        graph = build(net.layers, context)
        for node in graph.nodes:
            param = node.layer.param
            if facts(param).labels_are_classes and len(node.bottoms) > 1:
                count = class_count(param, graph.blobs[node.bottoms[0]].shape)
                if count is not None:
                    found.append(NetClasses(count, ignored_label(param), param.name))
    if not found:
        raise UsageError(f"{path} has no layer that compares scores with labels", hint="--classes N says how many")
    return min(found, key=lambda classes: classes.number)
