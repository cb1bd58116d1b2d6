"""Learning rate policies: Caffe's (GetLearningRate, FIELD formulas), its forks' and our own; and their warm-ups.

`rate` and `next_step` are pure. `Schedule` adds warm-up, floor and what "multistep" and "plateau" remember.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from brew.proto.brew_pb2 import ResumeState, SolverParameter


def _power(base: float, exponent: float) -> float:
    """C's pow: infinity and NaN where Python raises or leaves the real numbers; the loss then tells."""
    try:
        return math.pow(base, exponent)
    except (ValueError, OverflowError):
        with np.errstate(all="ignore"):
            return float(np.float64(base) ** np.float64(exponent))


def _step(p: SolverParameter, iteration: int) -> float:
    return p.base_lr * _power(p.gamma, iteration // p.stepsize)


def _inv(p: SolverParameter, iteration: int) -> float:
    return p.base_lr * _power(1.0 + p.gamma * iteration, -p.power)


def _poly(p: SolverParameter, iteration: int) -> float:
    """Falls to min_lr, which is 0 in BVLC Caffe (NVIDIA Caffe)."""
    left = _power(1.0 - iteration / p.max_iter if p.max_iter else -math.inf, p.power)
    return (p.base_lr - p.min_lr) * left + p.min_lr


def _sigmoid(p: SolverParameter, iteration: int) -> float:
    exponent = -p.gamma * (iteration - p.stepsize)
    return float(p.base_lr / (1.0 + math.exp(exponent))) if exponent < 700 else 0.0


def _multifixed(p: SolverParameter, iteration: int) -> float:
    """The first stage whose last iteration is not yet passed; behind all of them the last (Intel Caffe)."""
    stage = next((i for i, last in enumerate(p.stageiter) if iteration <= last), len(p.stageiter) - 1)
    return float(p.stagelr[stage])


def _cosine(p: SolverParameter, iteration: int) -> float:
    """From base_lr down half a cosine to min_lr, again in every cycle (Loshchilov and Hutter, 1608.03983).

    The first cycle begins where the warm-up ends, so that nothing jumps.
    """
    warm = warmup_length(p)
    position = float(max(iteration - warm, 0))
    length = float(p.cycle_iter or max(p.max_iter - warm, 1))
    if not p.cycle_iter:
        position = min(position, length)
    elif p.cycle_mult <= 1:
        position %= length
    else:
        while position >= length:
            position, length = position - length, length * p.cycle_mult
    return _between(p.base_lr, p.min_lr, position / length)


def _onecycle(p: SolverParameter, iteration: int) -> float:
    """Up for warmup_fraction of max_iter, then down, both along half a cosine (Smith and Topin, 1708.07120).

    base_lr is the top, the first rate base_lr / start_div, the last one that over final_div. As PyTorch's
    OneCycleLR counts: iteration 0 has the first rate, iteration max_iter - 1 the last.
    """
    first = p.base_lr / p.start_div
    top, end = p.warmup_fraction * p.max_iter - 1.0, p.max_iter - 1.0
    if iteration < top:
        return _between(first, p.base_lr, iteration / top)
    position = (iteration - top) / (end - top) if end > top else 1.0
    return _between(p.base_lr, first / p.final_div, min(max(position, 0.0), 1.0))


def _between(start: float, end: float, position: float) -> float:
    """Half a cosine from `start` at position 0 to `end` at 1."""
    return end + (start - end) * (1.0 + math.cos(math.pi * position)) / 2.0


def _base(p: SolverParameter, iteration: int) -> float:
    return float(p.base_lr)


class Policy(NamedTuple):
    """A policy: its rate of an iteration, and the fields it reads that not every policy reads.

    needs   cannot be left out
    wants   taken for 0, or none, where they are left out, which is hardly meant
    takes   have a default that serves
    """

    rate: Callable[[SolverParameter, int], float]
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        return self.needs + self.wants + self.takes


# "multistep" and "plateau" depend on how many steps were taken, which is state: see `next_step` and `Schedule`.
POLICIES: dict[str, Policy] = {
    "fixed": Policy(_base),
    "step": Policy(_step, needs=("stepsize",), wants=("gamma",)),
    "exp": Policy(lambda p, iteration: p.base_lr * _power(p.gamma, iteration), wants=("gamma",)),
    "inv": Policy(_inv, wants=("gamma", "power")),
    "multistep": Policy(_base, wants=("gamma", "stepvalue")),
    "poly": Policy(_poly, wants=("power",)),
    "sigmoid": Policy(_sigmoid, wants=("gamma", "stepsize")),
    "plateau": Policy(_base, needs=("plateau_winsize",), wants=("gamma",)),
    "multifixed": Policy(_multifixed, needs=("stagelr", "stageiter")),
    "cosine": Policy(_cosine, takes=("cycle_iter", "cycle_mult")),
    "onecycle": Policy(_onecycle, takes=("warmup_fraction", "start_div", "final_div")),
}
STEPPED = ("multistep", "plateau")  # base_lr * gamma ^ steps taken


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
    """The policy's rate of `iteration` (counted from 0); `current_step` is how many steps were taken.

    >>> p = SolverParameter(base_lr=1, gamma=0.5, stepsize=10, lr_policy="step")
    >>> [rate(p, i, 0) for i in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """
    if p.lr_policy in STEPPED:
        return p.base_lr * _power(p.gamma, current_step)
    return POLICIES[p.lr_policy].rate(p, iteration)


def warmup_length(p: SolverParameter) -> int:
    """Iterations of the warm-up, linear or quadratic; 0: none."""
    return max(p.warmup_iter, p.rampup_interval, 0)


def warmup_rate(p: SolverParameter, iteration: int) -> float:
    """The rate of an iteration before `warmup_length`: a way from the first rate up to base_lr.

    Linear over warmup_iter from warmup_start_lr (Intel Caffe), quadratic over rampup_interval from rampup_lr
    (NVIDIA Caffe).

    >>> [warmup_rate(SolverParameter(base_lr=8, warmup_iter=4), i) for i in range(4)]
    [0.0, 2.0, 4.0, 6.0]
    >>> [warmup_rate(SolverParameter(base_lr=8, rampup_interval=4), i) for i in range(4)]
    [0.0, 0.5, 2.0, 4.5]
    """
    if p.warmup_iter > 0:
        first, way = p.warmup_start_lr, iteration / p.warmup_iter
    else:
        first, way = p.rampup_lr, (iteration / p.rampup_interval) ** 2
    return float(first + (p.base_lr - first) * way)


class Schedule:
    """The learning rate of a training, iteration by iteration.

    The policy; before it, for the first iterations, the warm-up; never below min_lr where that is given. As in the
    forks, the policy counts its iterations from the start of the training, not from the end of the warm-up (but
    "cosine", our own, does), and while warming up no steps are taken.

    current_step   drops so far ("step", "multistep", "plateau")
    lowest_loss    "plateau": the lowest smoothed loss so far
    last_event     "plateau": the iteration of the last new lowest loss or drop
    last_rate      what `rate` gave last
    """

    def __init__(self, param: SolverParameter) -> None:
        self.param = param
        self.current_step = 0
        self.lowest_loss = math.inf
        self.last_event = 0
        self.last_rate = 0.0

    @property
    def reads_loss(self) -> bool:
        """Whether `rate` has to be told the smoothed loss."""
        return bool(self.param.lr_policy == "plateau")

    def rate(self, iteration: int, loss: float | None = None) -> float:
        """The rate of `iteration`, counted from 0; takes the steps that are due. Called once an iteration, in order.

        `loss` is the smoothed loss of this iteration, needed where `reads_loss`.
        """
        param = self.param
        if iteration < warmup_length(param):
            found = warmup_rate(param, iteration)
        else:
            if self.reads_loss:
                self._watch(iteration, loss)
            self.current_step = next_step(param, iteration, self.current_step)
            found = rate(param, iteration, self.current_step)
        self.last_rate = max(found, param.min_lr) if param.HasField("min_lr") else found
        return self.last_rate

    def _watch(self, iteration: int, loss: float | None) -> None:
        """SSD's rule: a drop after plateau_winsize[current_step] iterations without a new lowest loss or a drop."""
        if loss is None:
            raise ValueError('lr_policy "plateau" needs the smoothed loss')
        loss = float(np.float32(loss))  # as the state keeps it, so that a resumed training decides the same
        if loss < self.lowest_loss:
            self.lowest_loss, self.last_event = loss, iteration
        windows = self.param.plateau_winsize
        if self.current_step < len(windows) and iteration >= self.last_event + windows[self.current_step]:
            self.current_step, self.last_event = self.current_step + 1, iteration

    def momentum_scale(self, iteration: int) -> float:
        """What SGD's momentum is multiplied by in `iteration`: the rate over the one before, in a linear warm-up.

        SGD's history holds steps that are already times the rate; in a warm-up the old ones are too small (Goyal et
        al., 1706.02677, 2.2; Intel Caffe). Where the rate before was 0 there is no history to mend: 1.
        """
        if not 0 < iteration < self.param.warmup_iter:
            return 1.0
        before = warmup_rate(self.param, iteration - 1)
        return warmup_rate(self.param, iteration) / before if before > 0 else 1.0

    def save(self, state: ResumeState) -> None:
        """Put what "plateau" remembers into `state`; `current_step` has a place of its own in Caffe's state."""
        if self.reads_loss and math.isfinite(self.lowest_loss):
            state.lowest_loss, state.last_event = self.lowest_loss, self.last_event

    def restore(self, current_step: int, iteration: int, state: ResumeState | None) -> None:
        """Go on at `iteration` with what `save` put down. Caffe's own state lacks it: the watch for a plateau restarts.

        `iteration` is the one that comes next.
        """
        self.current_step = current_step
        known = state is not None and state.HasField("lowest_loss")
        self.lowest_loss = state.lowest_loss if state is not None and known else math.inf
        self.last_event = state.last_event if state is not None and known else iteration
