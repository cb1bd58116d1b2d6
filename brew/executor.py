"""Running a graph on one device: blobs, prepared implementations, bound arrays, and re-binding when shapes change.

A step is bound when its arrays stand ready in an `Arrays`. It stays bound until the stamp of one of its blobs
changes; checking that before each layer is all that a pass costs beside the arithmetic (DECISIONS 7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.blob import Blob
from brew.data_layer import DataLayer
from brew.graph import Graph, Node
from brew.layer import Array, Arrays, Buffer, Implementation, Shapes, Wanted, count, shape_text

_ALIGN = 64  # bytes, of every buffer

_kernels = cuda.Kernels(r"""
template <typename T>
__global__ void next_pass(long long n, unsigned long long* passes) {
  FOR_EACH(i, n) { passes[i] += 1; }
}
""")


def make_blobs(graph: Graph, dtype: np.dtype[Any], device: str) -> list[Blob]:
    """The blobs of a graph, views in their bottoms' memory; nothing is allocated yet."""
    blobs = [Blob(b.shape, dtype, device, b.name) for b in graph.blobs]
    for node in graph.nodes:
        for t, blob in enumerate(node.tops):
            view = node.layer.view(t)
            if view is not None:
                blobs[blob].share(blobs[node.bottoms[view.bottom]], diff=view.diff)
    return blobs


class Scratch:
    """Memory all layers use in turn: for each element type one stretch, as large as the largest need."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.stamp = 0
        self._sizes: dict[np.dtype[Any], int] = {}
        self._flat: dict[np.dtype[Any], Array] = {}

    @property
    def bytes(self) -> int:
        return sum(size * dtype.itemsize for dtype, size in self._sizes.items())

    def need(self, buffers: Iterable[tuple[Buffer, np.dtype[Any]]]) -> None:
        """Be large enough for a layer that uses all of `buffers` at once."""
        sizes: Counter[np.dtype[Any]] = Counter()
        for buffer, dtype in buffers:
            sizes[dtype] += padded(buffer, dtype)
        for dtype, size in sizes.items():
            if size > self._sizes.get(dtype, -1):
                self._sizes[dtype] = size
                self._flat.pop(dtype, None)
                self.stamp += 1

    def arrays(self, buffers: Mapping[str, tuple[Buffer, np.dtype[Any]]]) -> dict[str, Array]:
        """One array for each of a layer's buffers, side by side."""
        taken: Counter[np.dtype[Any]] = Counter()
        result = {}
        for name, (buffer, dtype) in buffers.items():
            if dtype not in self._flat:
                make = np.empty if self.device == "cpu" else cuda.empty
                self._flat[dtype] = make(self._sizes[dtype], dtype)
            start = taken[dtype]
            result[name] = self._flat[dtype][start : start + count(buffer.shape)].reshape(buffer.shape)
            taken[dtype] += padded(buffer, dtype)
        return result


