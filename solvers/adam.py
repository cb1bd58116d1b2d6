"""Adam: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w = w - rate c m / (sqrt(v) + delta)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Array
from brew.solver.update.kernel import rule_kernels
from brew.solver.update.rule import UpdateRule

NAMES = "momentum momentum2 delta correction"  # of Adam's constants
STEP = """
      const T mean = momentum * m[i] + (1 - momentum) * gradient;
      const T square = momentum2 * v[i] + (1 - momentum2) * gradient * gradient;
      m[i] = mean;
      v[i] = square;
      step = rate * correction * mean / (sqrt(square) + delta);
"""
_kernels = rule_kernels("adam_update", history="m v", constants=NAMES, step=STEP)


class Adam(UpdateRule):
    """Adaptive moments (Kingma and Ba, 2015), as Caffe writes it: b1 is `momentum`, b2 `momentum2`.

    The correction c = sqrt(1 - b2^t) / (1 - b1^t), t counting from 1, multiplies the rate; delta is added to the
    uncorrected root.
    """

    type = "Adam"
    slots = 2
    keeps = "means of gradients and of their squares"
    squares = (1,)
    below_one = True
    reads = ("momentum2", "delta")
    kernel = _kernels.adam_update

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        b1, b2, t = self.param.momentum, self.param.momentum2, iteration + 1
        return b1, b2, self.param.delta, float(np.sqrt(1 - b2**t) / (1 - b1**t))

    def step(self, g: Array, history: Sequence[Array], rate: float, constants: Sequence[float], scratch: Array) -> None:
        (m, v), (t, _), (b1, b2, delta, correction) = history, scratch, constants
        m *= b1
        np.multiply(g, 1 - b1, out=t)
        m += t
        np.multiply(g, g, out=t)
        t *= 1 - b2
        v *= b2
        v += t
        np.sqrt(v, out=t)
        t += delta
        np.divide(m, t, out=g)
        g *= rate * correction
