"""One layer by itself on one device, with memory of its own: brew.testing drives it in place of a net."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.proto.brew_pb2 import LayerParameter

from .arrays import Array, Arrays, Shapes, Wanted
from .contract import TEST, TRAIN, Context, Layer
from .filler import initial
from .layout import PLAIN, Shape, View
from .random import Stream

_ADDED_TO = 0.5  # in gradients of parameters before backward


class SingleLayer:
    """A layer of class `cls` for bottoms of these shapes, in hostile memory (see brew.testing)."""

    def __init__(
        self,
        cls: type[Layer],
        param: LayerParameter,
        bottoms: Sequence[Shape],
        device: str,
        dtype: np.dtype[Any],
        phase: str,
        seed: int,
        want: Wanted | None,
    ) -> None:
        self.device, self.dtype, self.seed = device, dtype, seed
        context = Context(phase={"TRAIN": TRAIN, "TEST": TEST}[phase], dtype=dtype, seed=seed)
        self.layer: Layer = cls(param, context)
        self.tops = [tuple(s) for s in self.layer.infer_shapes(bottoms)]
        self.declared = self.layer.declare_params(bottoms)
        shapes = Shapes(tuple(bottoms), tuple(self.tops), tuple(p.shape for p in self.declared))
        self.want = want or Wanted(
            tuple(i not in self.layer.no_gradient for i in range(len(bottoms))),
            tuple(p.learned for p in self.declared),
        )
        self.views = [self.layer.view(i) for i in range(len(self.tops))]
        if param.bottom and param.top and param.bottom[0] == param.top[0]:
            if not cls.in_place:
                raise self.layer.error("cannot run in place")
            self.views[0] = View(0, diff=True)
        self.implementation = self.layer.implementation(device)
        self.buffers = self.implementation.prepare_in([PLAIN] * len(bottoms), shapes, self.want).buffers
        self.io = self._allocate(shapes)
        self.implementation.bind(self.io)

    def _allocate(self, shapes: Shapes) -> Arrays:
        x, dx = ([self._empty(s, self.dtype) for s in shapes.x] for _ in range(2))
        y, dy = [], []
        for shape, view in zip(shapes.y, self.views, strict=True):
            y.append(x[view.bottom].reshape(shape) if view else self._empty(shape, self.dtype))
            dy.append(dx[view.bottom].reshape(shape) if view and view.diff else self._empty(shape, self.dtype))
        w, dw = ([self._empty(s, self.dtype) for s in shapes.w] for _ in range(2))
        work = {n: self._empty(b.shape, np.dtype(b.dtype or self.dtype)) for n, b in self.buffers.items()}
        for array in (*x, *y, *dx, *dy):
            self._fill(array, np.nan)
        for name, buffer in self.buffers.items():
            if buffer.kept:
                self._fill(work[name], 0)
        self.bottom_diffs = dx
        # The layer does not write a gradient that a view shares; it does write one in place.
        shared = {v.bottom for i, v in enumerate(self.views) if v and v.diff and self.layer.view(i)}
        wanted_dx = [
            a if k and i not in shared else None for i, (a, k) in enumerate(zip(dx, self.want.bottoms, strict=True))
        ]
        wanted_dw = [a if k else None for a, k in zip(dw, self.want.params, strict=True)]
        passes = self._empty((1,), np.dtype(np.uint64))
        return Arrays(x, y, w, wanted_dx, dy, wanted_dw, work, passes)

    def initial(self, params: Sequence[npt.ArrayLike] | None) -> list[Array]:
        """The parameters before the first forward: those given, or as the layer declares them."""
        if params is not None:
            return [np.array(p, self.dtype) for p in params]
        streams = (Stream(self.seed, f"{self.layer.name}/{i}") for i in range(len(self.declared)))
        return [initial(p, self.dtype, s, self.layer.error) for p, s in zip(self.declared, streams, strict=False)]

    def loss_weights(self) -> list[Array]:
        """The loss weights, which a net writes into the gradients of a loss's tops."""
        weights = [*self.layer.param.loss_weight] or [float(self.layer.is_loss)]
        weights += [0.0] * (len(self.tops) - len(weights))
        return [np.full(s, v, self.dtype) for s, v in zip(self.tops, weights, strict=True)]

    def forward(self, bottoms: Sequence[Array], passes: int) -> None:
        io = self.io
        for array in io.y:
            self._fill(array, np.nan)
        self.put(io.x, bottoms)
        self.put([io.passes], [np.array([passes], np.uint64)])
        self._reshape_tops()
        self._spoil({name for name, buffer in self.buffers.items() if not buffer.kept})
        self.implementation.forward(io)

    def _reshape_tops(self) -> None:
        """Reshape the tops of a layer whose top shapes depend on the values of its bottoms."""
        shapes = self.implementation.top_shapes(self.io)
        for i, shape in enumerate(shapes or ()):
            if self.io.y[i].shape != tuple(shape):
                self.io.y[i], self.io.dy[i] = (self._empty(tuple(shape), self.dtype) for _ in range(2))
                self.tops[i] = tuple(shape)
                self._fill(self.io.y[i], np.nan)

    def backward(self, top_diffs: Sequence[npt.ArrayLike]) -> tuple[list[Array | None], list[Array | None]]:
        """The gradients of bottoms and parameters that were wanted, the others None."""
        io = self.io
        for array in self.bottom_diffs:
            self._fill(array, np.nan)
        for weight_diff in io.dw:
            if weight_diff is not None:
                self._fill(weight_diff, _ADDED_TO)
        self.put(io.dy, [np.asarray(d, self.dtype) for d in top_diffs])
        self._spoil({name for name, buffer in self.buffers.items() if not buffer.kept and not buffer.saved})
        self._spoil_unread()
        if self.want.backward:
            self.implementation.backward(io)
        dx = zip(self.bottom_diffs, self.want.bottoms, strict=True)
        return (
            [self._host(a) if wanted else None for a, wanted in dx],
            [None if a is None else self._host(a) - self.dtype.type(_ADDED_TO) for a in io.dw],
        )

    def _spoil(self, buffers: Set[str]) -> None:
        for name in buffers:
            self._fill(self.io.work[name], np.nan)

    def _spoil_unread(self) -> None:
        """Overwrite values that backward does not read, unless values that it reads share their memory."""
        reads = self.layer.reads
        shared = {v.bottom for v in self.views if v}
        for i, array in enumerate(self.io.x):
            if "x" not in reads and not ("y" in reads and i in shared):
                self._fill(array, np.nan)
        for array, view in zip(self.io.y, self.views, strict=True):
            if "y" not in reads and not (view and "x" in reads):
                self._fill(array, np.nan)

    # --- memory on either device ----------------------------------------------------------------------------------

    def _empty(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        return cuda.empty(shape, dtype) if self.device == "cuda" else np.empty(shape, dtype)

    def _fill(self, array: Array, value: float) -> None:
        """Fill with `value`; in arrays of integers, the largest value stands for NaN."""
        if np.isnan(value) and array.dtype.kind != "f":
            value = 1 if array.dtype.kind == "b" else np.iinfo(array.dtype).max
        self.put([array], [np.full(array.shape, value, array.dtype)])

    def put(self, arrays: Sequence[Array], hosts: Sequence[Array]) -> None:
        for array, host in zip(arrays, hosts, strict=True):
            if array.shape != host.shape:
                raise ValueError(f"{self.layer.type}: an array of shape {host.shape} where {array.shape} belongs")
            if self.device == "cuda":
                cuda.upload(array, host)
            else:
                array[...] = host

    def get(self, arrays: Sequence[Array]) -> list[Array]:
        return [self._host(a) for a in arrays]

    def _host(self, array: Array) -> Array:
        return cuda.asnumpy(array) if self.device == "cuda" else array.copy()
