"""Maxima of sliding windows over planes: x (planes, H, W), y (planes, out H, out W).

The first maximum in raster order wins (a later one must be greater), padding never takes part, and NaN is never
greater. A window in which nothing is greater than -FLT_MAX gives -FLT_MAX, has no place and passes no gradient.
"""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Buffer, Shape, count

from .window import Window

_TILE = 1 << 17  # elements of x looked at together
LOWEST = float(np.finfo(np.float32).min)  # Caffe's -FLT_MAX, in float64 nets too

_kernels = Kernels(r"""
template <typename T>
__global__ void max_pool_forward(long long n, const T* x, T* y, int* place, T* mask, int height, int width,
                                 int out_height, int out_width, int kernel_h, int kernel_w, int stride_h,
                                 int stride_w, int pad_h, int pad_w, int with_mask) {
  FOR_EACH(i, n) {
    int top = (int)(i / out_width % out_height) * stride_h - pad_h, left = (int)(i % out_width) * stride_w - pad_w;
    const T* plane = x + i / out_width / out_height * height * width;
    T best = T(-3.402823466e+38f);
    int where = -1;
    for (int h = max(top, 0); h < min(top + kernel_h, height); ++h)
      for (int w = max(left, 0); w < min(left + kernel_w, width); ++w)
        if (plane[h * width + w] > best) {
          where = h * width + w;
          best = plane[where];
        }
    y[i] = best;
    place[i] = where;
    if (with_mask) mask[i] = where;
  }
}

// One thread per element of x: the windows that hold it, and chose it.
template <typename T>
__global__ void max_pool_backward(long long n, const T* dy, const int* place, T* dx, int height, int width,
                                  int out_height, int out_width, int kernel_h, int kernel_w, int stride_h,
                                  int stride_w, int pad_h, int pad_w) {
  FOR_EACH(i, n) {
    int w = (int)(i % width), h = (int)(i / width % height), here = h * width + w;
    long long plane = i / width / height * out_height * out_width;
    int first_h = h + pad_h < kernel_h ? 0 : (h + pad_h - kernel_h) / stride_h + 1;
    int first_w = w + pad_w < kernel_w ? 0 : (w + pad_w - kernel_w) / stride_w + 1;
    T sum = 0;
    for (int a = first_h; a <= min((h + pad_h) / stride_h, out_height - 1); ++a)
      for (int b = first_w; b <= min((w + pad_w) / stride_w, out_width - 1); ++b)
        if (place[plane + a * out_width + b] == here) sum += dy[plane + a * out_width + b];
    dx[i] = sum;
  }
}
""")


class Places:
    """Which element of each window was chosen, on the CPU: the raster number of its offset in the kernel.

    Windows that chose none hold the kernel's size.
    """

    def __init__(self, window: Window, planes: int, size: Shape, out: Shape) -> None:
        self.window, self.planes, self.size, self.out = window, planes, size, out
        self.none = count(window.kernel)
        self.dtype = np.dtype(np.uint8 if self.none < 256 else np.int32)
        corners = [np.arange(n) * s - p for n, s, p in zip(out, window.stride, window.pad, strict=True)]
        self.corner = corners[0][:, np.newaxis] * size[1] + corners[1]  # index of each window's first element

    def buffers(self, *, saved: bool, backward: bool) -> dict[str, Buffer]:
        shape = (self.planes, *self.out)
        result = {"place": Buffer(shape, self.dtype, saved=saved)}
        return result | {"index": Buffer(shape, np.intp)} if backward else result

    def indices(self, place: Array, target: Array) -> None:
        """target = the place's index in its plane; meaningless where there is none."""
        np.floor_divide(place, self.window.kernel[1], out=target, casting="unsafe", dtype=place.dtype)
        target *= self.size[1] - self.window.kernel[1]
        target += place
        target += self.corner

    def scatter(self, dy: Array, place: Array, dx: Array, index: Array) -> None:
        """dx = dy, each at the element its window chose, added up."""
        dx[...] = 0
        self.indices(place, index)
        index += np.arange(self.planes)[:, np.newaxis, np.newaxis] * count(self.size)
        flat, where, what = dx.reshape(-1), index.reshape(-1), dy.reshape(-1)
        chosen = place.reshape(-1) < self.none
        if not chosen.all():
            where, what = where[chosen], what[chosen]
        np.add.at(flat, where, what)


