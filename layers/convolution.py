"""Convolution: every output plane a weighted sum of windows over the input planes."""

from __future__ import annotations

from collections.abc import Mapping

from brew.layer import Arrays, Buffer, Shape, Shapes, Wanted, shape_text
from brew.ops.bias import add_bias, add_bias_cuda, add_bias_gradient, add_bias_gradient_cuda
from brew.ops.columns import Bank
from brew.ops.correlation import Correlation
from brew.ops.correlation_cuda import CorrelationCUDA
from brew.registry import register_layer

from ._filters import Filters, Planes


@register_layer
class Convolution(Filters):
    """Cross-correlation with learned filters; any number of spatial axes.

    Bottoms  x   (N..., C, *size): axes before `axis` are batch, `axis` is the channels; all bottoms of one shape
    Tops     y   (N..., num_output, *out), out = floor((size + 2 pad - dilation (kernel - 1) - 1) / stride) + 1
    Params   W   (num_output, C / group, *kernel), shared by all bottoms
             b   (num_output), unless bias_term is false
    Param    convolution_param: num_output, bias_term (true), kernel_size or kernel_h and kernel_w, stride (1), pad (0),
             dilation (1), group (1), axis (1), weight_filler, bias_filler. force_nd_im2col changes no result.
    Example  bottom: "x" top: "y" convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } }
    """

    type = "Convolution"

    def bank(self, bottom: Shape) -> Bank:
        batch, channels, size, window = self.parts(bottom)
        out = window.floor_size(size)
        if any(n < 1 for n in out):
            padded, extent = shape_text(window.padded(size)), shape_text(window.extent)
            text = f"a kernel that reaches {extent} does not fit into the padded input, {padded}"
            raise self.error(text, "convolution_param", "kernel_size")
        return Bank(batch, self.own.group, channels, self.own.num_output, size, out, window)

    def top_size(self, bank: Bank) -> Shape:
        return bank.out


@Convolution.runs_on("cpu")
class _CPU(Planes):
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
class _CUDA(Planes):
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
