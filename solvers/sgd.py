"""SGD: v = momentum * v + rate * g; w = w - v. Caffe's form: the history holds steps, already times the rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.update import CudaUpdate, UpdateRule

_kernels = Kernels(r"""
template <typename T>
__global__ void sgd_update(long long n, const long long* starts, const long long* stops, const T* lr_mults,
                           const T* decays, const T* rate, const T* scale, T* w, T* g, T* v, T momentum, int l1) {
  FOR_EACH_BLOCK(p, n) {
    T local_rate = rate[0] * lr_mults[p];
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T step = momentum * v[i] + local_rate * decayed(g[i], scale[0], w[i], decays[p], l1);
      v[i] = step;
      g[i] = step;
      w[i] -= step;
    }
  }
}
""")


class SGD(UpdateRule):
    """Stochastic gradient descent with momentum."""

    type = "SGD"
    slots = 1

    def step(self, g: Array, history: Sequence[Array], rate: float, scratch: Array) -> None:
        (v,) = history
        g *= rate
        v *= self.param.momentum
        v += g
        np.copyto(g, v)

    def launch(self, update: CudaUpdate) -> None:
        self.launch_on(_kernels.sgd_update, update, self.param.momentum)
