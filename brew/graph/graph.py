"""The parts of a graph: blobs, layers in their place, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from brew.layer import Layer, Param, Shape, Wanted
from brew.proto.brew_pb2 import ParamSpec
from brew.prototxt.placed import PlacedLayer


@dataclass(slots=True)
class BlobNode:
    """A blob of the graph. `gradient`: whether a layer below wants its gradient.

    `shown` is the number of the newest version of its name (graph.versions), None where this is the newest.
    `shows_gradient`: layers make the newest version's gradient too, so this version's may be written over it.
    """

    name: str
    shape: Shape
    producer: int
    gradient: bool = False
    shown: int | None = None
    shows_gradient: bool = False


@dataclass(slots=True)
class ParamNode:
    """One parameter slot of a layer. `owner` is the index of the slot that owns the memory (its own when unshared)."""

    layer: int
    index: int
    declared: Param
    spec: ParamSpec
    owner: int
    lr_mult: float = 1.0
    decay_mult: float = 1.0
    wanted: bool = True


@dataclass(slots=True)
class Node:
    """A layer in its place: blob and parameter numbers, loss weights, and whether backward runs through it.

    `apart` says why it does not run in place though the file says so; "" where it does (brew.graph.versions).
    """

    layer: Layer
    source: PlacedLayer
    bottoms: list[int]
    tops: list[int]
    params: list[int]
    loss_weights: list[float]
    backward: bool
    bottom_gradients: list[bool]
    top_shapes: list[Shape] = field(default_factory=list)
    apart: str = ""

    def gradient_of(self, blob: int) -> bool:
        """Whether its backward makes the gradient of this bottom."""
        return self.backward and any(g for b, g in zip(self.bottoms, self.bottom_gradients, strict=True) if b == blob)

    def wanted(self, params: Sequence[ParamNode]) -> Wanted:
        if not self.backward:
            return Wanted((False,) * len(self.bottoms), (False,) * len(self.params))
        return Wanted(tuple(self.bottom_gradients), tuple(params[p].wanted for p in self.params))


@dataclass(slots=True)
class Graph:
    """The whole net, checked and shaped."""

    nodes: list[Node]
    blobs: list[BlobNode]
    params: list[ParamNode]
    inputs: list[int]
    outputs: list[int]  # sorted by name, as Caffe prints them
    forward_only: bool = False

    def without_backward(self) -> Graph:
        """The same net, only ever run forward."""
        nodes = [replace(n, backward=False, bottom_gradients=[False] * len(n.bottoms)) for n in self.nodes]
        return replace(self, nodes=nodes, forward_only=True)
