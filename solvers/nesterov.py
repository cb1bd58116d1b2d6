"""Nesterov: v' = momentum * v + rate * g; w = w - ((1 + momentum) * v' - momentum * v)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.update import CudaUpdate, UpdateRule

_kernels = Kernels(r"""
template <typename T>
__global__ void nesterov_update(long long n, const long long* starts, const long long* stops,
                                const T* lr_mults, const T* decays, const T* rate, const T* scale, T* w, T* g,
                                T* v, T momentum, int l1) {
  FOR_EACH_BLOCK(p, n) {
    T local_rate = rate[0] * lr_mults[p];
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T gradient = decayed(g[i], scale[0], w[i], decays[p], l1);
      T before = v[i], now = momentum * before + local_rate * gradient;
      v[i] = now;
      T step = (1 + momentum) * now - momentum * before;
      g[i] = step;
      w[i] -= step;
    }
  }
}
""")


class Nesterov(UpdateRule):
    """Nesterov's accelerated gradient (Sutskever et al., 2013), as Caffe writes it."""

    type = "Nesterov"
    slots = 1

    def step(self, g: Array, history: Sequence[Array], rate: float, scratch: Array) -> None:
        (v,), (t, _), momentum = history, scratch, self.param.momentum
        np.multiply(v, momentum, out=t)
        g *= rate
        np.add(t, g, out=v)
        np.multiply(v, 1 + momentum, out=g)
        g -= t

    def launch(self, update: CudaUpdate) -> None:
        self.launch_on(_kernels.nesterov_update, update, self.param.momentum)
