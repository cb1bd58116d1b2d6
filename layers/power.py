"""Power: y = (shift + scale * x) ^ power."""

from __future__ import annotations

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Array, Context
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
// u ^ power, with the forms that are exact and fast.
template <typename T>
__device__ T power_of(T u, T power) {
  if (power == 0) return 1;
  if (power == 1) return u;
  if (power == 2) return u * u;
  if (power == -1) return 1 / u;
  if (power == (T)0.5) return sqrt(u);
  return pow(u, power);
}

template <typename T>
__global__ void power_forward(long long n, const T* x, T* y, T power, T scale, T shift) {
  FOR_EACH(i, n) { y[i] = power_of(scale * x[i] + shift, power); }
}

template <typename T>
__global__ void power_backward(long long n, const T* x, const T* dy, T* dx, T power, T scale, T shift) {
  FOR_EACH(i, n) { dx[i] = power * scale * power_of(scale * x[i] + shift, power - 1) * dy[i]; }
}

template <typename T>
__global__ void power_fill(long long n, T* out, T value) {
  FOR_EACH(i, n) { out[i] = value; }
}

template <typename T>
__global__ void power_scale(long long n, const T* dy, T* dx, T factor) {
  FOR_EACH(i, n) { dx[i] = factor * dy[i]; }
}
""")


@register_layer
class Power(Elementwise):
    """A power of a linear function, element by element.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Params   power_param.power, .scale, default 1; power_param.shift, default 0
    Example  bottom: "x" top: "y" power_param { power: 2 scale: 0.5 shift: 1 }

    Where power * scale is 0 all of y is one constant, 1 for power 0 and else shift ^ power, whatever x is, and the
    gradient is 0. A negative number to a power that is no integer is NaN. May run in place; the layer then keeps a
    copy of x if the gradient depends on it.
    """

    type = "Power"

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.power: float = param.power_param.power
        self.scale: float = param.power_param.scale
        self.shift: float = param.power_param.shift
        self.is_constant = self.power * self.scale == 0
        self.reads = frozenset() if self.is_constant or self.power == 1 else frozenset("x")

    def constant(self) -> float:
        """The value of y where it does not depend on x."""
        with np.errstate(all="ignore"):  # 0 ^ -1 is inf, -1 ^ 0.5 is NaN
            return float(np.power(np.float64(self.shift), self.power))


def _raise(u: Array, power: float, out: Array) -> None:
    """out = u ^ power, with the forms that are exact and fast."""
    if power == 0:
        out.fill(1)
    elif power == 1:
        np.copyto(out, u)
    elif power == 2:
        np.multiply(u, u, out=out)
    elif power == -1:
        np.reciprocal(u, out=out)
    elif power == 0.5:
        np.sqrt(u, out=out)
    else:
        np.power(u, power, out=out)


@Power.runs_on("cpu")
class _CPU(ElementwiseCPU[Power]):
    def value(self, x: Array, y: Array, t: Array) -> None:
        if self.layer.is_constant:
            y.fill(self.layer.constant())
        else:
            self._linear(x, y)
            _raise(y, self.layer.power, y)

    def _linear(self, x: Array, out: Array) -> None:
        np.multiply(x, self.layer.scale, out=out)
        np.add(out, self.layer.shift, out=out)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        factor = self.layer.power * self.layer.scale
        if self.layer.is_constant:
            dx.fill(0)
        elif self.layer.power == 1:
            np.multiply(dy, factor, out=dx)
        else:
            self._linear(x, t[0])
            _raise(t[0], self.layer.power - 1, t[0])
            np.multiply(t[0], factor, out=t[0])
            np.multiply(t[0], dy, out=dx)


@Power.runs_on("cuda")
class _CUDA(ElementwiseCUDA[Power]):
    def value(self, x: Array, y: Array) -> None:
        layer = self.layer
        if layer.is_constant:
            _kernels.power_fill(y.size, y, layer.constant())
        else:
            _kernels.power_forward(x.size, x, y, layer.power, layer.scale, layer.shift)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        layer = self.layer
        if layer.is_constant:
            cuda.zero(dx)
        elif layer.power == 1:
            _kernels.power_scale(dx.size, dy, dx, layer.scale)
        else:
            _kernels.power_backward(dx.size, x, dy, dx, layer.power, layer.scale, layer.shift)
