"""LRN: local response normalisation, across channels or within each (Krizhevsky et al., NIPS 2012)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter, LRNParameter

_TILE = 1 << 17  # elements worked on at a time: the passes over them stay in cache

_kernels = Kernels(r"""
// The sum over element i's window, of x or of its squares; `within` is a square in the plane, else channels.
template <typename T>
__device__ T window_sum(const T* x, long long i, int channels, int height, int width, int half, int within,
                        bool squared) {
  int w = (int)(i % width), h = (int)(i / width % height), c = (int)(i / width / height % channels);
  long long plane = (long long)height * width;
  T sum = 0;
  if (within) {
    for (int a = max(h - half, 0); a <= min(h + half, height - 1); ++a)
      for (int b = max(w - half, 0); b <= min(w + half, width - 1); ++b) {
        T value = x[i + (long long)(a - h) * width + (b - w)];
        sum += squared ? value * value : value;
      }
  } else {
    for (int a = max(c - half, 0); a <= min(c + half, channels - 1); ++a) {
      T value = x[i + (a - c) * plane];
      sum += squared ? value * value : value;
    }
  }
  return sum;
}

template <typename T>
__global__ void lrn_forward(long long n, const T* x, T* y, T* scale, int channels, int height, int width, int half,
                            int within, T base, T factor, T beta) {
  FOR_EACH(i, n) {
    scale[i] = base + factor * window_sum(x, i, channels, height, width, half, within, true);
    y[i] = x[i] * pow(scale[i], -beta);
  }
}

template <typename T>
__global__ void lrn_ratio(long long n, const T* x, const T* dy, const T* scale, T* dx, T* ratio, T beta) {
  FOR_EACH(i, n) {
    dx[i] = dy[i] * pow(scale[i], -beta);
    ratio[i] = dx[i] * x[i] / scale[i];
  }
}

