"""Nesterov: v' = momentum * v + rate * g; w = w - ((1 + momentum) * v' - momentum * v)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Array
from brew.solver.update.kernel import rule_kernels
from brew.solver.update.rule import UpdateRule

_kernels = rule_kernels(
    "nesterov_update",
    history="v",
    constants="momentum",
    step="""
      const T before = v[i], now = momentum * before + rate * gradient;
      v[i] = now;
      step = (1 + momentum) * now - momentum * before;
    """,
)


class Nesterov(UpdateRule):
    """Nesterov's accelerated gradient (Sutskever et al., 2013), as Caffe writes it."""

    type = "Nesterov"
    slots = 1
    keeps = "the last step"
    takes_local_rate = True
    kernel = _kernels.nesterov_update

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        return (self.param.momentum,)

    def step(self, g: Array, history: Sequence[Array], rate: float, constants: Sequence[float], scratch: Array) -> None:
        (v,), (t, _), (momentum,) = history, scratch, constants
        np.multiply(v, momentum, out=t)
        g *= rate
        np.add(t, g, out=v)
        np.multiply(v, 1 + momentum, out=g)
        g -= t
