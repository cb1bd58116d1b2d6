"""Columns: every window of an image laid out in a column, and their sum back into an image. Any number of axes."""

from __future__ import annotations

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Array, Shape, count

from .window import Window

# `plan` holds six numbers per spatial axis: size, kernel, stride, pad, dilation, out.
_kernels = Kernels(r"""
// One thread per element of the columns: row (channel, kernel offset), image, window.
template <typename T>
__global__ void im2col(long long n, const T* x, T* columns, const long long* plan, int axes, int channels, int images,
                       long long offsets, long long windows, long long size, long long row_step,
                       long long image_step) {
  FOR_EACH(i, n) {
    long long window = i % windows, rest = i / windows;
    long long image = rest % images, row = rest / images;
    long long channel = row / offsets, offset = row % offsets;
    long long left = window, at = 0, step = 1;
    bool inside = true;
    for (int axis = axes - 1; axis >= 0; --axis) {
      const long long* a = plan + 6 * axis;
      long long position = left % a[5] * a[2] - a[3] + offset % a[1] * a[4];
      inside = inside && position >= 0 && position < a[0];
      at += position * step;
      step *= a[0];
      left /= a[5];
      offset /= a[1];
    }
    columns[row * row_step + image * image_step + window] =
        inside ? x[(image * channels + channel) * size + at] : T(0);
  }
}

// One thread per element of the image: sums what the windows that hold it have for it.
template <typename T>
__global__ void col2im(long long n, const T* columns, T* x, const long long* plan, int axes, int channels,
                       long long offsets, long long size, long long row_step, long long image_step) {
  FOR_EACH(i, n) {
    long long position = i % size, channel = i / size % channels, image = i / size / channels;
    const T* source = columns + image * image_step + channel * offsets * row_step;
    T sum = 0;
    for (long long offset = 0; offset < offsets; ++offset) {
      long long left = position, rest = offset, window = 0, step = 1;
      bool hit = true;
      for (int axis = axes - 1; axis >= 0 && hit; --axis) {
        const long long* a = plan + 6 * axis;
        long long start = left % a[0] + a[3] - rest % a[1] * a[4];
        hit = start >= 0 && start % a[2] == 0 && start / a[2] < a[5];
        window += start / a[2] * step;
        step *= a[5];
        left /= a[0];
        rest /= a[1];
      }
      if (hit) sum += source[offset * row_step + window];
    }
    x[i] = sum;
  }
}
""")


_BOTH = (slice(None), slice(None))  # images and channels


def im2col(x: Array, columns: Array, window: Window) -> None:
    """columns (N, C, *kernel, *out) from x (N, C, *size), on the CPU; padding counts as 0."""
    axes = len(window.kernel)
    size, out = x.shape[2:], columns.shape[2 + axes :]
    if any(window.pad):
        columns[...] = 0
    for offset in np.ndindex(window.kernel):
        windows, elements = window.meeting(offset, size, out)
        columns[_BOTH + offset + windows] = x[_BOTH + elements]


def col2im(columns: Array, x: Array, window: Window) -> None:
    """x (N, C, *size) = the sum of what columns (N, C, *kernel, *out) hold for each element, on the CPU."""
    axes = len(window.kernel)
    size, out = x.shape[2:], columns.shape[2 + axes :]
    x[...] = 0
    for offset in np.ndindex(window.kernel):
        windows, elements = window.meeting(offset, size, out)
        x[_BOTH + elements] += columns[_BOTH + offset + windows]


class ColumnsCUDA:
    """The two copies on the device, for images of `channels` planes of `size`.

    Columns are matrices of `rows` = channels x kernel; with `by_image` one per image, (images, rows, windows), else
    one for all, (rows, images, windows).
    """

    def __init__(self, window: Window, channels: int, size: Shape, out: Shape, *, by_image: bool) -> None:
        self.channels, self.by_image = channels, by_image
        self.size, self.windows, self.offsets = count(size), count(out), count(window.kernel)
        self.axes = len(size)
        plan = zip(size, window.kernel, window.stride, window.pad, window.dilation, out, strict=True)
        self.plan = cuda.asarray(np.array([*plan] or [(0,) * 6], np.int64))

    @property
    def rows(self) -> int:
        return self.channels * self.offsets

    def _steps(self, images: int) -> tuple[int, int]:
        if self.by_image:
            return self.windows, self.windows * self.rows
        return self.windows * images, self.windows

    def im2col(self, x: Array, columns: Array) -> None:
        """Fill columns from x (images, channels, *size)."""
        images = len(x)
        _kernels.im2col(
            self.rows * images * self.windows, x, columns, self.plan, self.axes, self.channels, images,
            self.offsets, self.windows, self.size, *self._steps(images),
        )  # fmt: skip

    def col2im(self, columns: Array, x: Array) -> None:
        """Write x (images, channels, *size), the sum of its columns."""
        _kernels.col2im(
            x.size, columns, x, self.plan, self.axes, self.channels, self.offsets, self.size,
            *self._steps(len(x)),
        )  # fmt: skip
