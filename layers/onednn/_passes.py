"""The passes of a convolution, each by itself: forward, the gradient of the bottom, the gradient of the filters.

A `Pass` is one way to compute one of them, or both gradients at once; here is oneDNN's direct way, in `_winograd` and
`_depthwise` are ours. Weights are plain outside, and inside in the way that the pass likes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from brew.cpu import onednn
from brew.cpu.onednn import Call, Description, Operation
from brew.cpu.onednn.after import After
from brew.layer import Array, Arrays, Buffer, Unsupported

# What forward adds to its top: by the number of oneDNN's argument, how the array lies and the array.
Added: TypeAlias = Mapping[int, tuple[Description, Array]]
NOTHING: Added = MappingProxyType({})

FORWARD, FILTERS, BOTTOM, BACKWARD = "forward", "filters", "bottom", "backward"  # passes; the last one is both before
DIRECT, WINOGRAD, DEPTHWISE, GROUPED, PLANES = "direct", "Winograd", "depthwise", "grouped", "planes"  # ways


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the passes of a layer have in common: its blobs and filters, in oneDNN's words.

    training   weights change with every step: what is derived from them is scratch, and made anew each time
    overruns   oneDNN's `jit_1x1` code must not compute the filters' gradient: see `DirectWeights`
    """

    kind: str  # "convolution" or "deconvolution"
    algorithm: int
    x: Description
    y: Description
    weights: Description  # in any order
    plain_w: Description  # as the parameter lies
    bias: Description | None
    window: Sequence[object]  # strides, dilations, padding before and behind
    training: bool
    overruns: bool = False

    def operation(self, what: str, *kind: int, hint: Operation | None = None, after: After | None = None) -> Operation:
        """Unsupported where oneDNN has nothing fast for these descriptions."""
        return Operation(*self._asked(what, *kind), hint=hint, attributes=after)

    @property
    def hint(self) -> Operation:
        """Forward, for the others to be made after; it need not be fast."""
        return Operation(*self._asked("forward", onednn.FORWARD_TRAINING), hint_only=True)

    def _asked(self, what: str, *kind: int) -> tuple[Any, ...]:
        bias = [] if what == "backward_data" else [self.bias]
        return (f"{self.kind}_{what}", *kind, self.algorithm, self.x, self.weights, *bias, self.y, *self.window)


class Pass:
    """One pass, one way. `buffers` is the memory it needs, under names no other pass of the layer uses.

    derives   it first brings the weights into an order of its own
    keeps     and keeps them so until they change; else it derives them for every run
    pays      by the rule it is faster than the direct way
    """

    way: str = DIRECT
    derives: bool = False
    pays: bool = True

    def __init__(self, *, keeps: bool = False) -> None:
        self.keeps = keeps
        self.buffers: dict[str, Buffer] = {}
        self.seen = -1

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        """The arrays of the coming runs stand. `added` is what a forward adds, as its `After` says."""
        raise NotImplementedError

    def derive(self, io: Arrays) -> None:
        """Bring the weights into the order of its own."""

    def compute(self, io: Arrays) -> None:
        raise NotImplementedError

    def run(self, io: Arrays) -> None:
        """Derive where that is needed, and compute."""
        if self.derives and not (self.keeps and self.seen == io.changes.number):
            self.derive(io)
            self.seen = io.changes.number
        self.compute(io)


def addend(added: Added) -> Array | None:
    """The array that is added, if there is one."""
    return next((array for _, array in added.values()), None)


class Listed(Pass):
    """A pass in code of our own: `bind` makes `calls`, one after the other."""

    calls: Sequence[Callable[[], None]]

    def compute(self, io: Arrays) -> None:
        for call in self.calls:
            call()


