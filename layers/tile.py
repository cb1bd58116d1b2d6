"""Tile: the bottom repeated along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.ops.fold import Fold
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
template <typename T>
__global__ void tile_forward(long long n, const T* x, T* y, long long tiles, long long inner) {
  FOR_EACH(i, n) { y[i] = x[i / inner / tiles * inner + i % inner]; }
}

template <typename T>
__global__ void tile_backward(long long n, const T* dy, T* dx, long long tiles, long long inner) {
  FOR_EACH(i, n) {
    const T* first = dy + i / inner * tiles * inner + i % inner;
    T sum = 0;
    for (long long t = 0; t < tiles; ++t) sum += first[t * inner];
    dx[i] = sum;
  }
}
""")


@register_layer
class Tile(Layer):
    """Repeats the bottom along one axis, all of it before it begins again; the gradient is the sum over the copies.

    Bottom   x   (... x n x ...)
    Top      y   (... x tiles * n x ...)
    Params   tile_param.tiles, which must be given; tile_param.axis, default 1, negative counts from the end
    Example  bottom: "x" top: "y" tile_param { tiles: 2 }
    """

    type = "Tile"
    reads = frozenset()
    only_moves = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.tiles: int = param.tile_param.tiles
        if self.tiles < 1:
            raise self.error(f"tiles must be given and at least 1, got {self.tiles}", "tile_param", "tiles")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        axis = self.tiled(bottom[0])
        return [(*bottom[0][:axis], self.tiles * bottom[0][axis], *bottom[0][axis + 1 :])]

    def tiled(self, bottom: Shape) -> int:
        """The axis that is repeated, counted from the front."""
        return self.axis(self.param.tile_param.axis, len(bottom), "tile_param", "axis")


class _Tile(Implementation[Tile]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        axis, shape = self.layer.tiled(shapes.x[0]), shapes.x[0]
        self.fold = Fold(count(shape[:axis]), self.layer.tiles, count(shape[axis:]))  # of y; x is one tile
        return {}


@Tile.runs_on("cpu")
class _CPU(_Tile):
    def forward(self, io: Arrays) -> None:
        np.copyto(self.fold.of(io.y[0]), io.x[0].reshape(self.fold.outer, 1, self.fold.inner))

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            np.sum(self.fold.of(io.dy[0]), axis=1, out=dx.reshape(self.fold.outer, self.fold.inner))


@Tile.runs_on("cuda")
class _CUDA(_Tile):
    def forward(self, io: Arrays) -> None:
        _kernels.tile_forward(io.y[0].size, io.x[0], io.y[0], self.fold.dim, self.fold.inner)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            _kernels.tile_backward(dx.size, io.dy[0], dx, self.fold.dim, self.fold.inner)
