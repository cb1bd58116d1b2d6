"""AdaDelta: h = m h + (1 - m) g^2; u = g sqrt((k + d) / (h + d)); k = m k + (1 - m) u^2; w = w - rate u."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.update import CudaUpdate, UpdateRule

_kernels = Kernels(r"""
template <typename T>
__global__ void adadelta_update(long long n, const long long* starts, const long long* stops,
                                const T* lr_mults, const T* decays, const T* rate, const T* scale, T* w, T* g,
                                T* h, T* k, T momentum, T delta, int l1) {
  FOR_EACH_BLOCK(p, n) {
    T local_rate = rate[0] * lr_mults[p];
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T gradient = decayed(g[i], scale[0], w[i], decays[p], l1);
      T mean = momentum * h[i] + (1 - momentum) * gradient * gradient;
      T u = gradient * sqrt((k[i] + delta) / (mean + delta));
      h[i] = mean;
      k[i] = momentum * k[i] + (1 - momentum) * u * u;
      T step = local_rate * u;
      g[i] = step;
      w[i] -= step;
    }
  }
}
""")


class AdaDelta(UpdateRule):
    """Steps by the ratio of running means (Zeiler, 2012); m is `momentum`, d is `delta`."""

    type = "AdaDelta"
    slots = 2

    def step(self, g: Array, history: Sequence[Array], rate: float, scratch: Array) -> None:
        (h, k), (t, u), momentum, delta = history, scratch, self.param.momentum, self.param.delta
        np.multiply(g, g, out=t)
        t *= 1 - momentum
        h *= momentum
        h += t
        np.add(h, delta, out=t)
        np.add(k, delta, out=u)
        u /= t
        g *= np.sqrt(u, out=u)
        np.multiply(g, g, out=t)
        t *= 1 - momentum
        k *= momentum
        k += t
        g *= rate

    def launch(self, update: CudaUpdate) -> None:
        self.launch_on(_kernels.adadelta_update, update, self.param.momentum, self.param.delta)
