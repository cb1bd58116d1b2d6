"""From what a Net is given (a path, a document, a message) to the layers that exist, ready for the graph.

File -> upgrades of old spellings -> layers for this state -> data layers replaced where shapes are given -> Splits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from brew import prototxt
from brew.errors import Place, UsageError
from brew.layer import Shape
from brew.proto.brew_pb2 import NetParameter, NetState, SolverParameter
from brew.prototxt import Document
from brew.prototxt.placed import PlacedLayer
from brew.prototxt.portable import input_layer
from brew.prototxt.upgrade import UpgradedNet, upgrade_net

from .foreign import admit_net
from .splits import Absent, insert_splits
from .states import filter_layers, merged_state

NetLike: TypeAlias = "str | Path | Document[NetParameter] | NetParameter"


@dataclass(frozen=True, slots=True)
class Wish:
    """The engine that a net's file names, "" for none."""

    name: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class SelectedNet:
    """A net's layers for one state, in order, with the facts that the file states outside of layers."""

    name: str
    layers: list[PlacedLayer]
    state: NetState
    force_backward: bool
    debug_info: bool
    engine: Wish
    folder: Path  # where relative paths are looked up that are not in the working directory
    written: list[PlacedLayer]  # the layers without Splits
    said: set[str]  # warnings already logged about the text of these layers


@dataclass(frozen=True, slots=True)
class NetDefinition:
    """A net as it is defined for every state: in today's format, with the folder of its file."""

    net: UpgradedNet
    folder: Path
    document: Document[Any] | None = None  # the text it came from, at `prefix`
    prefix: tuple[str | int, ...] = ()


def define(
    net: NetLike, file: Document[SolverParameter] | None = None, prefix: tuple[str | int, ...] = ()
) -> NetDefinition:
    """A path, a document, or a message (the field `prefix` of a solver's `file`, perhaps), upgraded where it is old."""
    if isinstance(net, NetParameter):
        return NetDefinition(upgrade_net(net, file, prefix), Path(file.file).parent if file else Path(), file, prefix)
    document = prototxt.read(net, NetParameter) if isinstance(net, str | Path) else net
    return NetDefinition(upgrade_net(document.message, document), Path(document.file).parent, document)


def select(
    net: NetLike | NetDefinition,
    phase: int,
    *,
    states: Sequence[NetState] = (),
    level: int | None = None,
    stages: Iterable[str] = (),
    shapes: Mapping[str, Shape] | None = None,
) -> SelectedNet:
    """The layers of `net` that exist in `phase` overlaid by its own state and by `states`, with Splits.

    NetError where they hold fields of Caffe's forks that would change the numbers.
    """
    definition = net if isinstance(net, NetDefinition) else define(net)
    shell = definition.net.shell
    state = merged_state(phase, shell.state, *states, level=level, stages=stages)
    filtered = filter_layers(definition.net.layers, state)
    layers = replace_data(filtered, shapes) if shapes else filtered
    kept = {id(source) for source in layers}
    admit_net(definition.document, definition.prefix, [source for source in filtered if id(source) in kept], phase)
    split = insert_splits(layers, absent=Absent.of(state, definition.net.layers, filtered))
    return SelectedNet(
        shell.name, split, state, shell.force_backward, shell.debug_info, _engine(definition),
        definition.folder, layers, definition.document.said if definition.document is not None else set(),
    )  # fmt: skip


def _engine(definition: NetDefinition) -> Wish:
    document = definition.document
    return Wish(definition.net.shell.engine, document.place(*definition.prefix, "engine") if document else None)


def replace_data(layers: list[PlacedLayer], shapes: Mapping[str, Shape]) -> list[PlacedLayer]:
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
        layer = input_layer(param.name, param.top, [shapes.get(t, batch) for t in param.top])
        result.append(PlacedLayer(layer, source.place))
        unused.difference_update(param.top)
    if unused:
        made = sorted({t for s in layers if not s.param.bottom for t in s.param.top})
        raise UsageError(
            f"no data layer makes {', '.join(sorted(unused))}", hint=f"data layers make: {', '.join(made) or 'nothing'}"
        )
    return result
