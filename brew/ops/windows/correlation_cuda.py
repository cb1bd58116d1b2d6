"""Cross-correlation and its adjoints on CUDA: columns of a tile of images, then one matrix product for the tile."""

from __future__ import annotations

from collections.abc import Iterator

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Array, Buffer, count

from .columns import Bank
from .im2col import ColumnsCUDA

_TILE = 1 << 25  # elements of columns made at a time

_kernels = Kernels(r"""
// target (b, a, inner) = source (a, b, inner)
template <typename T>
__global__ void swap_first(long long n, const T* source, T* target, long long a, long long b, long long inner) {
  FOR_EACH(i, n) {
    long long position = i % inner, rest = i / inner;
    target[i] = source[((rest % a) * b + rest / a) * inner + position];
  }
}
""")


class CorrelationCUDA:
    """Forward and both gradients for one `Bank`, as `brew.ops.windows.correlation.Correlation` has them for the CPU."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.windows = count(bank.out)
        self.columns = ColumnsCUDA(bank.window, bank.inputs, bank.size, bank.out, by_image=False)
        fit = max(1, _TILE // max(1, self.columns.rows * self.windows))
        tiles = max(1, -(-bank.batch // fit))
        self.images = max(1, -(-bank.batch // tiles))
        # The images are their own columns: a product per image, straight from x to y.
        self.direct = bank.window.is_pointwise and bank.group == 1

    def buffers(self) -> dict[str, Buffer]:
        width = self.images * self.windows
        return {
            "columns": Buffer((self.bank.group, self.bank.depth, width)),
            "result": Buffer((self.bank.group, self.bank.outputs // self.bank.group, width)),
        }

    def forward(self, x: Array, w: Array, y: Array, work: dict[str, Array]) -> None:
        """y = x correlated with w."""
        if self.direct:
            cuda.gemm(w.reshape(self.bank.weights[1:]), self._planes(x), self._planes(y))
            return
        for part in self._tiles():
            columns, result = self._matrices(part, work)
            self.columns.im2col(x[part], columns)
            cuda.gemm(w.reshape(self.bank.weights), columns, result)
            images = part.stop - part.start
            _kernels.swap_first(result.size, result, y[part], self.bank.outputs, images, self.windows)

    def backward(
        self,
        x: Array | None,
        w: Array,
        dy: Array,
        dx: Array | None,
        dw: Array | None,
        work: dict[str, Array],
    ) -> None:
        """dx = the gradient of x, and dw += the gradient of w, from dy; x is read for dw only."""
        weights = w.reshape(self.bank.weights)
        if dx is not None and self.direct:
            cuda.gemm(weights[0], self._planes(dy), self._planes(dx), trans_a=True)
            dx = None
        if dx is None and dw is None:
            return
        for part in self._tiles():
            columns, result = self._matrices(part, work)
            images = part.stop - part.start
            _kernels.swap_first(result.size, dy[part], result, images, self.bank.outputs, self.windows)
            if x is not None and dw is not None:
                self.columns.im2col(x[part], columns)
                cuda.gemm(result, columns, dw.reshape(self.bank.weights), trans_b=True, beta=1.0)
            if dx is not None:
                cuda.gemm(weights, result, columns, trans_a=True)
                self.columns.col2im(columns, dx[part])

    def _tiles(self) -> Iterator[slice]:
        for start in range(0, self.bank.batch, self.images):
            yield slice(start, min(start + self.images, self.bank.batch))

    def _matrices(self, part: slice, work: dict[str, Array]) -> tuple[Array, Array]:
        """Columns and products of a tile, (group, depth, images x windows) and (group, outputs, ...)."""
        width = (part.stop - part.start) * self.windows
        group, outputs, depth = self.bank.weights
        columns = work["columns"].reshape(-1)[: group * depth * width].reshape(group, depth, width)
        result = work["result"].reshape(-1)[: group * outputs * width].reshape(group, outputs, width)
        return columns, result

    def _planes(self, blob: Array) -> Array:
        return blob.reshape(self.bank.batch, blob.shape[1], self.windows)
