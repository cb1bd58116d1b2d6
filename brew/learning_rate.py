"""Learning rate policies: pure functions of the iteration (Caffe's GetLearningRate, FIELD formulas)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from brew.proto.brew_pb2 import SolverParameter


def _power(base: float, exponent: float) -> float:
    """C's pow: infinity and NaN where Python raises or leaves the real numbers; the loss then tells."""
    with np.errstate(all="ignore"):
        return float(np.float64(base) ** np.float64(exponent))


def _step(p: SolverParameter, iteration: int) -> float:
    return p.base_lr * _power(p.gamma, iteration // p.stepsize)


def _poly(p: SolverParameter, iteration: int) -> float:
    return p.base_lr * _power(1.0 - iteration / p.max_iter if p.max_iter else -math.inf, p.power)


def _sigmoid(p: SolverParameter, iteration: int) -> float:
    exponent = -p.gamma * (iteration - p.stepsize)
    return float(p.base_lr / (1.0 + math.exp(exponent))) if exponent < 700 else 0.0


# `multistep` depends on how many steps were taken, which is state: see `next_step`.
POLICIES: dict[str, Callable[[SolverParameter, int], float]] = {
    "fixed": lambda p, iteration: float(p.base_lr),
    "step": _step,
    "exp": lambda p, iteration: p.base_lr * _power(p.gamma, iteration),
    "inv": lambda p, iteration: p.base_lr * _power(1.0 + p.gamma * iteration, -p.power),
    "multistep": lambda p, iteration: float(p.base_lr),
    "poly": _poly,
    "sigmoid": _sigmoid,
}


def next_step(p: SolverParameter, iteration: int, current_step: int) -> int:
    """How many steps were taken before `iteration`, which Caffe stores with its state.

    Under "multistep" it rises by at most one, when the next stepvalue is reached; "step" computes it.
    """
    if p.lr_policy == "step":
        return iteration // p.stepsize
    if p.lr_policy != "multistep":
        return current_step
    due = current_step < len(p.stepvalue) and iteration >= p.stepvalue[current_step]
    return current_step + 1 if due else current_step


def rate(p: SolverParameter, iteration: int, current_step: int) -> float:
    """The rate of `iteration` (counted from 0); `current_step` is multistep's, as `next_step` gave it.

    >>> p = SolverParameter(base_lr=1, gamma=0.5, stepsize=10, lr_policy="step")
    >>> [rate(p, i, 0) for i in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """
    if p.lr_policy == "multistep":
        return p.base_lr * _power(p.gamma, current_step)
    return POLICIES[p.lr_policy](p, iteration)