template <typename T>
__global__ void lrn_backward(long long n, const T* x, const T* ratio, T* dx, int channels, int height, int width,
                             int half, int within, T factor) {
  FOR_EACH(i, n) { dx[i] -= factor * x[i] * window_sum(ratio, i, channels, height, width, half, within, false); }
}
""")


@register_layer
class LRN(Layer):
    """y = x scale^-beta, scale = k + alpha / n * the sum of x² over a window of n elements.

    Bottom   x   (N, C, H, W)
    Top      y   (N, C, H, W)
    Param    lrn_param: local_size (5, odd), alpha (1), beta (0.75), k (1), norm_region. ACROSS_CHANNELS: local_size
             channels. WITHIN_CHANNEL: local_size x local_size of the plane, and as in Caffe k is ignored: it is 1.
    Example  bottom: "x" top: "y" lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }

    n does not shrink at the borders. The gradient is dx = dy scale^-beta - 2 alpha beta / n * x * the sum of
    dy y / scale over the window.
    """

    type = "LRN"
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        own = param.lrn_param
        if own.local_size % 2 == 0:
            raise self.error(f"local_size must be odd, got {own.local_size}", "lrn_param", "local_size")
        self.within = own.norm_region == LRNParameter.WITHIN_CHANNEL
        self.half = own.local_size // 2
        self.base: float = 1.0 if self.within else own.k
        self.factor: float = own.alpha / own.local_size ** (2 if self.within else 1)
        self.beta: float = own.beta

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if len(bottom[0]) != 4:
            raise self.shape_error("a bottom of 4 axes", bottom)
        return [bottom[0]]


@LRN.runs_on("cpu")
class _CPU(Implementation[LRN]):
    """Blobs are seen as (images, channels, positions), or as (planes, height, width) within channels."""

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        n, c, h, w = shapes.x[0]
        self.shape = (n * c, h, w) if self.layer.within else (n, c, h * w)
        # A tile is whole planes, or all channels of some positions of some images.
        self.items = max(1, min(self.shape[0], _TILE // max(1, count(self.shape[1:]))))
        fit = max(1, _TILE // max(1, self.shape[1]))
        self.columns = max(1, self.shape[2] if self.layer.within else min(self.shape[2], fit))
        tile = Buffer((self.items, self.shape[1], self.columns))
        scale = Buffer(self.shape, saved=wanted.backward)
        return {"scale": scale, "first": tile, "second": tile}

    def forward(self, io: Arrays) -> None:
        x, y, scale = io.x[0].reshape(self.shape), io.y[0].reshape(self.shape), io.work["scale"]
        for at in self._tiles():
            first, second = self._scratch(io, x[at])
            np.square(x[at], out=first)
            np.multiply(self._window_sums(first, second), self.layer.factor, out=scale[at])
            scale[at] += self.layer.base
            self._power(scale[at], first, second)
            np.divide(x[at], first, out=y[at])

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        x, dy, dx = (a.reshape(self.shape) for a in (io.x[0], io.dy[0], io.dx[0]))
        scale, factor = io.work["scale"], 2 * self.layer.factor * self.layer.beta
        for at in self._tiles():
            first, second = self._scratch(io, x[at])
            self._power(scale[at], first, second)
            np.divide(dy[at], first, out=dx[at])
            np.multiply(dx[at], x[at], out=first)
            first /= scale[at]
            sums = self._window_sums(first, second)
            sums *= x[at]
            sums *= factor
            dx[at] -= sums

    def _tiles(self) -> Iterator[tuple[slice, slice, slice]]:
        for start in range(0, self.shape[0], self.items):
            for column in range(0, self.shape[2], self.columns):
                yield slice(start, start + self.items), slice(None), slice(column, column + self.columns)

    def _scratch(self, io: Arrays, tile: Array) -> tuple[Array, Array]:
        part = (slice(tile.shape[0]), slice(None), slice(tile.shape[2]))
        return io.work["first"][part], io.work["second"][part]

    def _window_sums(self, values: Array, spare: Array) -> Array:
        """The sum over every element's window of `values`, in one of the two arrays; both are overwritten."""
        if not self.layer.within:
            _shifted_sum(values, spare, 1, self.layer.half)
            return spare
        _shifted_sum(values, spare, 2, self.layer.half)
        _shifted_sum(spare, values, 1, self.layer.half)
        return values

    def _power(self, scale: Array, target: Array, spare: Array) -> None:
        """target = scale^beta; the usual 3/4 by square roots."""
        if self.layer.beta == 0.75:
            np.sqrt(scale, out=target)
            np.sqrt(target, out=spare)
            target *= spare
        else:
            np.power(scale, self.layer.beta, out=target)


def _shifted_sum(source: Array, target: Array, axis: int, half: int) -> None:
    """target = the sum over source's elements at most `half` away along the axis."""
    target[...] = source
    source, target = np.moveaxis(source, axis, 0), np.moveaxis(target, axis, 0)
    for distance in range(1, min(half, len(source) - 1) + 1):
        target[distance:] += source[:-distance]
        target[:-distance] += source[distance:]


@LRN.runs_on("cuda")
class _CUDA(Implementation[LRN]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        sizes = shapes.x[0][1:]
        self.window = *sizes, min(self.layer.half, max(sizes)), self.layer.within
        scale = Buffer(shapes.x[0], saved=wanted.backward)
        return {"scale": scale, "ratio": Buffer(shapes.x[0])} if wanted.backward else {"scale": scale}

    def forward(self, io: Arrays) -> None:
        layer = self.layer
        constants = layer.base, layer.factor, layer.beta
        _kernels.lrn_forward(io.x[0].size, io.x[0], io.y[0], io.work["scale"], *self.window, *constants)

    def backward(self, io: Arrays) -> None:
        dx, ratio, layer = io.dx[0], io.work["ratio"], self.layer
        if dx is None:
            return
        _kernels.lrn_ratio(dx.size, io.x[0], io.dy[0], io.work["scale"], dx, ratio, layer.beta)
        _kernels.lrn_backward(dx.size, io.x[0], ratio, dx, *self.window, 2 * layer.factor * layer.beta)