class MaxPool:
    """On the CPU: for some planes at a time, so that they stay in cache, a pass over the outputs per offset.

    Where there are fewer windows than offsets, as over whole planes, it is a reduction per window.
    """

    def __init__(self, window: Window, planes: int, size: Shape, out: Shape, *, places: bool) -> None:
        self.places = Places(window, planes, size, out) if places else None
        self.planes, self.out, self.kernel, self.none = planes, out, window.kernel, count(window.kernel)
        self.by_window = count(out) < self.none
        self.together = max(1, min(planes, _TILE // max(count(size), 1)))
        self.meetings, self.windows = [], []
        for offset in () if self.by_window else np.ndindex(window.kernel):
            windows, elements = window.meeting(offset, size, out)
            self.meetings.append(((slice(None), *windows), (slice(None), *elements)))
        for index in np.ndindex(out) if self.by_window else ():
            corner = [i * s - p for i, s, p in zip(index, window.stride, window.pad, strict=True)]
            inside = [(max(c, 0), min(c + k, n)) for c, k, n in zip(corner, window.kernel, size, strict=True)]
            if all(first < stop for first, stop in inside):
                skipped = (inside[0][0] - corner[0]) * window.kernel[1] + inside[1][0] - corner[1]
                elements = (slice(None), *(slice(first, stop) for first, stop in inside))
                self.windows.append(((slice(None), *index), elements, skipped))

    def buffers(self, *, backward: bool) -> dict[str, Buffer]:
        if self.places is None:
            return {}
        hits = {"hit": Buffer((self.together, *(self.kernel if self.by_window else self.out)), np.bool_)}
        if not self.by_window:
            hits["found"] = Buffer((self.together, *self.out), np.bool_)
        return self.places.buffers(saved=backward, backward=backward) | hits

    def forward(self, x: Array, y: Array, mask: Array | None, work: dict[str, Array]) -> None:
        y[...] = LOWEST
        for start in range(0, self.planes, self.together):
            part = slice(start, min(start + self.together, self.planes))
            for windows, elements in self.meetings:
                np.fmax(y[part][windows], x[part][elements], out=y[part][windows])
            for place, elements, _ in self.windows:
                best = y[part][place]
                np.fmax(best, np.fmax.reduce(x[part][elements], axis=(1, 2)), out=best)
            if self.places is not None:
                find = self._find_by_window if self.by_window else self._find
                find(x[part], y[part], work["place"][part], work)
        if mask is not None and self.places is not None:
            self.places.indices(work["place"], mask)
            mask[work["place"] == self.places.none] = -1

    def backward(self, dy: Array, dx: Array, work: dict[str, Array]) -> None:
        if self.places is not None:
            self.places.scatter(dy, work["place"], dx, work["index"])

    def _find(self, x: Array, y: Array, place: Array, work: dict[str, Array]) -> None:
        """Count the offsets before the first element that equals the maximum."""
        hit, found = work["hit"][: len(x)], work["found"][: len(x)]
        place[...], found[...] = 0, False
        for windows, elements in self.meetings:
            here = hit[windows]
            if here.size < hit.size:
                hit[...] = False
            np.equal(x[elements], y[windows], out=here)
            np.logical_or(found, hit, out=found)
            np.logical_not(found, out=hit)
            np.add(place, hit.view(np.uint8), out=place)
        np.less_equal(y, LOWEST, out=hit)
        np.copyto(place, self.none, where=hit)

    def _find_by_window(self, x: Array, y: Array, place: Array, work: dict[str, Array]) -> None:
        """The first element of each window that equals its maximum."""
        for index, elements, skipped in self.windows:
            values = x[elements]
            planes, height, width = values.shape
            hit = work["hit"].reshape(-1)[: values.size].reshape(planes, height, width)
            np.equal(values, y[index][:, np.newaxis, np.newaxis], out=hit)
            row, column = np.divmod(hit.reshape(planes, height * width).argmax(axis=1), width)
            place[index] = row * self.kernel[1] + column + skipped
        place[y <= LOWEST] = self.none


class MaxPoolCUDA:
    """The same on the device. The place kept is the index in the plane, -1 for none."""

    def __init__(self, window: Window, planes: int, size: Shape, out: Shape, *, places: bool) -> None:
        self.shape = (planes, *out)
        self.sizes = *size, *out, *window.kernel, *window.stride, *window.pad

    def buffers(self, *, backward: bool) -> dict[str, Buffer]:
        return {"place": Buffer(self.shape, np.int32, saved=backward)}

    def forward(self, x: Array, y: Array, mask: Array | None, work: dict[str, Array]) -> None:
        target = y if mask is None else mask
        _kernels.max_pool_forward(y.size, x, y, work["place"], target, *self.sizes, mask is not None)

    def backward(self, dy: Array, dx: Array, work: dict[str, Array]) -> None:
        _kernels.max_pool_backward(dx.size, dy, work["place"], dx, *self.sizes)
