"""From what a Net is given (a path, a document, a message) to the layers that exist, ready for the graph.

File -> upgrades of old spellings -> layers for this state -> data layers replaced where shapes are given -> Splits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from brew import prototxt
from brew.errors import NetError, UsageError
from brew.layer import Shape
from brew.net_state import Source, filter_layers, merged_state, nowhere, sources
from brew.proto.brew_pb2 import BlobShape, InputParameter, LayerParameter, NetParameter, NetState
from brew.prototxt import Document
from brew.splits import insert_splits

NetLike: TypeAlias = "str | Path | Document[NetParameter] | NetParameter"
log = logging.getLogger("brew")


@dataclass(frozen=True, slots=True)
class NetSource:
    """A net's layers for one state, in order, with the facts that stand outside of layers."""

    name: str
    layers: list[Source]
    state: NetState
    force_backward: bool
    folder: Path  # relative paths are looked up here when they are not in the working directory


@dataclass(frozen=True, slots=True)
class NetDefinition:
    """A NetParameter and where it stands: the root of a document, or the field `prefix` of a solver's."""

    param: NetParameter
    document: Document[NetParameter] | None = None
    prefix: tuple[str | int, ...] = ()

    @property
    def folder(self) -> Path:
        return Path(self.document.file).parent if self.document else Path()


def define(net: NetLike | NetDefinition) -> NetDefinition:
    """Read a path; wrap a document or a message."""
    if isinstance(net, NetDefinition):
        return net
    if isinstance(net, NetParameter):
        return NetDefinition(net)
    document = prototxt.read(net, NetParameter) if isinstance(net, str | Path) else net
    return NetDefinition(document.message, document)


def select(
    net: NetLike | NetDefinition,
    phase: int,
    *,
    states: Sequence[NetState] = (),
    level: int | None = None,
    stages: Iterable[str] = (),
    shapes: Mapping[str, Shape] | None = None,
) -> NetSource:
    """The layers of `net` that exist in `phase` overlaid by its own state and by `states`, with Splits."""
    definition = define(net)
    param = definition.param
    state = merged_state(phase, param.state, *states, level=level, stages=stages)
    layers = sources(param, definition.document, definition.prefix)
    if param.layers:
        raise NetError(
            "this net is in the old format (layers { type: CONVOLUTION ... })",
            place=definition.document.place(*definition.prefix, "layers", 0) if definition.document else None,
            hint='upgrade_net_proto_text turns it into the current one (layer { type: "Convolution" ... })',
        )
    layers = filter_layers(_with_inputs(definition, layers), state)
    if shapes:
        layers = _replace_data(layers, shapes)
    force = param.force_backward
    return NetSource(param.name, insert_splits(layers), state, force, definition.folder)


def _with_inputs(definition: NetDefinition, layers: list[Source]) -> list[Source]:
    """Net-level `input` with its shapes becomes one Input layer named "input", first (Caffe's upgrade rule 4)."""
    param = definition.param
    if not param.input:
        return layers
    place = definition.document.place(*definition.prefix, "input", 0) if definition.document else None
    shapes = [tuple(s.dim) for s in param.input_shape]
    if not shapes and len(param.input_dim) == 4 * len(param.input):
        shapes = [tuple(param.input_dim[i : i + 4]) for i in range(0, len(param.input_dim), 4)]
    if len(shapes) != len(param.input):
        raise NetError(
            f"{len(param.input)} inputs, but {len(param.input_shape)} input_shape and {len(param.input_dim)} input_dim",
            place=place,
            hint="give one input_shape { dim: ... } for each input, or four input_dim",
        )
    layer = _input_layer("input", dict(zip(param.input, shapes, strict=True)))
    return [Source(layer, lambda *path: place) if place else Source(layer, nowhere), *layers]


def _input_layer(name: str, shapes: Mapping[str, Shape]) -> LayerParameter:
    parameter = InputParameter(shape=[BlobShape(dim=shape) for shape in shapes.values()])
    return LayerParameter(name=name, type="Input", top=list(shapes), input_param=parameter)


def _replace_data(layers: list[Source], shapes: Mapping[str, Shape]) -> list[Source]:
    """Layers without bottoms that make a blob named in `shapes` become Input layers of those shapes.

    A top of such a layer that has no shape of its own (a label) gets the batch alone, (n,).
    """
    unused = set(shapes)
    result = []
    for source in layers:
        param = source.param
        if param.bottom or not unused.intersection(param.top):
            result.append(source)
            continue
        batch = next(shapes[t][:1] for t in param.top if t in shapes)
        layer = _input_layer(param.name, {t: shapes.get(t, batch) for t in param.top})
        result.append(Source(layer, source.place))
        unused.difference_update(param.top)
    if unused:
        made = sorted({t for s in layers if not s.param.bottom for t in s.param.top})
        raise UsageError(
            f"no data layer makes {', '.join(sorted(unused))}", hint=f"data layers make: {', '.join(made) or 'nothing'}"
        )
    return result
