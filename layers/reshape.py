"""Reshape: the same values under another shape."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Arrays, Context, Implementation, Layer, Shape, View, count, shape_text
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Reshape(Layer):
    """Some axes of the bottom are replaced by `shape`; the memory is the bottom's.

    Bottom   x   (any shape)
    Top      y   (axes before `axis`, then shape.dim, then the axes behind the replaced ones; as many elements)
    Params   reshape_param.shape.dim: a size, or 0 to copy the bottom's size at that position (counted from
             `axis`), or -1, at most once, for whatever is left
             reshape_param.axis, default 0: the first axis replaced; -1 is behind the last one
             reshape_param.num_axes, default -1: how many are replaced; -1 is all from `axis` on
    Example  bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: -1 } }

    Where an empty axis leaves -1 open, it is inferred as if each empty axis held one.
    """

    type = "Reshape"
    reads = frozenset()
    only_moves = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.dims = [int(d) for d in param.reshape_param.shape.dim]
        if any(d < -1 for d in self.dims) or self.dims.count(-1) > 1:
            message = f"shape {self.dims} must hold sizes, 0 and at most one -1"
            raise self.error(message, "reshape_param", "shape")
        if param.reshape_param.num_axes < -1:
            message = f"num_axes must be -1 or more, got {param.reshape_param.num_axes}"
            raise self.error(message, "reshape_param", "num_axes")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        shape = bottom[0]
        start, stop = self._replaced(shape)
        top = [*shape[:start], *self.dims, *shape[stop:]]
        for i, dim in enumerate(self.dims, start):
            if dim == 0:
                if i >= len(shape):
                    message = f"dim {i - start} is 0, to be copied from axis {i}, but the bottom has {len(shape)}"
                    raise self.error(message, "reshape_param", "shape")
                top[i] = shape[i]
        if -1 in self.dims:
            top[start + self.dims.index(-1)] = self._left(shape, top)
        if count(top) != count(shape):
            expected = f"as many elements as the top {shape_text(top)} has, {count(top)}"
            raise self.shape_error(expected, bottom, "reshape_param", "shape")
        return [tuple(top)]

    def _replaced(self, shape: Shape) -> tuple[int, int]:
        """The axes that go: start <= axis < stop."""
        param, ndim = self.param.reshape_param, len(shape)
        start = param.axis if param.axis >= 0 else ndim + param.axis + 1
        if not 0 <= start <= ndim:
            message = f"axis {param.axis} is out of range for {ndim} axes ({-ndim - 1} to {ndim})"
            raise self.error(message, "reshape_param", "axis")
        stop = ndim if param.num_axes == -1 else start + param.num_axes
        if stop > ndim:
            message = f"num_axes {param.num_axes} from axis {start} is beyond the bottom's {ndim} axes"
            raise self.error(message, "reshape_param", "num_axes")
        return start, stop

    def _left(self, shape: Shape, top: Sequence[int]) -> int:
        """The size that -1 stands for."""
        have, given = count(shape), count([d for d in top if d != -1])
        if have == 0 and given == 0:
            have, given = count([d or 1 for d in shape]), count([d or 1 for d in top if d != -1])
        if given == 0 or have % given:
            raise self.shape_error(f"a count divisible by {given}, for -1", [shape], "reshape_param", "shape")
        return have // given

    def view(self, top: int) -> View:
        return View(0)


@Reshape.runs_on("cuda")
@Reshape.runs_on("cpu")
class _Nothing(Implementation[Reshape]):
    """The top and its gradient are views."""

    def forward(self, io: Arrays) -> None:
        pass

    def backward(self, io: Arrays) -> None:
        pass
