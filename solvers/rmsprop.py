"""RMSProp: h = decay * h + (1 - decay) * g^2; w = w - rate * g / (sqrt(h) + delta)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Array
from brew.solver.update.kernel import rule_kernels
from brew.solver.update.rule import UpdateRule

_kernels = rule_kernels(
    "rmsprop_update",
    history="h",
    constants="decay delta",
    step="""
      const T mean = decay * h[i] + (1 - decay) * gradient * gradient;
      h[i] = mean;
      step = rate * gradient / (sqrt(mean) + delta);
    """,
)


class RMSProp(UpdateRule):
    """Gradients by their running root mean square (Tieleman and Hinton, 2012). Takes no momentum."""

    type = "RMSProp"
    slots = 1
    keeps = "means of squared gradients"
    squares = (0,)
    takes_momentum = False
    reads = ("rms_decay", "delta")
    kernel = _kernels.rmsprop_update

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        return self.param.rms_decay, self.param.delta

    def step(self, g: Array, history: Sequence[Array], rate: float, constants: Sequence[float], scratch: Array) -> None:
        (h,), (t, _), (decay, delta) = history, scratch, constants
        np.multiply(g, g, out=t)
        t *= 1 - decay
        h *= decay
        h += t
        np.sqrt(h, out=t)
        t += delta
        g /= t
        g *= rate
