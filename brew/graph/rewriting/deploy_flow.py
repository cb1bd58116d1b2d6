"""The flow of values in a train_val net: which blobs are inputs, which are labels, which losses are auxiliary.

A value is one top of one layer, (layer number, top number): a layer in place makes a new value under the name of its
bottom.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from brew.graph.build import make_layer
from brew.layer import Context
from brew.layer.registry import layer_class
from brew.prototxt.placed import PlacedLayer

Value = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Head:
    """A loss: the layer's number, its weight, and the labels it depends on."""

    number: int
    weight: float
    labels: frozenset[Value]


class Flow:
    """The layers of a net, and the value that each bottom reads; bottoms that no layer makes are skipped.

    NetError for a layer of unknown type.
    """

    def __init__(self, layers: Sequence[PlacedLayer]) -> None:
        self.layers = layers
        self.reads: list[list[Value]] = []
        newest: dict[str, Value] = {}
        for number, source in enumerate(layers):
            self.reads.append([newest[name] for name in source.param.bottom if name in newest])
            newest |= {name: (number, t) for t, name in enumerate(source.param.top)}
        self.classes = [layer_class(s.param.type) or type(make_layer(s, Context(place=s.place))) for s in layers]

    def name(self, value: Value) -> str:
        """The blob's name."""
        return self.layers[value[0]].param.top[value[1]]

    # --- kinds of layers and values ---------------------------------------------------------------------------------

    @cached_property
    def learned(self) -> list[bool]:
        """Whether a layer has parameters."""
        return [cls.has_params() for cls in self.classes]

    @cached_property
    def data(self) -> list[int]:
        """The layers that bring records: without bottoms and parameters; constants only where there is no real data."""
        first = [n for n, s in enumerate(self.layers) if not s.param.bottom and s.param.top and not self.learned[n]]
        constants = [n for n in first if self._is_constant(n)]
        return [n for n in first if n not in constants] or constants

    def _is_constant(self, number: int) -> bool:
        dummy = self.layers[number].param.dummy_data_param
        return self.classes[number].fills_tops and all(f.type == "constant" for f in dummy.data_filler)

    @cached_property
    def labels(self) -> frozenset[Value]:
        """The values of data layers that no layer with parameters reads; none in nets without parameters."""
        if not any(self.learned):
            losses = [n for n in range(len(self.layers)) if self.is_loss(n) or self.classes[n].is_score]
            last = {self.reads[n][-1] for n in losses if len(self.reads[n]) > 1}
            return frozenset(v for v in last if v[0] in self.data)
        used = {value for n, learned in enumerate(self.learned) if learned for value in self.above([n])}
        return frozenset(v for n in self.data for v in self.tops(n) if v not in used)

    def tops(self, number: int) -> list[Value]:
        return [(number, t) for t in range(len(self.layers[number].param.top))]

    def is_loss(self, number: int) -> bool:
        return self.classes[number].is_loss or any(self.layers[number].param.loss_weight)

    def above(self, numbers: Iterable[int]) -> set[Value]:
        """Every value that these layers depend on."""
        seen: set[Value] = set()
        waiting = [value for n in numbers for value in self.reads[n]]
        while waiting:
            value = waiting.pop()
            if value not in seen:
                seen.add(value)
                waiting += self.reads[value[0]]
        return seen

    @cached_property
    def stays(self) -> list[bool]:
        """Whether a layer stays in a deployed net: it is no loss and no score, and depends on no label."""
        return [
            not cls.for_training and not self.is_loss(n) and not (self.above([n]) & self.labels)
            for n, cls in enumerate(self.classes)
        ]

    # --- heads ------------------------------------------------------------------------------------------------------

    @cached_property
    def heads(self) -> list[Head]:
        """The losses, in order."""
        result = []
        for number, source in enumerate(self.layers):
            if self.is_loss(number):
                weight = source.param.loss_weight[0] if source.param.loss_weight else 1.0
                result.append(Head(number, weight, frozenset(self.above([number]) & self.labels)))
        return result

    @cached_property
    def auxiliary(self) -> list[Head]:
        """Losses that weigh less than another one of the same labels, and those without one where others have one."""
        labelled = any(head.labels for head in self.heads)
        most: dict[frozenset[Value], float] = {}
        for head in self.heads:
            most[head.labels] = max(most.get(head.labels, 0.0), head.weight)
        return [h for h in self.heads if h.weight < most[h.labels] or (labelled and not h.labels)]

    def ends(self, without: Iterable[Head]) -> list[Value]:
        """The results of a deployed net: made by layers that stay, after a learned layer, and read by no other layer.

        Values that only the heads `without`, and scores, read are not among them.
        """
        readers: dict[Value, set[int]] = {}
        for number, values in enumerate(self.reads):
            for value in values:
                readers.setdefault(value, set()).add(number)
        dropped = {head.number for head in without}
        ends = []
        for number in (n for n in range(len(self.layers)) if self.stays[n] and n not in self.data):
            for value in self.tops(number):
                by = readers.get(value, set())
                aside = bool(by & dropped) and not any(self.is_loss(n) for n in by - dropped)
                if not aside and not any(self.stays[n] for n in by) and self._is_learned(number):
                    ends.append(value)
        return ends

    def _is_learned(self, number: int) -> bool:
        below = {number, *(value[0] for value in self.above([number]))}
        return any(self.learned[n] for n in below) or not any(self.learned)
