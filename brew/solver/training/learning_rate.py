"""Learning rate policies: Caffe's (GetLearningRate), its forks' and our own; and their warm-ups.

A policy gives the rate of an iteration, or of a count of steps taken. `RateSchedule` adds the state of "multistep" and
"plateau", warm-up and floor. A policy reads the solver's fields once, at the start: reading a field of a message takes
longer than computing a rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import NamedTuple, TypeAlias

import numpy as np

from brew.proto.brew_pb2 import ResumeState, SolverParameter

Rate: TypeAlias = Callable[[int], float]  # of an iteration, counted from 0; under STEPPED policies of the steps taken


def _power(base: float, exponent: float) -> float:
    """C's pow: infinity and NaN where Python raises or gives a complex number; the loss then shows it."""
    try:
        return math.pow(base, exponent)
    except (ValueError, OverflowError):
        with np.errstate(all="ignore"):
            return float(np.float64(base) ** np.float64(exponent))


def _fixed(p: SolverParameter) -> Rate:
    base = p.base_lr
    return lambda iteration: base


def _stepped(p: SolverParameter) -> Rate:
    base, gamma = p.base_lr, p.gamma
    return lambda steps: base * _power(gamma, steps)


def _exp(p: SolverParameter) -> Rate:
    base, gamma = p.base_lr, p.gamma
    return lambda iteration: base * _power(gamma, iteration)


def _inv(p: SolverParameter) -> Rate:
    base, gamma, power = p.base_lr, p.gamma, -p.power
    return lambda iteration: base * _power(1.0 + gamma * iteration, power)


def _poly(p: SolverParameter) -> Rate:
    """Falls to min_lr, which is 0 in BVLC Caffe (NVIDIA Caffe)."""
    base, low, power, length = p.base_lr, p.min_lr, p.power, p.max_iter
    return lambda iteration: (base - low) * _power(1.0 - iteration / length if length else -math.inf, power) + low


def _sigmoid(p: SolverParameter) -> Rate:
    base, gamma, middle = p.base_lr, p.gamma, p.stepsize

    def rate(iteration: int) -> float:
        exponent = -gamma * (iteration - middle)
        return base / (1.0 + math.exp(exponent)) if exponent < 700 else 0.0

    return rate


def _multifixed(p: SolverParameter) -> Rate:
    """The first stage whose last iteration is not yet passed; behind all of them the last (Intel Caffe)."""
    rates, ends = list(p.stagelr), list(p.stageiter)
    return lambda iteration: rates[next((i for i, last in enumerate(ends) if iteration <= last), -1)]


def _cosine(p: SolverParameter) -> Rate:
    """From base_lr down half a cosine to min_lr, again in every cycle (Loshchilov and Hutter, 1608.03983).

    The first cycle begins where the warm-up ends, so that nothing jumps.
    """
    high, low, warm, growth = p.base_lr, p.min_lr, warmup_length(p), p.cycle_mult
    cycle, whole = float(p.cycle_iter), float(max(p.max_iter - warm, 1))

    def rate(iteration: int) -> float:
        position, length = float(max(iteration - warm, 0)), cycle or whole
        if not cycle:
            position = min(position, length)
        elif growth <= 1:
            position %= length
        else:
            while position >= length:
                position, length = position - length, length * growth
        return _between(high, low, position / length)

    return rate


def _onecycle(p: SolverParameter) -> Rate:
    """Up for warmup_fraction of max_iter, then down, both along half a cosine (Smith and Topin, 1708.07120).

    base_lr is the top, the first rate base_lr / start_div, the last one that over final_div. As PyTorch's
    OneCycleLR counts: iteration 0 has the first rate, iteration max_iter - 1 the last.
    """
    high, first, last = p.base_lr, p.base_lr / p.start_div, p.base_lr / p.start_div / p.final_div
    top, end = p.warmup_fraction * p.max_iter - 1.0, p.max_iter - 1.0

    def rate(iteration: int) -> float:
        if iteration < top:
            return _between(first, high, iteration / top)
        position = (iteration - top) / (end - top) if end > top else 1.0
        return _between(high, last, min(max(position, 0.0), 1.0))

    return rate


def _between(start: float, end: float, position: float) -> float:
    """Half a cosine from `start` at position 0 to `end` at 1."""
    return end + (start - end) * (1.0 + math.cos(math.pi * position)) / 2.0


class Policy(NamedTuple):
    """A policy: its rates, and the fields it reads that not every policy reads.

    needs   required fields
    wants   fields that are 0 or empty where left out, which is hardly meant
    takes   fields with a useful default
    """

    rates: Callable[[SolverParameter], Rate]
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        return self.needs + self.wants + self.takes


POLICIES: dict[str, Policy] = {
    "fixed": Policy(_fixed),
    "step": Policy(_stepped, needs=("stepsize",), wants=("gamma",)),
    "exp": Policy(_exp, wants=("gamma",)),
    "inv": Policy(_inv, wants=("gamma", "power")),
    "multistep": Policy(_stepped, wants=("gamma", "stepvalue")),
    "poly": Policy(_poly, wants=("power",)),
    "sigmoid": Policy(_sigmoid, wants=("gamma", "stepsize")),
    "plateau": Policy(_stepped, needs=("plateau_winsize",), wants=("gamma",)),
    "multifixed": Policy(_multifixed, needs=("stagelr", "stageiter")),
    "cosine": Policy(_cosine, takes=("cycle_iter", "cycle_mult")),
    "onecycle": Policy(_onecycle, takes=("warmup_fraction", "start_div", "final_div")),
}
STEPPED = ("step", "multistep", "plateau")


