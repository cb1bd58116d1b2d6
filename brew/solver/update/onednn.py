"""The update of a small net with plain momentum by oneDNN: three calls for a long stretch of the arena, on its threads.

NumPy needs seven calls for every segment, on one thread, since waking other threads costs more than it gains. Small
segments, commonly the biases, are updated with their neighbour's multipliers; where their own differ, NumPy corrects
them all together. Large nets are updated piece by piece in the cache (brew.solver.update.host).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from brew.cpu import onednn, workers
from brew.cpu.onednn import DST, SCALE_OF, SRC, SRC_1, Description, Operation
from brew.cpu.onednn.after import After
from brew.layer import Array, registry
from brew.net.parameters import Parameters

from .rule import L2, Segment, UpdateRule

_ENGINE = "onednn"  # whose nets it updates
_SMALL = 2048  # elements; NumPy has done with them before oneDNN has begun


def fits(parameters: Parameters, engine: str, rule: UpdateRule) -> bool:
    """Whether this module can update `parameters`, which the engine of this name computes, by `rule`."""
    own = registry.engine_of(parameters.device, engine)
    here = own is not None and own.name == _ENGINE and parameters.dtype == own.dtype
    trains = 0 < parameters.arena.size == parameters.gradient_arena.size  # a net without gradients may have an update
    return (
        here and trains and parameters.arena.size < workers.SHARED and rule.plain_momentum and not rule.decoupled
        and rule.limit < 0 and rule.trust_ratio() is None and rule.param.regularization_type == L2
    )  # fmt: skip


class MomentumOneDNN:
    """v = momentum * v + rate * lr_mult * (scale * g + decay * decay_mult * w); w -= v; g = v."""

    def __init__(self, parameters: Parameters, among: Sequence[Segment], history: Array) -> None:
        arenas = parameters.arena, parameters.gradient_arena, history
        longer, apart = _stretches(among)
        self._stretches = [_Stretch(s, arenas) for s in longer]
        self._apart = _Apart(apart, arenas)

    def apply(self, rate: float, scale: float, decay: float, momentum: float) -> None:
        self._apart.work_out(rate, scale, decay, momentum)
        for stretch in self._stretches:
            stretch.update(rate, scale, decay, momentum)
        self._apart.put()


def _stretches(among: Sequence[Segment]) -> tuple[list[Segment], list[Segment]]:
    """Few long segments that cover all of `among`; and those of `among` whose own multipliers differ."""
    longer: list[Segment] = []
    large: list[bool] = []
    for s in among:
        small = s.stop - s.start < _SMALL
        if longer and (small or not large[-1] or _multipliers(s) == _multipliers(longer[-1])):
            giver = longer[-1] if small or large[-1] else s
            longer[-1], large[-1] = replace(giver, start=longer[-1].start, stop=s.stop), large[-1] or not small
        else:
            longer.append(s)
            large.append(not small)
    return longer, [s for s in among for of in longer
                    if of.start <= s.start < of.stop and _multipliers(s) != _multipliers(of)]  # fmt: skip


def _multipliers(segment: Segment) -> tuple[float, float]:
    return segment.lr_mult, segment.decay_mult


class _Stretch:
    """Elements that are updated with the same multipliers."""

    def __init__(self, segment: Segment, arenas: tuple[Array, Array, Array]) -> None:
        self._lr_mult, self._decay_mult = _multipliers(segment)
        self._flat, self._one = Description((segment.stop - segment.start,), "a"), Description((1,), "a")
        self._factors = np.zeros((2, 1), np.float32)  # of gradients and of weights
        self._momentum: float | None = None
        w, g, v = self._arrays = [(self._flat, arena[segment.start : segment.stop]) for arena in arenas]
        subtract = Operation("binary", onednn.SUBTRACT, self._flat, self._flat, self._flat)
        self._subtract = subtract.bind({SRC: w, SRC_1: v, DST: w})
        copy = Operation.reorder(self._flat, self._flat)
        self._copy = copy.bind({SRC: v, DST: g})

    def _make(self, momentum: float) -> None:
        """The first of the three calls, for the momentum is the primitive's own number; in a warm-up it changes."""
        self._momentum = momentum
        w, g, v = self._arrays
        after = After().sum(momentum).scaled(SRC).scaled(SRC_1)
        add = Operation("binary", onednn.ADD, self._flat, self._flat, self._flat, attributes=after)
        factors = {SCALE_OF | SRC: (self._one, self._factors[0]), SCALE_OF | SRC_1: (self._one, self._factors[1])}
        self._add = add.bind({SRC: g, SRC_1: w, DST: v, **factors})

    def update(self, rate: float, scale: float, decay: float, momentum: float) -> None:
        if momentum != self._momentum:
            self._make(momentum)
        local = rate * self._lr_mult
        self._factors[0] = local * scale
        self._factors[1] = local * decay * self._decay_mult
        self._add()
        self._subtract()
        self._copy()  # the step stays in the gradient, as with every rule


class _Apart:
    """The few elements with other multipliers: their steps are worked out first, and put in their places at the end."""

    def __init__(self, among: Sequence[Segment], arenas: tuple[Array, Array, Array]) -> None:
        where = [slice(s.start, s.stop) for s in among]
        self._places = [[arena[place] for place in where] for arena in arenas]
        sizes = [s.stop - s.start for s in among]
        self._lr_mults = np.repeat(np.array([s.lr_mult for s in among], np.float32), sizes)
        self._decay_mults = np.repeat(np.array([s.decay_mult for s in among], np.float32), sizes)
        w, g, v, self._penalty = self._own = np.zeros((4, sum(sizes)), np.float32)
        ends = np.cumsum([0, *sizes]).tolist()
        self._parts = [[row[a:b] for a, b in pairwise(ends)] for row in (w, g, v)]

    def work_out(self, rate: float, scale: float, decay: float, momentum: float) -> None:
        w, g, v, penalty = self._own
        if not w.size:
            return
        for places, row in zip(self._places, (w, g, v), strict=True):
            np.concatenate(places, out=row)
        g *= scale
        if decay:
            np.multiply(w, self._decay_mults, out=penalty)
            penalty *= decay
            g += penalty
        g *= self._lr_mults
        g *= rate
        v *= momentum
        v += g
        w -= v
        np.copyto(g, v)

    def put(self) -> None:
        """After the stretches have been updated with other multipliers."""
        for places, parts in zip(self._places, self._parts, strict=True):
            for place, part in zip(places, parts, strict=True):
                place[...] = part