def padded(buffer: Buffer, dtype: np.dtype[Any]) -> int:
    """Elements a buffer takes, up to the next cache line."""
    line = _ALIGN // dtype.itemsize
    return -(-count(buffer.shape) // line) * line


class Step:
    """One layer of the graph on its device."""

    def __init__(self, node: Node, blobs: Sequence[Blob], params: Sequence[Blob], wanted: Wanted, device: str) -> None:
        self.node = node
        self.layer = node.layer
        self.wanted = wanted
        self.device = device
        self.bottoms = [blobs[b] for b in node.bottoms]
        self.tops = [blobs[t] for t in node.tops]
        self.params = [params[p] for p in node.params]
        self.implementation = node.layer.implementation(device)
        self.asks_for_shapes = type(self.implementation).top_shapes is not Implementation.top_shapes
        self.views = [node.layer.view(t) for t in range(len(self.tops))]
        self.shapes = self._current_shapes()
        self.buffers: dict[str, Buffer] = {}
        self.kept: dict[str, Array] = {}
        self.io: Arrays | None = None
        self.key: tuple[int, ...] = ()
        # A layer whose every wanted gradient is its top's own memory has nothing to do in backward.
        pure_view = any(v is not None and v.diff for v in self.views)
        self.runs_backward = wanted.backward and not (pure_view and not any(wanted.params))

    def _current_shapes(self) -> Shapes:
        return Shapes(*(tuple(b.shape for b in blobs) for blobs in (self.bottoms, self.tops, self.params)))

    def stamps(self, scratch: Scratch) -> tuple[int, ...]:
        return (scratch.stamp, *(b.stamp for b in self.bottoms), *(b.stamp for b in self.tops))

    def prepare(self, scratch: Scratch) -> None:
        """Ask the implementation for its buffers at the current shapes."""
        self.shapes = self._current_shapes()
        self.buffers = dict(self.implementation.prepare(self.shapes, self.wanted))
        scratch.need(self._typed(kept=False).values())

    def _typed(self, *, kept: bool) -> dict[str, tuple[Buffer, np.dtype[Any]]]:
        own = self.layer.context.dtype
        return {n: (b, np.dtype(b.dtype or own)) for n, b in self.buffers.items() if b.kept == kept}

    @property
    def kept_bytes(self) -> int:
        return sum(count(b.shape) * dtype.itemsize for b, dtype in self._typed(kept=True).values())

    def reshape(self) -> None:
        """Bring the tops to what the bottoms' shapes ask for now."""
        for blob, view in zip(self.tops, self.views, strict=True):
            if view is not None:
                blob.share(self.bottoms[view.bottom], diff=view.diff)
        bottom = [b.shape for b in self.bottoms]
        settled = self.asks_for_shapes or tuple(b.shape for b in self.tops) == self.shapes.y
        if not self.bottoms or (settled and tuple(bottom) == self.shapes.x):
            return
        for blob, shape in zip(self.tops, self.layer.infer_shapes(bottom), strict=True):
            blob.reshape(*shape)
        declared = [p.shape for p in self.layer.declare_params(bottom)]
        for i, (blob, shape) in enumerate(zip(self.params, declared, strict=True)):
            if blob.count != count(shape):
                raise self.layer.error(
                    f"its parameter {i} is {shape_text(blob.shape)}, "
                    f"but bottoms of {', '.join(map(shape_text, bottom))} need {shape_text(shape)}"
                )

    def bind(self, scratch: Scratch, passes: Array) -> None:
        """Make the arrays of forward and backward at the current shapes."""
        work = scratch.arrays(self._typed(kept=False))
        work |= {name: self._kept(name, *typed) for name, typed in self._typed(kept=True).items()}
        want = self.wanted
        shared = {v.bottom for v in self.views if v is not None and v.diff}
        self.io = Arrays(
            x=[b.data_memory.array(b.shape) for b in self.bottoms],
            y=[b.data_memory.array(b.shape) for b in self.tops],
            w=[b.data_memory.array(b.shape) for b in self.params],
            dx=[
                b.diff_memory.array(b.shape) if wanted and i not in shared else None
                for i, (b, wanted) in enumerate(zip(self.bottoms, want.bottoms, strict=True))
            ],
            dy=[b.diff_memory.array(b.shape) for b in self.tops] if want.backward else [],
            dw=[
                b.diff_memory.array(b.shape) if wanted else None
                for b, wanted in zip(self.params, want.params, strict=True)
            ],
            work=work,
            passes=passes,
        )
        self.key = self.stamps(scratch)

    def _kept(self, name: str, buffer: Buffer, dtype: np.dtype[Any]) -> Array:
        old = self.kept.get(name)
        if old is None or old.shape != buffer.shape or old.dtype != dtype:
            make = np.zeros if self.device == "cpu" else cuda.zeros
            self.kept[name] = make(buffer.shape, dtype)
        return self.kept[name]

    def carried(self) -> dict[str, Array]:
        """What the layer keeps for the next batch, by name; nothing before its first forward."""
        return {n: self.kept[n] for n, buffer in self.buffers.items() if buffer.carried and n in self.kept}

    def carry(self, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from `values`, as `carried` gave them; where there are none, as from the start."""
        for name in self.carried():
            del self.kept[name]
        for name, value in values.items():
            self.kept[name] = value.copy() if self.device == "cpu" else cuda.asarray(value)
        self.io = None


class Executor:
    """The steps of a net and the memory they share."""

    def __init__(self, graph: Graph, blobs: Sequence[Blob], params: Sequence[Blob], device: str) -> None:
        self.device = device
        self.scratch = Scratch(device)
        self.steps = [Step(node, blobs, params, node.wanted(graph.params), device) for node in graph.nodes]
        self.passes_begun = 0
        self._passes: Array | None = None
        for step in self.steps:
            step.prepare(self.scratch)

    @property
    def passes(self) -> Array:
        if self._passes is None:
            self.set_passes(self.passes_begun)
        assert self._passes is not None
        return self._passes

    def set_passes(self, begun: int) -> None:
        """Say how many passes have begun so far; the next one is number `begun`."""
        self.passes_begun = begun
        value = np.array([(begun - 1) & 0xFFFF_FFFF_FFFF_FFFF], np.uint64)
        if self._passes is None:
            self._passes = np.empty(1, np.uint64) if self.device == "cpu" else cuda.empty(1, np.uint64)
        if self.device == "cpu":
            self._passes[...] = value
        else:
            cuda.upload(self._passes, value)

    def begin_pass(self) -> None:
        """Count one more pass, on the device too."""
        passes = self.passes
        self.passes_begun += 1
        if self.device == "cpu":
            passes += np.uint64(1)
        else:
            _kernels.next_pass(1, passes)

    def refresh(self, number: int) -> Arrays:
        """The bound arrays of a step, made anew where shapes or memory have changed."""
        step = self.steps[number]
        if isinstance(step.layer, DataLayer):
            for blob, shape in zip(step.tops, step.layer.next_shapes(), strict=True):
                blob.reshape(*shape)
        if step.io is None or step.stamps(self.scratch) != step.key:
            step.reshape()
            if step._current_shapes() != step.shapes:
                step.prepare(self.scratch)
            step.bind(self.scratch, self.passes)
            self._weigh(step)
        assert step.io is not None
        return step.io

    def _weigh(self, step: Step) -> None:
        """A loss's gradient is its weight; it stays until somebody writes another."""
        if not step.wanted.backward:
            return
        assert step.io is not None
        for weight, dy in zip(step.node.loss_weights, step.io.dy, strict=True):
            if weight and self.device == "cpu":
                dy.fill(weight)
            elif weight:
                cuda.upload(dy, np.full(dy.shape, weight, dy.dtype))

    def forward(self, number: int) -> None:
        step, io = self.steps[number], self.refresh(number)
        if step.asks_for_shapes:
            for blob, shape in zip(step.tops, step.implementation.top_shapes(io) or (), strict=True):
                blob.reshape(*shape)
            io = self.refresh(number)
        step.implementation.forward(io)

    def backward(self, number: int) -> None:
        step = self.steps[number]
        if step.runs_backward:
            step.implementation.backward(self.refresh(number) if step.io is None else step.io)
