"""The base of Convolution and Deconvolution: their message, its checks, and blobs seen as a correlation's arrays."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Array, Arrays, Context, Implementation, Layer, Param, Shape, at_least, count
from brew.ops.bias import add_bias, add_bias_cuda, add_bias_gradient, add_bias_gradient_cuda
from brew.ops.windows.columns import Bank
from brew.ops.windows.window import Window, convolution_window
from brew.proto.brew_pb2 import LayerParameter


class Filters(Layer):
    """A layer with a bank of filters, which any number of bottoms share."""

    bottoms = at_least(1)
    tops = at_least(1)
    reads = frozenset("x")
    weights_in = "convolution_param"

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.convolution_param
        for field in ("num_output", "group"):
            if getattr(self.own, field) < 1:
                hint = "num_output: 64, say: the number of filters" if field == "num_output" else None
                raise self.error(f"{field} must be at least 1", "convolution_param", field, hint=hint)
        if len(param.bottom) != len(param.top):
            raise self.error(f"takes one top per bottom; there are {len(param.bottom)} and {len(param.top)}", "top")

    def bank(self, bottom: Shape) -> Bank:
        """The sizes of the correlation for bottoms of this shape, checked."""
        raise NotImplementedError

    def top_size(self, bank: Bank) -> Shape:
        """The spatial axes of the tops."""
        raise NotImplementedError

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if any(shape != bottom[0] for shape in bottom):
            raise self.shape_error("bottoms of one shape", bottom)
        batch = bottom[0][: self.channel_axis(bottom[0])]
        return [(*batch, self.own.num_output, *self.top_size(self.bank(bottom[0])))] * len(bottom)

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        bank = self.bank(bottom[0])
        weights = (bank.outputs, bank.inputs // bank.group, *bank.window.kernel)
        params = [Param(weights, self.own.weight_filler), Param((self.own.num_output,), self.own.bias_filler)]
        return params if self.own.bias_term else params[:1]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        bank = self.bank(bottom[0])
        return len(bottom) * bank.batch * bank.outputs * count(bank.out) * bank.depth

    def channel_axis(self, bottom: Shape) -> int:
        return self.axis(self.own.axis, len(bottom), "convolution_param", "axis")

    def parts(self, bottom: Shape) -> tuple[int, int, Shape, Window]:
        """A bottom's batch, channels and spatial axes, and the window over them; the groups are checked."""
        axis = self.channel_axis(bottom)
        channels, size = bottom[axis], bottom[axis + 1 :]
        if not channels:
            raise self.shape_error("at least one channel", [bottom], "convolution_param", "axis")
        for name, planes in (("num_output", self.own.num_output), ("the bottom's channels", channels)):
            if planes % self.own.group:
                text = f"group {self.own.group} does not divide {name}, {planes}"
                hint = "group must divide both the channels of the bottom and num_output"
                raise self.error(text, "convolution_param", "group", hint=hint)
        return count(bottom[:axis]), channels, size, convolution_window(self.own, len(size), self.error)


class Planes(Implementation[Filters]):
    """The base for both layers and both devices: blobs seen as the x and y of the correlation, and the bias.

    A layer gives `product` and `gradients`, a device the two functions of the bias.
    """

    bank: Bank

    def product(self, x: Array, w: Array, y: Array, work: dict[str, Array]) -> None:
        """y = x and the filters w, without the bias."""
        raise NotImplementedError

    def gradients(
        self, x: Array, w: Array, dy: Array, dx: Array | None, dw: Array | None, work: dict[str, Array]
    ) -> None:
        """dx = the gradient of x, and dw += the gradient of w, those that are wanted."""
        raise NotImplementedError

    def add_bias(self, y: Array, b: Array) -> None:
        """y (batch, num_output, positions) += b (num_output)."""
        raise NotImplementedError

    def add_bias_gradient(self, dy: Array, db: Array) -> None:
        """db (num_output) += the sums of dy (batch, num_output, positions)."""
        raise NotImplementedError

    def forward(self, io: Arrays) -> None:
        for x, y in zip(io.x, io.y, strict=True):
            self.product(x, io.w[0], y, io.work)
            if len(io.w) > 1:
                self.add_bias(self.flat(y), io.w[1])

    def backward(self, io: Arrays) -> None:
        for x, dy, dx in zip(io.x, io.dy, io.dx, strict=True):
            self.gradients(x, io.w[0], dy, dx, io.dw[0], io.work)
            if len(io.dw) > 1 and io.dw[1] is not None:
                self.add_bias_gradient(self.flat(dy), io.dw[1])

    def x_like(self, blob: Array) -> Array:
        return blob.reshape(self.bank.batch, self.bank.inputs, *self.bank.size)

    def y_like(self, blob: Array) -> Array:
        return blob.reshape(self.bank.batch, self.bank.outputs, *self.bank.out)

    def flat(self, blob: Array) -> Array:
        """A top as (batch, num_output, positions)."""
        return blob.reshape(self.bank.batch, self.layer.own.num_output, count(self.layer.top_size(self.bank)))


class PlanesCPU(Planes):
    def add_bias(self, y: Array, b: Array) -> None:
        add_bias(y, b)

    def add_bias_gradient(self, dy: Array, db: Array) -> None:
        add_bias_gradient(dy, db)


class PlanesCUDA(Planes):
    def add_bias(self, y: Array, b: Array) -> None:
        add_bias_cuda(y, b)

    def add_bias_gradient(self, dy: Array, db: Array) -> None:
        add_bias_gradient_cuda(dy, db)
