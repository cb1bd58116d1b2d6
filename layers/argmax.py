"""ArgMax: the indices or values of the largest elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.ops.fold import Fold, fold
from brew.ops.pieces import PIECE, pieces
from brew.proto.brew_pb2 import LayerParameter

_COALESCED = 32  # from so many neighbours on, a thread per item reads memory as well as a block does

_kernels = Kernels(r"""
// Whether a, at place i, comes before b at place j: larger, or equal and further back. NaN is largest.
template <typename T>
__device__ inline bool argmax_before(T a, long long i, T b, long long j) {
  bool larger = a > b || (a != a && b == b), equal = a == b || (a != a && b != b);
  return larger || (equal && i > j);
}

// The best element from `first` on, in steps, among those that come after (last, last_place); place -1 for none.
template <typename T>
__device__ inline long long argmax_scan(const T* x, long long dim, long long inner, long long first, long long step,
                                        T last, long long last_place, bool any) {
  long long best = -1;
  for (long long d = first; d < dim; d += step) {
    T value = x[d * inner];
    if (any || argmax_before(last, last_place, value, d))
      if (best < 0 || argmax_before(value, d, x[best * inner], best)) best = d;
  }
  return best;
}

template <typename T>
__global__ void argmax_thread(long long n, const T* x, T* index, T* value, long long dim, long long inner,
                              long long top_k, long long pitch, bool indices, bool values) {
  FOR_EACH(item, n) {
    const T* row = x + item / inner * dim * inner + item % inner;
    long long out = item / inner * pitch + item % inner, place = 0;
    for (long long k = 0; k < top_k; ++k) {
      place = argmax_scan(row, dim, inner, 0, 1, row[place * inner], place, k == 0);
      if (indices) index[out + k * inner] = (T)place;
      if (values) value[out + k * inner] = row[place * inner];
    }
  }
}

