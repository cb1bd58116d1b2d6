"""A net in one state, as it is written: its layers without Splits, and who reads whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from brew import registry
from brew.graph import Graph
from brew.layer import TRAIN, Layer
from brew.net_state import Source
from brew.proto.brew_pb2 import LayerParameter

from .rules import Note

Spot = tuple[int, int]  # (layer number, number of its top or bottom)


@dataclass(slots=True)
class View:
    """The layers of a state, from the first to the last.

    `state` is its name, `started` says that weights to start from are given, `used` that a solver uses this state;
    `graph` has what could be built of it.
    `maker` gives the top that a bottom reads, `readers` the bottoms that read a top.
    """

    state: str
    phase: int
    layers: list[Source]
    started: bool = False
    used: bool = False
    graph: Graph | None = None
    maker: dict[Spot, Spot] = field(init=False, default_factory=dict)
    readers: dict[Spot, list[Spot]] = field(init=False, default_factory=lambda: defaultdict(list))

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

    def note(self, number: int, message: str, *path: str | int, hint: str) -> Note:
        """A note on layer `number`, at a field of it."""
        param = self.param(number)
        return Note(f'layer "{param.name}" ({param.type}): {message}', self.layers[number].place(*path), hint)

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
    """The class of a layer's type; None for a type nobody knows."""
    return registry.layer_class(param.type)


def is_loss(param: LayerParameter) -> bool:
    """Whether a top of the layer counts in the loss."""
    cls = layer_class(param)
    return any(param.loss_weight) if param.loss_weight else cls is not None and cls.is_loss