def warmup_length(p: SolverParameter) -> int:
    """Iterations of the warm-up, linear or quadratic; 0: none."""
    return max(p.warmup_iter, p.rampup_interval, 0)


def warmup_rate(p: SolverParameter, iteration: int) -> float:
    """The rate of an iteration before `warmup_length`, from the first rate up to base_lr.

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


class RateSchedule:
    """The learning rate of a training, iteration by iteration.

    The policy; before it, for the first iterations, the warm-up; never below min_lr where that is given. As in the
    forks, the policy counts its iterations from the start of the training, not from the end of the warm-up (but
    "cosine", our own, does), and while warming up no steps are taken.

    current_step   drops so far (STEPPED policies)
    lowest_loss    "plateau": the lowest smoothed loss so far
    last_event     "plateau": the iteration of the last new lowest loss or drop
    last_rate      what `rate` gave last
    reads_loss     whether `rate` has to be told the smoothed loss

    >>> schedule = RateSchedule(SolverParameter(base_lr=1, gamma=0.5, stepsize=10, lr_policy="step"))
    >>> [schedule.rate(i) for i in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, param: SolverParameter) -> None:
        self.param = param
        self.current_step = 0
        self.lowest_loss = math.inf
        self.last_event = 0
        self.last_rate = 0.0
        self.read_again()

    def read_again(self) -> None:
        """Read all fields anew: they may have been changed between two steps of a solver."""
        param = self.param
        self.reads_loss = bool(param.lr_policy == "plateau")
        self._policy = POLICIES[param.lr_policy].rates(param)
        self._stepped = param.lr_policy in STEPPED
        self._warm, self._linear = warmup_length(param), param.warmup_iter
        self._floor = param.min_lr if param.HasField("min_lr") else -math.inf

    def rate(self, iteration: int, loss: float | None = None) -> float:
        """The rate of `iteration`, counted from 0; takes the steps that are due. Called once an iteration, in order.

        `loss` is the smoothed loss of this iteration, needed where `reads_loss`.
        """
        if iteration < self._warm:
            found = warmup_rate(self.param, iteration)
        elif self._stepped:
            self._take_steps(iteration, loss)
            found = self._policy(self.current_step)
        else:
            found = self._policy(iteration)
        self.last_rate = max(found, self._floor)
        return self.last_rate

    def rate_ahead(self, iteration: int, loss: float | None = None) -> float:
        """What `rate` would give, to be looked at: no step is taken."""
        return copy(self).rate(iteration, loss)

    def _take_steps(self, iteration: int, loss: float | None) -> None:
        """Under "multistep" at most one, when the next stepvalue is reached; "step" computes them."""
        param = self.param
        if self.reads_loss:
            self._watch(iteration, loss)
        elif param.lr_policy == "step":
            self.current_step = iteration // param.stepsize
        elif self.current_step < len(param.stepvalue) and iteration >= param.stepvalue[self.current_step]:
            self.current_step += 1

    def _watch(self, iteration: int, loss: float | None) -> None:
        """SSD's rule: a drop after plateau_winsize[current_step] iterations without a new lowest loss or a drop."""
        if loss is None:
            raise ValueError('lr_policy "plateau" needs the smoothed loss')
        loss = float(np.float32(loss))  # in the state's precision, so that a resumed training decides the same
        if loss < self.lowest_loss:
            self.lowest_loss, self.last_event = loss, iteration
        windows = self.param.plateau_winsize
        if self.current_step < len(windows) and iteration >= self.last_event + windows[self.current_step]:
            self.current_step, self.last_event = self.current_step + 1, iteration

    def momentum_scale(self, iteration: int) -> float:
        """The factor of SGD's momentum in `iteration`: in a linear warm-up, the rate over the one before (with min_lr).

        SGD's history holds steps that are already times the rate; in a warm-up the old ones are too small (Goyal et
        al., 1706.02677, 2.2; Intel Caffe). 1 where the rate before was 0.
        """
        if not 0 < iteration < self._linear:
            return 1.0
        before, now = (max(warmup_rate(self.param, i), self._floor) for i in (iteration - 1, iteration))
        return now / before if before > 0 else 1.0

    def save(self, state: ResumeState) -> None:
        """Store the state of "plateau" in `state`; `current_step` has a field in Caffe's own."""
        if self.reads_loss and math.isfinite(self.lowest_loss):
            state.lowest_loss, state.last_event = self.lowest_loss, self.last_event

    def restore(self, current_step: int, iteration: int, state: ResumeState | None) -> None:
        """Go on with what `save` stored; `iteration` is next. In Caffe's states it is missing: "plateau" restarts."""
        self.current_step = current_step
        known = state is not None and state.HasField("lowest_loss")
        self.lowest_loss = state.lowest_loss if state is not None and known else math.inf
        self.last_event = state.last_event if state is not None and known else iteration
