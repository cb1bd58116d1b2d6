"""Convolution: every output plane a weighted sum of windows over the input planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.layer import (
    Array,
    Arrays,
    Buffer,
    Context,
    Implementation,
    Layer,
    Param,
    Shape,
    Shapes,
    Wanted,
    at_least,
    count,
    shape_text,
)
from brew.ops.bias import add_bias, add_bias_cuda, add_bias_gradient, add_bias_gradient_cuda
from brew.ops.columns import Bank
from brew.ops.correlation import Correlation
from brew.ops.correlation_cuda import CorrelationCUDA
from brew.ops.window import convolution_window
from brew.proto.brew_pb2 import LayerParameter
from brew.registry import register_layer


@register_layer
class Convolution(Layer):
    """Cross-correlation with learned filters; any number of spatial axes.

    Bottoms  x   (N..., C, *size): axes before `axis` are batch, `axis` is the channels; all bottoms of one shape
    Tops     y   (N..., num_output, *out), out = floor((size + 2 pad - dilation (kernel - 1) - 1) / stride) + 1
    Params   W   (num_output, C / group, *kernel), shared by all bottoms
             b   (num_output), unless bias_term is false
    Param    convolution_param: num_output, bias_term (true), kernel_size or kernel_h and kernel_w, stride (1), pad (0),
             dilation (1), group (1), axis (1), weight_filler, bias_filler. force_nd_im2col changes no result.
    """

    type = "Convolution"
    bottoms = at_least(1)
    tops = at_least(1)
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.convolution_param
        for field in ("num_output", "group"):
            if getattr(self.own, field) < 1:
                raise self.error(f"{field} must be at least 1", "convolution_param", field)
        if len(param.bottom) != len(param.top):
            raise self.error(f"takes one top per bottom; there are {len(param.bottom)} and {len(param.top)}", "top")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if any(shape != bottom[0] for shape in bottom):
            raise self.shape_error("bottoms of one shape", bottom)
        bank = self.bank(bottom[0])
        axis = self.channel_axis(bottom[0])
        return [(*bottom[0][:axis], bank.outputs, *bank.out)] * len(bottom)

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        bank = self.bank(bottom[0])
        weights = (bank.outputs, bank.inputs // bank.group, *bank.window.kernel)
        params = [Param(weights, self.own.weight_filler), Param((bank.outputs,), self.own.bias_filler)]
        return params if self.own.bias_term else params[:1]

    def channel_axis(self, bottom: Shape) -> int:
        return self.axis(self.own.axis, len(bottom), "convolution_param", "axis")

    def bank(self, bottom: Shape) -> Bank:
        """The sizes of the correlation for bottoms of this shape, checked."""
        axis = self.channel_axis(bottom)
        channels, size = bottom[axis], bottom[axis + 1 :]
        for name, planes in (("num_output", self.own.num_output), ("the bottom's channels", channels)):
            if planes % self.own.group:
                text = f"group {self.own.group} does not divide {name}, {planes}"
                raise self.error(text, "convolution_param", "group")
        window = convolution_window(self.own, len(size), self.error)
        out = window.floor_size(size)
        if any(n < 1 for n in out):
            padded, extent = shape_text(window.padded(size)), shape_text(window.extent)
            text = f"a kernel that reaches {extent} does not fit into the padded input, {padded}"
            raise self.error(text, "convolution_param", "kernel_size")
        return Bank(count(bottom[:axis]), self.own.group, channels, self.own.num_output, size, out, window)


class _Planes(Implementation[Convolution]):
    """What both devices share: blobs seen as (batch, channels, ...)."""

    bank: Bank

    def x_like(self, blob: Array) -> Array:
        return blob.reshape(self.bank.batch, self.bank.inputs, *self.bank.size)

    def y_like(self, blob: Array) -> Array:
        return blob.reshape(self.bank.batch, self.bank.outputs, *self.bank.out)

    def flat(self, blob: Array) -> Array:
        return blob.reshape(self.bank.batch, self.bank.outputs, count(self.bank.out))


@Convolution.runs_on("cpu")
class _CPU(_Planes):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.bank = self.layer.bank(shapes.x[0])
        keep = wanted.params[0] and len(shapes.x) == 1
        self.correlation = Correlation(self.bank, keep=keep)
        return self.correlation.buffers(dx=any(wanted.bottoms), dw=wanted.params[0])

    def forward(self, io: Arrays) -> None:
        for x, y in zip(io.x, io.y, strict=True):
            self.correlation.forward(self.x_like(x), io.w[0], self.y_like(y), io.work)
            if len(io.w) > 1:
                add_bias(self.flat(y), io.w[1])

    def backward(self, io: Arrays) -> None:
        for x, dy, dx in zip(io.x, io.dy, io.dx, strict=True):
            target = None if dx is None else self.x_like(dx)
            self.correlation.backward(self.x_like(x), io.w[0], self.y_like(dy), target, io.dw[0], io.work)
            if len(io.dw) > 1 and io.dw[1] is not None:
                add_bias_gradient(self.flat(dy), io.dw[1])


@Convolution.runs_on("cuda")
class _CUDA(_Planes):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.bank = self.layer.bank(shapes.x[0])
        self.correlation = CorrelationCUDA(self.bank)
        return self.correlation.buffers()

    def forward(self, io: Arrays) -> None:
        for x, y in zip(io.x, io.y, strict=True):
            self.correlation.forward(self.x_like(x), io.w[0], self.y_like(y), io.work)
            if len(io.w) > 1:
                add_bias_cuda(self.flat(y), io.w[1])

    def backward(self, io: Arrays) -> None:
        for x, dy, dx in zip(io.x, io.dy, io.dx, strict=True):
            target = None if dx is None else self.x_like(dx)
            self.correlation.backward(self.x_like(x), io.w[0], self.y_like(dy), target, io.dw[0], io.work)
            if len(io.dw) > 1 and io.dw[1] is not None:
                add_bias_gradient_cuda(self.flat(dy), io.dw[1])
