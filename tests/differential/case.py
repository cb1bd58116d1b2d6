"""One random net, before it is spelled: layers over numbered values, and what the passes over it are given."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from brew.layer import Context, Layer, Shape, count
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter


@dataclass(frozen=True, slots=True)
class Value:
    """What a layer makes: one version of a blob.

    most     about its largest magnitude
    low      what no element lies below; None where that is not known
    classes  integers below this, where it is not 0
    smooth   it may get a gradient, and changes little where what it is made from changes little
    loose    how many items it has depends on values
    """

    shape: Shape
    most: float = 1.0
    low: float | None = None
    classes: int = 0
    smooth: bool = True
    loose: bool = False

    @property
    def count(self) -> int:
        return count(self.shape)


@dataclass(slots=True)
class Op:
    """A layer over numbered values. `param` is its message without name, bottoms and tops; `over` says that the top of
    this number takes its bottom's name, where a net is spelled in place."""

    name: str
    param: LayerParameter
    bottoms: list[int]
    tops: list[int]
    over: bool = False
    row: str = ""  # the row it was made for, for people
    names: tuple[str, ...] = ()  # of the tops, where they are not free

    @property
    def type(self) -> str:
        return self.param.type

    @property
    def layer_class(self) -> type[Layer]:
        cls = layer_class(self.param.type)
        assert cls is not None
        return cls


@dataclass(slots=True)
class Case:
    """The net, and how it is run: `passes` of (input: shape) each, in this order.

    adds     gradients of parameters add up from pass to pass
    touched  layers whose parameters are changed between the passes
    """

    seed: int
    number: int
    phase: int
    force: bool = False
    values: dict[int, Value] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    passes: list[dict[int, Shape]] = field(default_factory=list)
    adds: bool = False
    touched: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    fed: dict[tuple[int, int], dict[int, npt.NDArray[Any]]] = field(default_factory=dict, repr=False)  # made once

    def copy(self) -> Case:
        """One that may be changed."""
        other = copy.deepcopy(self)
        other.fed = {}
        return other

    @property
    def inputs(self) -> list[int]:
        """Values that come from outside."""
        return [top for op in self.ops if op.type == "Input" for top in op.tops]

    def readers(self) -> Counter[int]:
        return Counter(b for op in self.ops for b in op.bottoms)

    def unread(self) -> list[int]:
        read = self.readers()
        return [t for op in self.ops for t in op.tops if not read[t]]

    def maker(self) -> dict[int, Op]:
        return {top: op for op in self.ops for top in op.tops}

    def overwriting(self) -> dict[int, int]:
        """By top, the bottom whose name it takes in the in-place spelling: if no other layer reads it by that name."""
        read, lost = self.readers(), {t for op in self.ops for t, w in zip(op.tops, weights(op), strict=True) if w}
        result = {}
        for op in self.ops:
            if not (op.over and op.bottoms and op.tops and op.layer_class.in_place):
                continue
            bottom, top = op.bottoms[0], op.tops[0]
            same = self.values[bottom].shape == self.values[top].shape and not self.values[bottom].classes
            if same and read[bottom] == 1 and bottom not in lost:
                result[top] = bottom
        return result


def weights(op: Op) -> Sequence[float]:
    """Loss weights, one for each top."""
    if op.param.loss_weight:
        return list(op.param.loss_weight)
    return [1.0 if op.layer_class.is_loss and t == 0 else 0.0 for t in range(len(op.tops))]


def made(op: Op, phase: int, bottoms: Sequence[Shape]) -> tuple[Layer, list[Shape], list[Shape]]:
    """The layer, its tops' shapes and its parameters' on bottoms of these shapes; BrewError where it refuses them."""
    param = LayerParameter()
    param.CopyFrom(op.param)
    param.name = op.name
    param.bottom.extend(f"b{i}" for i in range(len(bottoms)))
    param.top.extend(op.names or (f"t{i}" for i in range(len(op.tops))))
    layer = op.layer_class(param, Context(phase))
    return layer, [tuple(s) for s in layer.infer_shapes(bottoms)], [p.shape for p in layer.declare_params(bottoms)]


def shapes_of(case: Case, given: dict[int, Shape]) -> Iterator[tuple[Op, list[Shape], list[Shape], list[Shape]]]:
    """Every layer with the shapes of its bottoms, tops and parameters, where the inputs have these."""
    shapes = dict(given)
    for op in case.ops:
        bottoms = [shapes[b] for b in op.bottoms]
        if op.type == "Input":
            yield op, [], [given[t] for t in op.tops], []
            continue
        _, tops, params = made(op, case.phase, bottoms)
        shapes |= zip(op.tops, tops, strict=False)
        yield op, bottoms, tops, params