template <typename T>
__global__ void argmax_block(long long n, const T* x, T* index, T* value, long long dim, long long inner,
                             long long top_k, long long pitch, bool indices, bool values) {
  __shared__ long long found[256];
  FOR_EACH_BLOCK(item, n) {
    const T* row = x + item / inner * dim * inner + item % inner;
    long long out = item / inner * pitch + item % inner, place = 0;
    for (long long k = 0; k < top_k; ++k) {
      found[threadIdx.x] =
          argmax_scan(row, dim, inner, threadIdx.x, blockDim.x, row[place * inner], place, k == 0);
      __syncthreads();
      for (int half = 128; half > 0; half /= 2) {
        if (threadIdx.x < half) {
          long long mine = found[threadIdx.x], other = found[threadIdx.x + half];
          if (other >= 0 && (mine < 0 || argmax_before(row[other * inner], other, row[mine * inner], mine)))
            found[threadIdx.x] = other;
        }
        __syncthreads();
      }
      place = found[0];
      __syncthreads();
      if (threadIdx.x == 0 && indices) index[out + k * inner] = (T)place;
      if (threadIdx.x == 0 && values) value[out + k * inner] = row[place * inner];
    }
  }
}
""")


@register_layer
class ArgMax(Layer):
    """The top_k largest elements of each item or along an axis, largest first; of equal ones the last comes first.

    Bottom   x   (N x ...)
    Top      y   without an axis the indices in the flattened items (N x 1 x k), or with out_max_val the indices and
                 the values (N x 2 x k), and as many axes of 1 behind as x has more than 3;
                 with one the shape of x, but k along the axis: the indices, or with out_max_val the values
    Params   argmax_param.top_k, default 1; argmax_param.out_max_val, default false
             argmax_param.axis, default none, negative counts from the end
    Example  bottom: "x" top: "y" argmax_param { top_k: 3 }

    Indices are stored as floats. NaN counts as larger than all numbers. No gradient.
    """

    type = "ArgMax"
    reads = frozenset()
    no_gradient = frozenset({0})

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.argmax_param
        self.top_k: int = self.own.top_k
        self.has_axis: bool = self.own.HasField("axis")
        if self.top_k < 1:
            raise self.error("top_k must be at least 1", "argmax_param", "top_k")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        shape = bottom[0]
        if not shape:
            raise self.shape_error("a bottom of at least 1 axis", bottom)
        dim = self.fold(shape).dim
        if self.top_k > dim:
            raise self.error(f"top_k {self.top_k} is more than the {dim} elements", "argmax_param", "top_k")
        if not self.has_axis:
            return [(shape[0], 1 + self.own.out_max_val, self.top_k, *[1] * (len(shape) - 3))]
        axis = self._axis(shape)
        return [(*shape[:axis], self.top_k, *shape[axis + 1 :])]

    def _axis(self, bottom: Shape) -> int:
        return self.axis(self.own.axis, len(bottom), "argmax_param", "axis")

    def fold(self, bottom: Shape) -> Fold:
        return fold(bottom, self._axis(bottom)) if self.has_axis else Fold(bottom[0], count(bottom[1:]), 1)


class _ArgMax(Implementation[ArgMax]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        layer = self.layer
        self.fold = layer.fold(shapes.x[0])
        self.indices = not (layer.has_axis and layer.own.out_max_val)
        self.values: bool = layer.own.out_max_val
        return {}

    def tops(self, y: Array) -> tuple[Array, Array]:
        """Where indices and where values go, (outer, k, inner) each; the one that is not asked for is the other."""
        outer, _, inner = self.fold
        k = self.layer.top_k
        both = y.reshape(outer, k * (1 + (self.indices and self.values)), inner)
        return both[:, :k], both[:, -k:]

    def backward(self, io: Arrays) -> None:
        """Nothing: the bottom can have no gradient."""


@ArgMax.runs_on("cpu")
class _CPU(_ArgMax):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        outer, dim, inner = self.fold
        self.step = max(1, min(outer, 8 * PIECE // max(1, dim * inner)))  # of outer, taken together
        if self.layer.top_k == 1:
            return {"rank": Buffer((self.step, dim, inner)), "best": Buffer((self.step, inner))}
        rows = self.step, inner, dim
        groups = max(64, 4 * self.layer.top_k)
        self.groups = groups if dim >= 2 * groups else 0  # of a row's elements; 0 where all of it is sorted
        return {"rows": Buffer(rows), "maxima": Buffer((*rows[:2], self.groups))}

    def bind(self, io: Arrays) -> None:
        self.ranks = np.arange(1, self.fold.dim + 1, dtype=self.layer.context.dtype)[:, None]

    def forward(self, io: Arrays) -> None:
        x, (index, value) = self.fold.of(io.x[0]), self.tops(io.y[0])
        for part in pieces(self.fold.outer, self.step):
            work = {name: array[: part.stop - part.start] for name, array in io.work.items()}
            if self.layer.top_k == 1:
                self._one(x[part], index[part, 0], value[part, 0], **work)
            else:
                self._several(x[part], index[part], value[part], **work)

    def _one(self, x: Array, index: Array, value: Array, rank: Array, best: Array) -> None:
        """The last place that holds the maximum: the largest of 1 + place where it is, 0 elsewhere."""
        np.max(x, axis=1, out=best)
        np.equal(x, best[:, None], out=rank)
        if np.isnan(best).any():
            np.copyto(rank, 1, where=np.isnan(x))
        if self.values:
            value[...] = best
        if self.indices:
            np.multiply(rank, self.ranks, out=rank)
            np.subtract(np.max(rank, axis=1, out=best), 1, out=index)

    def _several(self, x: Array, index: Array, value: Array, rows: Array, maxima: Array) -> None:
        k, (items, dim, inner) = self.layer.top_k, x.shape
        rows[...] = x.transpose(0, 2, 1)
        flat = rows.reshape(items * inner, dim)
        if self.groups == 0:
            chosen = np.argsort(flat, axis=1, kind="stable")[:, : -k - 1 : -1]
        else:
            chosen = self._chosen(flat, maxima.reshape(len(flat), self.groups))
        if self.values:
            value[...] = np.take_along_axis(flat, chosen, axis=1).reshape(items, inner, k).transpose(0, 2, 1)
        if self.indices:
            index[...] = chosen.reshape(items, inner, k).transpose(0, 2, 1)

    def _chosen(self, rows: Array, maxima: Array) -> Array:
        """The places (rows, k) of the largest in each row: only what may be among them is sorted.

        The k-th largest of the maxima of groups of elements is at most the k-th largest of all.
        """
        k, size = self.layer.top_k, rows.shape[1] // self.groups
        np.max(rows[:, : size * self.groups].reshape(len(rows), size, self.groups), axis=1, out=maxima)
        maxima.partition(self.groups - k, axis=1)
        row, place = np.nonzero(~(rows < maxima[:, -k, None]))
        order = np.lexsort((place, rows[row, place], row))
        ends = np.cumsum(np.bincount(row, minlength=len(rows)))
        chosen: Array = place[order[ends[:, None] - 1 - np.arange(k)]]
        return chosen


@ArgMax.runs_on("cuda")
class _CUDA(_ArgMax):
    def forward(self, io: Arrays) -> None:
        (outer, dim, inner), y = self.fold, io.y[0].reshape(-1)
        k = self.layer.top_k
        pitch = k * inner * (1 + (self.indices and self.values))
        # With both, the values of an item stand behind its indices.
        value = y[k:] if self.indices and self.values else y
        few = inner >= _COALESCED or dim < _COALESCED
        launch = _kernels.argmax_thread if few else _kernels.argmax_block.by_block
        launch(outer * inner, io.x[0], y, value, dim, inner, k, pitch, self.indices, self.values)
