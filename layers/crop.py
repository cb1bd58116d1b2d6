"""Crop: a window cut out of the first bottom, as large as the second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted, exactly, shape_text
from brew.layer.registry import register_layer

_kernels = Kernels(r"""
// `spans` holds (size of x, size of y, offset) for each axis.
template <typename T>
__global__ void crop_forward(long long n, const T* x, T* y, const long long* spans, int axes) {
  FOR_EACH(i, n) {
    long long rest = i, place = 0, step = 1;
    for (int a = axes - 1; a >= 0; --a) {
      place += (rest % spans[3 * a + 1] + spans[3 * a + 2]) * step;
      rest /= spans[3 * a + 1];
      step *= spans[3 * a];
    }
    y[i] = x[place];
  }
}

template <typename T>
__global__ void crop_backward(long long n, const T* dy, T* dx, const long long* spans, int axes) {
  FOR_EACH(i, n) {
    long long rest = i, place = 0, step = 1;
    bool inside = true;
    for (int a = axes - 1; a >= 0; --a) {
      long long at = rest % spans[3 * a] - spans[3 * a + 2];
      inside = inside && at >= 0 && at < spans[3 * a + 1];
      place += at * step;
      rest /= spans[3 * a];
      step *= spans[3 * a + 1];
    }
    dx[i] = inside ? dy[place] : T(0);
  }
}
""")


class Span(NamedTuple):
    """The part that is kept of one axis, or of several that lie together."""

    whole: int
    kept: int
    offset: int


@register_layer
class Crop(Layer):
    """Cuts a window out of x. Only the shape of the second bottom counts; its gradient is zero.

    Bottoms  x           (... x n_i x ...)
             reference   (any sizes before the axis, and sizes m_i <= n_i from it on)
    Top      y           (the sizes of x before the axis, m_i from it on)
    Params   crop_param.axis, default 2: the first axis that is cut; negative counts from the end
             crop_param.offset, default 0: where the window begins; one for all axes cut, or one for each
    Example  bottom: "x" bottom: "like" top: "y" crop_param { axis: 2 offset: 1 }
    """

    type = "Crop"
    bottoms = exactly(2)
    reads = frozenset()
    only_moves = True

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [tuple(span.kept for span in self.spans(bottom))]

    def spans(self, bottom: Sequence[Shape]) -> list[Span]:
        """For each axis of x what of it is kept; errors where that does not fit."""
        x, reference = bottom
        axis = self.axis(self.param.crop_param.axis, len(x), "crop_param", "axis")
        if len(reference) < len(x):
            raise self.shape_error("a second bottom with as many axes as the first", bottom)
        spans = [Span(n, n, 0) for n in x[:axis]]
        spans += map(Span, x[axis:], reference[axis:], self._offsets(len(x) - axis))
        if any(s.offset + s.kept > s.whole for s in spans):
            window = f"{shape_text([s.kept for s in spans])} from ({', '.join(str(s.offset) for s in spans)}) on"
            raise self.shape_error(f"the window, {window}, to lie within the first bottom", bottom, "crop_param")
        return spans

    def _offsets(self, axes: int) -> list[int]:
        given = list(self.param.crop_param.offset) or [0]
        if len(given) not in (1, axes):
            message = f"{len(given)} offsets for {axes} axes: none, one, or one per axis from `axis` on"
            raise self.error(message, "crop_param", "offset")
        return given * axes if len(given) == 1 else given


@Crop.runs_on("cpu")
class _CPU(Implementation[Crop]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.window = tuple(slice(s.offset, s.offset + s.kept) for s in self.layer.spans(shapes.x))
        return {}

    def forward(self, io: Arrays) -> None:
        np.copyto(io.y[0], io.x[0][self.window])

    def backward(self, io: Arrays) -> None:
        for dx in io.dx:
            if dx is not None:
                dx.fill(0)
        if io.dx[0] is not None:
            io.dx[0][self.window] = io.dy[0]


@Crop.runs_on("cuda")
class _CUDA(Implementation[Crop]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        spans = _joined(self.layer.spans(shapes.x))
        self.axes, self.spans = len(spans), cuda.asarray(np.array(spans, np.int64))
        return {}

    def forward(self, io: Arrays) -> None:
        _kernels.crop_forward(io.y[0].size, io.x[0], io.y[0], self.spans, self.axes)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            _kernels.crop_backward(io.dx[0].size, io.dy[0], io.dx[0], self.spans, self.axes)
        if io.dx[1] is not None:
            cuda.zero(io.dx[1])


def _joined(spans: Sequence[Span]) -> list[Span]:
    """The same window over fewer axes: one that is kept whole is part of the axis before it."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.kept == span.whole:
            n = span.whole
            joined[-1] = Span(*(value * n for value in joined[-1]))
        else:
            joined.append(span)
    return joined
