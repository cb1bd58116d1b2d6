"""RMSProp: h = decay * h + (1 - decay) * g^2; w = w - rate * g / (sqrt(h) + delta)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.update import CudaUpdate, UpdateRule

_kernels = Kernels(r"""
template <typename T>
__global__ void rmsprop_update(long long n, const long long* starts, const long long* stops, const T* lr_mults,
                               const T* decays, const T* rate, const T* scale, T* w, T* g, T* h, T decay,
                               T delta, int l1) {
  FOR_EACH_BLOCK(p, n) {
    T local_rate = rate[0] * lr_mults[p];
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T gradient = decayed(g[i], scale[0], w[i], decays[p], l1);
      T mean = decay * h[i] + (1 - decay) * gradient * gradient;
      h[i] = mean;
      T step = local_rate * gradient / (sqrt(mean) + delta);
      g[i] = step;
      w[i] -= step;
    }
  }
}
""")


class RMSProp(UpdateRule):
    """Gradients by their running root mean square (Tieleman and Hinton, 2012). Takes no momentum."""

    type = "RMSProp"
    slots = 1
    takes_momentum = False

    def step(self, g: Array, history: Sequence[Array], rate: float, scratch: Array) -> None:
        (h,), (t, _), decay = history, scratch, self.param.rms_decay
        np.multiply(g, g, out=t)
        t *= 1 - decay
        h *= decay
        h += t
        np.sqrt(h, out=t)
        t += self.param.delta
        g /= t
        g *= rate

    def launch(self, update: CudaUpdate) -> None:
        self.launch_on(_kernels.rmsprop_update, update, self.param.rms_decay, self.param.delta)
