"""Averages of sliding windows over planes: x (planes, H, W), y (planes, out H, out W).

The divisor is Caffe's: the window's part of the input and its padding. What overhangs the padding does not count, and
a window that holds nothing of the input gives 0.
"""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Buffer, Shape

from .window import Window

_kernels = Kernels(r"""
// Elements of input and padding that the window at (top, left) covers.
__device__ inline long long divisor(int top, int left, int height, int width, int kernel_h, int kernel_w, int pad_h,
                                    int pad_w) {
  return (long long)(min(top + kernel_h, height + pad_h) - top) * (min(left + kernel_w, width + pad_w) - left);
}

template <typename T>
__global__ void average_pool_forward(long long n, const T* x, T* y, int height, int width, int out_height,
                                     int out_width, int kernel_h, int kernel_w, int stride_h, int stride_w,
                                     int pad_h, int pad_w) {
  FOR_EACH(i, n) {
    int top = (int)(i / out_width % out_height) * stride_h - pad_h, left = (int)(i % out_width) * stride_w - pad_w;
    const T* plane = x + i / out_width / out_height * height * width;
    T sum = 0;
    for (int h = max(top, 0); h < min(top + kernel_h, height); ++h)
      for (int w = max(left, 0); w < min(left + kernel_w, width); ++w) sum += plane[h * width + w];
    bool empty = top >= height || left >= width;
    y[i] = empty ? T(0) : sum / divisor(top, left, height, width, kernel_h, kernel_w, pad_h, pad_w);
  }
}

template <typename T>
__global__ void average_pool_backward(long long n, const T* dy, T* dx, int height, int width, int out_height,
                                      int out_width, int kernel_h, int kernel_w, int stride_h, int stride_w,
                                      int pad_h, int pad_w) {
  FOR_EACH(i, n) {
    int w = (int)(i % width), h = (int)(i / width % height);
    const T* plane = dy + i / width / height * out_height * out_width;
    int first_h = h + pad_h < kernel_h ? 0 : (h + pad_h - kernel_h) / stride_h + 1;
    int first_w = w + pad_w < kernel_w ? 0 : (w + pad_w - kernel_w) / stride_w + 1;
    T sum = 0;
    for (int a = first_h; a <= min((h + pad_h) / stride_h, out_height - 1); ++a)
      for (int b = first_w; b <= min((w + pad_w) / stride_w, out_width - 1); ++b)
        sum += plane[a * out_width + b] / divisor(a * stride_h - pad_h, b * stride_w - pad_w, height, width,
                                                  kernel_h, kernel_w, pad_h, pad_w);
    dx[i] = sum;
  }
}
""")


class AveragePool:
    """On the CPU: rows are added up first, then columns."""

    def __init__(self, window: Window, planes: int, size: Shape, out: Shape) -> None:
        self.size, self.out, self.planes = size, out, planes
        self.tall, self.wide = (_axis(window, axis) for axis in (0, 1))
        counts = []
        for n, o, k, s, p in zip(size, out, window.kernel, window.stride, window.pad, strict=True):
            start = np.arange(o) * s - p
            covered = np.minimum(start + k, n + p) - start
            counts.append(np.where(start < n, covered, np.inf))
        self.share = 1 / np.outer(*counts)  # 0 where the window holds nothing

    def buffers(self, *, backward: bool) -> dict[str, Buffer]:
        rows = {"rows": Buffer((self.planes, self.out[0], self.size[1]))}
        return rows | {"parts": Buffer((self.planes, *self.out))} if backward else rows

    def forward(self, x: Array, y: Array, work: dict[str, Array]) -> None:
        rows = work["rows"]
        rows[...], y[...] = 0, 0
        for offset in range(self.tall.kernel[0]):
            (windows,), (elements,) = self.tall.meeting((offset,), self.size[:1], self.out[:1])
            rows[:, windows] += x[:, elements]
        for offset in range(self.wide.kernel[0]):
            (windows,), (elements,) = self.wide.meeting((offset,), self.size[1:], self.out[1:])
            y[:, :, windows] += rows[:, :, elements]
        np.multiply(y, self.share, out=y, casting="same_kind")

    def backward(self, dy: Array, dx: Array, work: dict[str, Array]) -> None:
        rows, parts = work["rows"], work["parts"]
        np.multiply(dy, self.share, out=parts, casting="same_kind")
        rows[...], dx[...] = 0, 0
        for offset in range(self.wide.kernel[0]):
            (windows,), (elements,) = self.wide.meeting((offset,), self.size[1:], self.out[1:])
            rows[:, :, elements] += parts[:, :, windows]
        for offset in range(self.tall.kernel[0]):
            (windows,), (elements,) = self.tall.meeting((offset,), self.size[:1], self.out[:1])
            dx[:, elements] += rows[:, windows]


class AveragePoolCUDA:
    """The same on the device."""

    def __init__(self, window: Window, planes: int, size: Shape, out: Shape) -> None:
        self.sizes = *size, *out, *window.kernel, *window.stride, *window.pad

    def buffers(self, *, backward: bool) -> dict[str, Buffer]:
        return {}

    def forward(self, x: Array, y: Array, work: dict[str, Array]) -> None:
        _kernels.average_pool_forward(y.size, x, y, *self.sizes)

    def backward(self, dy: Array, dx: Array, work: dict[str, Array]) -> None:
        _kernels.average_pool_backward(dx.size, dy, dx, *self.sizes)


def _axis(window: Window, axis: int) -> Window:
    part = slice(axis, axis + 1)
    return Window(window.kernel[part], window.stride[part], window.pad[part], window.dilation[part])
