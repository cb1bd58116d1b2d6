"""Deconvolution: the adjoint of a convolution, run forward; it enlarges where a convolution makes smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from brew.layer import Array, Buffer, Shape, Shapes, Wanted, shape_text
from brew.layer.registry import register_layer
from brew.ops.windows.columns import Bank
from brew.ops.windows.correlation import Correlation
from brew.ops.windows.correlation_cuda import CorrelationCUDA

from ._filters import Filters, Planes, PlanesCPU, PlanesCUDA


@register_layer
class Deconvolution(Filters):
    """Every input element adds its filter, times itself, into the output; any number of spatial axes.

    Bottoms  x   (N..., C, *size): axes before `axis` are batch, `axis` is the channels; all bottoms of one shape
    Tops     y   (N..., num_output, *out), out = stride (size - 1) + dilation (kernel - 1) + 1 - 2 pad
    Params   W   (C, num_output / group, *kernel), shared by all bottoms: a Convolution from y to x has the same
             b   (num_output), unless bias_term is false
    Param    convolution_param: num_output, bias_term (true), kernel_size or kernel_h and kernel_w, stride (1), pad (0),
             dilation (1), group (1), axis (1), weight_filler, bias_filler. force_nd_im2col changes no result.
    Example  bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 4 stride: 2 }

    With filler "bilinear", kernel_size 2 f - f % 2, stride f, pad ceil((f - 1) / 2) and group and num_output C, it
    enlarges planes f times by linear interpolation.
    """

    type = "Deconvolution"

    def bank(self, bottom: Shape) -> Bank:
        """The sizes of the correlation that this is the adjoint of: its x is the top, its y the bottom."""
        batch, channels, size, window = self.parts(bottom)
        top = window.transposed_size(size)
        if any(n < 1 for n in (*size, *top)):
            text = f"the top would be {shape_text(top)}: the padding takes more than there is"
            raise self.error(text, "convolution_param", "pad")
        return Bank(batch, self.own.group, self.own.num_output, channels, top, size, window)

    def top_size(self, bank: Bank) -> Shape:
        return bank.size


class _Deconvolution(Planes):
    correlation: Correlation | CorrelationCUDA

    def product(self, x: Array, w: Array, y: Array, work: dict[str, Array]) -> None:
        self.correlation.backward(None, w, self.y_like(x), self.x_like(y), None, work)

    def gradients(
        self, x: Array, w: Array, dy: Array, dx: Array | None, dw: Array | None, work: dict[str, Array]
    ) -> None:
        if dx is not None:
            self.correlation.forward(self.x_like(dy), w, self.y_like(dx), work)
        if dw is not None:
            self.correlation.backward(self.x_like(dy), w, self.y_like(x), None, dw, work)


@Deconvolution.runs_on("cpu")
class _CPU(_Deconvolution, PlanesCPU):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.bank = self.layer.bank(shapes.x[0])
        # Both gradients need the columns of dy: made for the first, they serve the second.
        self.correlation = Correlation(self.bank, keep=all(wanted.bottoms) and wanted.params[0])
        buffers = self.correlation.buffers(dx=True, dw=wanted.params[0])
        return {name: replace(buffer, kept=False) for name, buffer in buffers.items()}


@Deconvolution.runs_on("cuda")
class _CUDA(_Deconvolution, PlanesCUDA):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.bank = self.layer.bank(shapes.x[0])
        self.correlation = CorrelationCUDA(self.bank)
        return self.correlation.buffers()
