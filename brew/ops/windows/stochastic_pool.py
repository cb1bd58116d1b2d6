"""Stochastic pooling (Zeiler and Fergus, ICLR 2013) of non-negative planes: x (planes, H, W), y (planes, out H, out W).

In training each window gives one of its elements, drawn with probability proportional to its value: the first whose
running sum reaches u times the window's sum. In testing it gives the mean under these probabilities, sum x² / sum x,
and 0 where the sum is not above 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Buffer, Shape, count
from brew.layer.random import Stream

from .max_pool import MaxPoolCUDA, Places
from .window import Window

_kernels = Kernels(r"""
template <typename T>
__global__ void stochastic_pool_draw(long long n, const T* x, T* y, int* place, unsigned long long key0,
                                     unsigned long long key1, const unsigned long long* passes, int height,
                                     int width, int out_height, int out_width, int kernel_h, int kernel_w,
                                     int stride_h, int stride_w) {
  FOR_EACH(i, n) {
    int top = (int)(i / out_width % out_height) * stride_h, left = (int)(i % out_width) * stride_w;
    int bottom = min(top + kernel_h, height), right = min(left + kernel_w, width);
    const T* plane = x + i / out_width / out_height * height * width;
    T sum = 0;
    for (int h = top; h < bottom; ++h)
      for (int w = left; w < right; ++w) sum += plane[h * width + w];
    T threshold = T((philox_uint32(key0, key1, passes[0], i) + 1.0) / 4294967296.0) * sum;
    int where = -1;
    sum = 0;
    for (int h = top; h < bottom && where < 0; ++h)
      for (int w = left; w < right && where < 0; ++w) {
        sum += plane[h * width + w];
        if (sum >= threshold) where = h * width + w;
      }
    place[i] = where;
    y[i] = where < 0 ? T(0) : plane[where];
  }
}

template <typename T>
__global__ void stochastic_pool_mean(long long n, const T* x, T* y, int height, int width, int out_height,
                                     int out_width, int kernel_h, int kernel_w, int stride_h, int stride_w) {
  FOR_EACH(i, n) {
    int top = (int)(i / out_width % out_height) * stride_h, left = (int)(i % out_width) * stride_w;
    const T* plane = x + i / out_width / out_height * height * width;
    T sum = 0, squares = 0;
    for (int h = top; h < min(top + kernel_h, height); ++h)
      for (int w = left; w < min(left + kernel_w, width); ++w) {
        T value = plane[h * width + w];
        sum += value;
        squares += value * value;
      }
    y[i] = sum > 0 ? squares / sum : T(0);
  }
}