class _Direct(Pass):
    """With weights in the order that oneDNN chose."""

    derives = True

    def __init__(self, sizes: Sizes, operation: Operation, name: str) -> None:
        super().__init__(keeps=not sizes.training)
        self.sizes, self.operation, self.name = sizes, operation, name
        self.weights = operation.description("weights")
        self.buffers[name] = _flat(self.weights, kept=self.keeps)

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.seen = -1
        plain, own = self.sizes.plain_w, io.work[self.name]
        self.order = Operation.reorder(plain, self.weights).bind(
            {onednn.SRC: (plain, io.w[0]), onednn.DST: (self.weights, own)}
        )
        self.call = self._bound(io, {onednn.WEIGHTS: (self.weights, own), **added})

    def _bound(self, io: Arrays, others: Mapping[int, tuple[Description, Array]]) -> Call:
        raise NotImplementedError

    def derive(self, io: Arrays) -> None:
        self.order()

    def compute(self, io: Arrays) -> None:
        self.call()


class DirectForward(_Direct):
    def __init__(self, sizes: Sizes, kind: int, after: After | None) -> None:
        super().__init__(sizes, sizes.operation("forward", kind, after=after), "w")

    def _bound(self, io: Arrays, others: Mapping[int, tuple[Description, Array]]) -> Call:
        sizes = self.sizes
        bias = {} if sizes.bias is None else {onednn.BIAS: (sizes.bias, io.w[1])}
        return self.operation.bind({onednn.SRC: (sizes.x, io.x[0]), onednn.DST: (sizes.y, io.y[0]), **bias, **others})


class DirectData(_Direct):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes, sizes.operation("backward_data", hint=sizes.hint), "data_w")

    def _bound(self, io: Arrays, others: Mapping[int, tuple[Description, Array]]) -> Call:
        dx = io.dx[0]
        assert dx is not None
        return self.operation.bind(
            {onednn.DIFF_SRC: (self.sizes.x, dx), onednn.DIFF_DST: (self.sizes.y, io.dy[0]), **others}
        )


class DirectWeights(Pass):
    """The gradients of filters and bias.

    With strides, channels that lie last and do not fill blocks, oneDNN's `jit_1x1` code (3.x, every processor) gathers
    the bottom into scratch memory that is too small: it writes behind it, or reads numbers that were never written.
    """

    def __init__(self, sizes: Sizes, bias: tuple[int, ...] | None) -> None:
        super().__init__()
        self.sizes = sizes
        self.operation = sizes.operation("backward_weights", hint=sizes.hint)
        if sizes.overruns and "jit_1x1" in self.operation.implementation:
            raise Unsupported(f"{self.operation.implementation} overruns its memory")
        self.own = self.operation.description("diff_weights")
        self.buffers["dw"] = _flat(self.own)
        if bias is not None:
            self.buffers["db"] = Buffer(bias)

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        sizes, work, own = self.sizes, io.work, self.own
        bias = {} if sizes.bias is None else {onednn.DIFF_BIAS: (sizes.bias, work["db"])}
        self.call = self.operation.bind(
            {onednn.SRC: (sizes.x, io.x[0]), onednn.DIFF_WEIGHTS: (own, work["dw"]), **bias,
             onednn.DIFF_DST: (sizes.y, io.dy[0])}
        )  # fmt: skip
        if io.dw[0] is not None:
            self.add = Operation.reorder(own, sizes.plain_w, After().sum()).bind(
                {onednn.SRC: (own, work["dw"]), onednn.DST: (sizes.plain_w, io.dw[0])}
            )

    def compute(self, io: Arrays) -> None:
        self.call()
        if io.dw[0] is not None:
            self.add()
        if len(io.dw) > 1 and io.dw[1] is not None:
            np.add(io.dw[1], io.work["db"], out=io.dw[1])


class DirectBackward(Pass):
    """Both gradients, one after the other."""

    def __init__(self, *makers: Callable[[], Pass]) -> None:
        super().__init__()
        self.passes = [make() for make in makers]
        for one in self.passes:
            self.buffers |= one.buffers

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        for one in self.passes:
            one.bind(io)

    def run(self, io: Arrays) -> None:
        for one in self.passes:
            one.run(io)


def _flat(description: Description, *, kept: bool = False) -> Buffer:
    return Buffer((description.bytes // 4,), kept=kept)
