"""SGD: v = momentum * v + rate * g; w = w - v. Caffe's form: the history holds steps, already times the rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.update import L1, CudaUpdate, UpdateRule

_kernels = Kernels(r"""
template <typename T>
__global__ void sgd_update(long long n, const long long* starts, const long long* stops, const T* lr_mults,
                           const T* decays, const T* rate, const T* scale, T* w, T* g, T* v, T momentum, int l1) {
  FOR_EACH_BLOCK(p, n) {
    T local_rate = rate[0] * lr_mults[p], decay = decays[p], factor = scale[0];
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T weight = w[i];
      T penalty = l1 ? (T)((weight > 0) - (weight < 0)) : weight;
      T step = momentum * v[i] + local_rate * (g[i] * factor + decay * penalty);
      v[i] = step;
      g[i] = step;
      w[i] = weight - step;
    }
  }
}
""")


class SGD(UpdateRule):
    """Stochastic gradient descent with momentum."""

    type = "SGD"
    slots = 1

    def step(self, g: Array, history: Sequence[Array], rate: float, iteration: int, scratch: Array) -> None:
        v = history[0]
        g *= g.dtype.type(rate)
        v *= v.dtype.type(self.param.momentum)
        v += g
        np.copyto(g, v)

    def launch(self, update: CudaUpdate, iteration: int) -> None:
        _kernels.sgd_update.by_block(
            update.pieces, update.starts, update.stops, update.lr_mults, update.decays, update.rate, update.scale,
            update.net.parameters.arena, update.net.parameters.gradient_arena, update.history[0],
            self.param.momentum, int(self.param.regularization_type == L1),
        )  # fmt: skip
