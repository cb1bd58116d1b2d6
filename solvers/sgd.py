"""SGD: v = momentum * v + rate * g; w = w - v. Caffe's form: the history holds steps, already times the rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Array
from brew.solver.update.kernel import rule_kernels
from brew.solver.update.rule import UpdateRule

_kernels = rule_kernels(
    "sgd_update", history="v", constants="momentum", step="step = v[i] = momentum * v[i] + rate * gradient;"
)


class SGD(UpdateRule):
    """Stochastic gradient descent with momentum."""

    type = "SGD"
    slots = 1
    keeps = "the last step"
    takes_local_rate = True
    plain_momentum = True
    kernel = _kernels.sgd_update

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        return (self.param.momentum * momentum_scale,)

    def step(self, g: Array, history: Sequence[Array], rate: float, constants: Sequence[float], scratch: Array) -> None:
        (v,), (momentum,) = history, constants
        g *= rate
        v *= momentum
        v += g
        np.copyto(g, v)
