"""Convolution: every output plane a weighted sum of windows over the input planes."""

from __future__ import annotations

from collections.abc import Mapping

from brew.layer import Array, Buffer, Shape, Shapes, Wanted
from brew.layer.registry import register_layer
from brew.ops.windows.columns import Bank
from brew.ops.windows.correlation import Correlation
from brew.ops.windows.correlation_cuda import CorrelationCUDA
from brew.ops.windows.window import fitting_size

from ._filters import Filters, Planes, PlanesCPU, PlanesCUDA


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
        out = fitting_size(window, size, self.error)
        return Bank(batch, self.own.group, channels, self.own.num_output, size, out, window)

    def top_size(self, bank: Bank) -> Shape:
        return bank.out


class _Convolution(Planes):
    correlation: Correlation | CorrelationCUDA

    def product(self, x: Array, w: Array, y: Array, work: dict[str, Array]) -> None:
        self.correlation.forward(self.x_like(x), w, self.y_like(y), work)

    def gradients(
        self, x: Array, w: Array, dy: Array, dx: Array | None, dw: Array | None, work: dict[str, Array]
    ) -> None:
        target = None if dx is None else self.x_like(dx)
        self.correlation.backward(self.x_like(x), w, self.y_like(dy), target, dw, work)


@Convolution.runs_on("cpu")
class _CPU(_Convolution, PlanesCPU):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.bank = self.layer.bank(shapes.x[0])
        self.correlation = Correlation(self.bank, keep=wanted.params[0] and len(shapes.x) == 1)
        return self.correlation.buffers(dx=any(wanted.bottoms), dw=wanted.params[0])


@Convolution.runs_on("cuda")
class _CUDA(_Convolution, PlanesCUDA):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.bank = self.layer.bank(shapes.x[0])
        self.correlation = CorrelationCUDA(self.bank)
        return self.correlation.buffers()