// One thread per element of x. dy times the derivative of the mean, (2 x - y) / sum; the sum is made again.
template <typename T>
__global__ void stochastic_pool_mean_backward(long long n, const T* x, const T* dy, T* dx, int height, int width,
                                              int out_height, int out_width, int kernel_h, int kernel_w,
                                              int stride_h, int stride_w) {
  FOR_EACH(i, n) {
    int w = (int)(i % width), h = (int)(i / width % height);
    long long number = i / width / height;
    const T* plane = x + number * height * width;
    const T* gradients = dy + number * out_height * out_width;
    T total = 0;
    for (int a = h < kernel_h ? 0 : (h - kernel_h) / stride_h + 1; a <= min(h / stride_h, out_height - 1); ++a)
      for (int b = w < kernel_w ? 0 : (w - kernel_w) / stride_w + 1; b <= min(w / stride_w, out_width - 1); ++b) {
        T sum = 0, squares = 0;
        for (int r = a * stride_h; r < min(a * stride_h + kernel_h, height); ++r)
          for (int c = b * stride_w; c < min(b * stride_w + kernel_w, width); ++c) {
            sum += plane[r * width + c];
            squares += plane[r * width + c] * plane[r * width + c];
          }
        if (sum > 0) total += gradients[a * out_width + b] * (2 * x[i] - squares / sum) / sum;
      }
    dx[i] = total;
  }
}
""")


class StochasticPool:
    """On the CPU. `draw` is training's way; else the mean."""

    def __init__(self, window: Window, planes: int, size: Shape, out: Shape, stream: Stream, *, draw: bool) -> None:
        self.places = Places(window, planes, size, out)
        self.window, self.size, self.out, self.stream, self.draw = window, size, out, stream, draw
        self.shape = (planes, *out)

    def buffers(self, *, backward: bool) -> dict[str, Buffer]:
        result = {"sum": Buffer(self.shape), "other": Buffer(self.shape)}
        if self.draw:
            hits = {"hit": Buffer(self.shape, np.bool_), "found": Buffer(self.shape, np.bool_)}
            return result | hits | self.places.buffers(saved=backward, backward=True)
        return result | {"input": Buffer((self.shape[0], *self.size), kept=True)} if backward else result

    def forward(self, x: Array, y: Array, passes: Array, work: dict[str, Array]) -> None:
        total, other = work["sum"], work["other"]
        total[...] = 0
        for windows, elements in self._meetings():
            total[windows] += x[elements]
        if self.draw:
            draws = self.stream.uint32(y.size, index=int(passes[0])).astype(np.float64)
            share = ((draws + 1) / 2**32).astype(y.dtype).reshape(y.shape)
            total *= share
            self._choose(x, total, other, work)
            self._gather(x, y, work)
            return
        self._mean(x, y, total, other)
        if "input" in work:
            work["input"][...] = x

    def backward(self, dy: Array, dx: Array, work: dict[str, Array]) -> None:
        if self.draw:
            self.places.scatter(dy, work["place"], dx, work["index"])
            return
        x, total, mean = work["input"], work["sum"], work["other"]
        total[...] = 0
        for windows, elements in self._meetings():
            total[windows] += x[elements]
        self._mean(x, mean, total, mean)
        share = np.divide(dy, total, out=np.zeros_like(dy), where=total > 0)
        dx[...] = 0
        for windows, elements in self._meetings():
            dx[elements] += share[windows] * (2 * x[elements] - mean[windows])

    def _meetings(self) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
        for offset in np.ndindex(self.window.kernel):
            windows, elements = self.window.meeting(offset, self.size, self.out)
            yield (slice(None), *windows), (slice(None), *elements)

    def _choose(self, x: Array, threshold: Array, running: Array, work: dict[str, Array]) -> None:
        """Count the offsets before the first whose running sum reaches the threshold."""
        place, hit, found = work["place"], work["hit"], work["found"]
        place[...], found[...], running[...] = 0, False, 0
        for windows, elements in self._meetings():
            running[windows] += x[elements]
            hit[...] = False
            np.greater_equal(running[windows], threshold[windows], out=hit[windows])
            np.logical_or(found, hit, out=found)
            np.logical_not(found, out=hit)
            np.add(place, hit.view(np.uint8), out=place)

    def _gather(self, x: Array, y: Array, work: dict[str, Array]) -> None:
        index = work["index"]
        self.places.indices(work["place"], index)
        index += np.arange(len(x))[:, np.newaxis, np.newaxis] * count(self.size)
        np.take(x, index, out=y, mode="clip")
        y[work["place"] == self.places.none] = 0

    def _mean(self, x: Array, y: Array, total: Array, squares: Array) -> None:
        squares[...] = 0
        for windows, elements in self._meetings():
            squares[windows] += np.square(x[elements])
        np.copyto(y, squares)
        np.divide(y, total, out=y, where=total > 0)
        np.copyto(y, 0, where=~(total > 0))


class StochasticPoolCUDA:
    """The same on the device, with the same draws."""

    def __init__(self, window: Window, planes: int, size: Shape, out: Shape, stream: Stream, *, draw: bool) -> None:
        self.maxima = MaxPoolCUDA(window, planes, size, out, places=True)
        self.sizes = *size, *out, *window.kernel, *window.stride
        self.image, self.stream, self.draw = (planes, *size), stream, draw

    def buffers(self, *, backward: bool) -> dict[str, Buffer]:
        if self.draw:
            return self.maxima.buffers(backward=backward)
        return {"input": Buffer(self.image, kept=True)} if backward else {}

    def forward(self, x: Array, y: Array, passes: Array, work: dict[str, Array]) -> None:
        if self.draw:
            _kernels.stochastic_pool_draw(y.size, x, y, work["place"], *self.stream.key, passes, *self.sizes)
            return
        _kernels.stochastic_pool_mean(y.size, x, y, *self.sizes)
        if "input" in work:
            work["input"][...] = x

    def backward(self, dy: Array, dx: Array, work: dict[str, Array]) -> None:
        if self.draw:
            self.maxima.backward(dy, dx, work)
        else:
            _kernels.stochastic_pool_mean_backward(dx.size, work["input"], dy, dx, *self.sizes)
