"""A net in one state, as it is written: its layers without Splits, and which layer reads which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field

from brew.graph.graph import Graph, Node
from brew.layer import TRAIN, Layer, Shape, count, registry
from brew.proto.brew_pb2 import LayerParameter
from brew.prototxt.placed import PlacedLayer

from .rules import Note

Spot = tuple[int, int]  # (layer number, number of its top or bottom)


class _Everything:
    def __contains__(self, name: object) -> bool:
        return True


EVERYTHING: Container[str] = _Everything()


@dataclass(slots=True)
class View:
    """The layers of a state, from the first to the last.

    state     its name
    loaded    the names of the layers whose weights do not come from their fillers
    graph     the layers that could be built
    decay     the solver's weight_decay
    used      whether a solver uses this state
    maker     the top that a bottom reads
    readers   the bottoms that read a top
    """

    state: str
    phase: int
    layers: list[PlacedLayer]
    loaded: Container[str] = frozenset()
    graph: Graph | None = None
    decay: float = 0.0
    used: bool = False
    maker: dict[Spot, Spot] = field(init=False, default_factory=dict)
    readers: dict[Spot, list[Spot]] = field(init=False, default_factory=lambda: defaultdict(list))
    _nodes: dict[tuple[str, str], Node] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        newest: dict[str, Spot] = {}
        for number, source in enumerate(self.layers):
            for b, name in enumerate(source.param.bottom):
                if name in newest:
                    self.maker[number, b] = newest[name]
                    self.readers[newest[name]].append((number, b))
            newest.update((name, (number, t)) for t, name in enumerate(source.param.top))

    def param(self, number: int) -> LayerParameter:
        return self.layers[number].param

    def of_type(self, *types: str) -> Iterator[tuple[int, LayerParameter]]:
        """Number and message of the layers of these types."""
        return ((i, s.param) for i, s in enumerate(self.layers) if s.param.type in types)

    def of_class(self, fact: Callable[[type[Layer]], object]) -> Iterator[tuple[int, LayerParameter]]:
        """The same of the layers whose class states a fact."""
        return ((i, s.param) for i, s in enumerate(self.layers) if fact(facts(s.param)))

    def note(self, number: int, message: str, *path: str | int, hint: str) -> Note:
        """A note on layer `number`, at a field of it."""
        param = self.param(number)
        return Note(f'layer "{param.name}" ({param.type}): {message}', self.layers[number].place(*path), hint)

    def node(self, number: int) -> Node | None:
        """Layer `number` as it was built; None where it could not be."""
        if self._nodes is None:
            nodes = self.graph.nodes if self.graph is not None else []
            self._nodes = {(n.layer.name, n.layer.param.type): n for n in reversed(nodes)}
        param = self.param(number)
        return self._nodes.get((param.name, param.type))

    @property
    def whole(self) -> bool:
        """Whether all of the net could be built, so that nothing is known by its name alone."""
        nodes = self.graph.nodes if self.graph is not None else []
        return bool(nodes) and all(node.top_shapes or not node.layer.param.top for node in nodes)

    @property
    def outputs(self) -> dict[str, Shape]:
        """The shapes of the blobs that no layer reads."""
        return {self.graph.blobs[b].name: self.graph.blobs[b].shape for b in self.graph.outputs} if self.graph else {}

    def bottom_shape(self, number: int, bottom: int = 0) -> Shape:
        """The shape of a bottom of layer `number`; () where it is not known."""
        node = self.node(number)
        if node is None or self.graph is None or bottom >= len(node.bottoms):
            return ()
        return self.graph.blobs[node.bottoms[bottom]].shape

    def origins(self, number: int, bottom: int = 0, through: Container[str] = ()) -> Iterator[int]:
        """The producers of a bottom; those that only move values, and those of the types `through`, are replaced by the
        producers of theirs."""
        waiting, seen = [self.maker.get((number, bottom))], set()
        while waiting:
            spot = waiting.pop()
            if spot is None or spot[0] in seen:
                continue
            here = spot[0]
            seen.add(here)
            if self.param(here).type in through or facts(self.param(here)).only_moves:
                waiting += [self.maker.get((here, b)) for b in range(len(self.param(here).bottom))]
            else:
                yield here

    def below(self, number: int) -> Iterator[LayerParameter]:
        """The layers whose tops a layer reads, in the order of its bottoms."""
        for b in range(len(self.param(number).bottom)):
            if (number, b) in self.maker:
                yield self.param(self.maker[number, b][0])

    @property
    def trains(self) -> bool:
        """Whether this is a state for training: TRAIN, with a loss."""
        return self.phase == TRAIN and any(is_loss(source.param) for source in self.layers)


def layer_class(param: LayerParameter) -> type[Layer] | None:
    """The class of a layer's type; None for an unknown type."""
    return registry.layer_class(param.type)


class _Unknown(Layer):
    """A layer of unknown type, which states no facts."""

    type = ""


def facts(param: LayerParameter) -> type[Layer]:
    """The class of a layer's type, for the facts that it states."""
    return layer_class(param) or _Unknown


def class_count(param: LayerParameter, scores: Shape) -> int | None:
    """How many classes there are scores of, for a layer whose labels are classes; None where that is not known."""
    if not (section := facts(param).axis_in):
        return count(scores[1:]) if scores else None
    axis: int = getattr(param, section).axis
    return scores[axis] if -len(scores) <= axis < len(scores) else None


def is_loss(param: LayerParameter) -> bool:
    """Whether a top of the layer counts in the loss."""
    cls = layer_class(param)
    return any(param.loss_weight) if param.loss_weight else cls is not None and cls.is_loss
