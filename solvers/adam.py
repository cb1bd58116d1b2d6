"""Adam: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w = w - rate c m / (sqrt(v) + delta)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.update import CudaUpdate, UpdateRule

_kernels = Kernels(r"""
template <typename T>
__global__ void adam_update(long long n, const long long* starts, const long long* stops, const T* lr_mults,
                            const T* decays, const T* rate, const T* scale, T* w, T* g, T* m, T* v, T beta1,
                            T beta2, T delta, int l1) {
  FOR_EACH_BLOCK(p, n) {
    T local_rate = rate[0] * lr_mults[p];
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T gradient = decayed(g[i], scale[0], w[i], decays[p], l1);
      T mean = beta1 * m[i] + (1 - beta1) * gradient, square = beta2 * v[i] + (1 - beta2) * gradient * gradient;
      m[i] = mean;
      v[i] = square;
      T step = local_rate * mean / (sqrt(square) + delta);
      g[i] = step;
      w[i] -= step;
    }
  }
}
""")


class Adam(UpdateRule):
    """Adaptive moments (Kingma and Ba, 2015), as Caffe writes it: b1 is `momentum`, b2 `momentum2`.

    The correction c = sqrt(1 - b2^t) / (1 - b1^t), t counting from 1, multiplies the rate; delta is added to the
    uncorrected root.
    """

    type = "Adam"
    slots = 2

    def corrected(self, rate: float, iteration: int) -> float:
        t, param = iteration + 1, self.param
        return float(rate * np.sqrt(1 - param.momentum2**t) / (1 - param.momentum**t))

    def step(self, g: Array, history: Sequence[Array], rate: float, scratch: Array) -> None:
        (m, v), (t, _), param = history, scratch, self.param
        m *= param.momentum
        np.multiply(g, 1 - param.momentum, out=t)
        m += t
        np.multiply(g, g, out=t)
        t *= 1 - param.momentum2
        v *= param.momentum2
        v += t
        np.sqrt(v, out=t)
        t += param.delta
        np.divide(m, t, out=g)
        g *= rate

    def launch(self, update: CudaUpdate) -> None:
        self.launch_on(_kernels.adam_update, update, self.param.momentum, self.param.momentum2, self.param.delta)
