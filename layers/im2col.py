"""Im2col: the column matrices that a convolution multiplies, as a top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.layer import Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, at_least, count
from brew.layer.registry import register_layer
from brew.ops.windows.im2col import ColumnsCUDA, col2im, im2col
from brew.ops.windows.window import Window, convolution_window, fitting_size
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Im2col(Layer):
    """Every window of the input, as a column of channels and kernel offsets; padding counts as 0.

    Bottoms  x   (N..., C, *size): axes before `axis` are batch, `axis` is the channels; all bottoms of one shape
    Tops     y   (N..., C k, *out), k the elements of a kernel, channels slowest;
                 out = floor((size + 2 pad - dilation (kernel - 1) - 1) / stride) + 1
    Param    convolution_param: kernel_size or kernel_h and kernel_w, stride (1), pad (0), dilation (1), axis (1); the
             others say nothing here
    Example  bottom: "x" top: "y" convolution_param { kernel_size: 3 }
    """

    type = "Im2col"
    bottoms = at_least(1)
    tops = at_least(1)
    reads = frozenset()

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        if len(param.bottom) != len(param.top):
            raise self.error(f"takes one top per bottom; there are {len(param.bottom)} and {len(param.top)}", "top")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if any(shape != bottom[0] for shape in bottom):
            raise self.shape_error("bottoms of one shape", bottom)
        axis, window = self.channel_axis(bottom[0]), self.window(bottom[0])
        size = bottom[0][axis + 1 :]
        out = fitting_size(window, size, self.error)
        return [(*bottom[0][:axis], bottom[0][axis] * count(window.kernel), *out)] * len(bottom)

    def channel_axis(self, bottom: Shape) -> int:
        return self.axis(self.param.convolution_param.axis, len(bottom), "convolution_param", "axis")

    def window(self, bottom: Shape) -> Window:
        axes = len(bottom) - self.channel_axis(bottom) - 1
        return convolution_window(self.param.convolution_param, axes, self.error)


class _Columns(Implementation[Im2col]):
    """The base for both devices: blobs seen as images, (batch, channels, *size), and as columns."""

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        x, y = shapes.x[0], shapes.y[0]
        axis, self.window = self.layer.channel_axis(x), self.layer.window(x)
        batch, size, out = count(x[:axis]), x[axis + 1 :], y[axis + 1 :]
        self.sizes = x[axis], size, out
        self.image = (batch, x[axis], *size)
        self.columns = (batch, x[axis], *self.window.kernel, *out)
        return {}


@Im2col.runs_on("cpu")
class _CPU(_Columns):
    def forward(self, io: Arrays) -> None:
        for x, y in zip(io.x, io.y, strict=True):
            im2col(x.reshape(self.image), y.reshape(self.columns), self.window)

    def backward(self, io: Arrays) -> None:
        for dy, dx in zip(io.dy, io.dx, strict=True):
            if dx is not None:
                col2im(dy.reshape(self.columns), dx.reshape(self.image), self.window)


@Im2col.runs_on("cuda")
class _CUDA(_Columns):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        self.copies = ColumnsCUDA(self.window, *self.sizes, by_image=True)
        return {}

    def forward(self, io: Arrays) -> None:
        for x, y in zip(io.x, io.y, strict=True):
            self.copies.im2col(x.reshape(self.image), y)

    def backward(self, io: Arrays) -> None:
        for dy, dx in zip(io.dy, io.dx, strict=True):
            if dx is not None:
                self.copies.col2im(dy, dx.reshape(self.image))
