"""AdaGrad: h = h + g^2; w = w - rate * g / (sqrt(h) + delta)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Array
from brew.solver.update.kernel import rule_kernels
from brew.solver.update.rule import UpdateRule

_kernels = rule_kernels(
    "adagrad_update",
    history="h",
    constants="delta",
    step="""
      const T sum = h[i] + gradient * gradient;
      h[i] = sum;
      step = rate * gradient / (sqrt(sum) + delta);
    """,
)


class AdaGrad(UpdateRule):
    """Adaptive gradients (Duchi et al., 2011). Takes no momentum."""

    type = "AdaGrad"
    slots = 1
    keeps = "sums of squared gradients"
    squares = (0,)
    takes_momentum = False
    reads = ("delta",)
    kernel = _kernels.adagrad_update

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        return (self.param.delta,)

    def step(self, g: Array, history: Sequence[Array], rate: float, constants: Sequence[float], scratch: Array) -> None:
        (h,), (t, _), (delta,) = history, scratch, constants
        np.multiply(g, g, out=t)
        h += t
        np.sqrt(h, out=t)
        t += delta
        g /= t
        g *= rate
