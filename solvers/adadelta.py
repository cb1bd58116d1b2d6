"""AdaDelta: h = m h + (1 - m) g^2; u = g sqrt((k + d) / (h + d)); k = m k + (1 - m) u^2; w = w - rate u."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Array
from brew.solver.update.kernel import rule_kernels
from brew.solver.update.rule import UpdateRule

_kernels = rule_kernels(
    "adadelta_update",
    history="h k",
    constants="momentum delta",
    step="""
      const T mean = momentum * h[i] + (1 - momentum) * gradient * gradient;
      const T u = gradient * sqrt((k[i] + delta) / (mean + delta));
      h[i] = mean;
      k[i] = momentum * k[i] + (1 - momentum) * u * u;
      step = rate * u;
    """,
)


class AdaDelta(UpdateRule):
    """Steps by the ratio of running means (Zeiler, 2012); m is `momentum`, d is `delta`."""

    type = "AdaDelta"
    slots = 2
    keeps = "means of squared gradients and steps"
    squares = (0, 1)
    reads = ("delta",)
    kernel = _kernels.adadelta_update

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        return self.param.momentum, self.param.delta

    def step(self, g: Array, history: Sequence[Array], rate: float, constants: Sequence[float], scratch: Array) -> None:
        (h, k), (t, u), (momentum, delta) = history, scratch, constants
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
