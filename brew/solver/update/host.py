"""The update on the CPU: every piece of weights, gradient and history goes through the cache once, on all threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from brew.cpu.workers import Sweep, pieces
from brew.layer import Array
from brew.net.parameters import Parameters

from .onednn import MomentumOneDNN, fits
from .rule import L1, UpdateRule, segments


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the arena that is taken at once: its number, and that of the segment it is part of."""

    number: int
    segment: int
    where: slice


@dataclass(frozen=True, slots=True)
class _Factors:
    """How a segment is updated: limit of an element, scale of gradients, decay through the rule and beside it, rate."""

    limit: float
    scale: float
    coupled: float
    beside: float
    rate: float


class HostUpdate:
    """The update of a net on the CPU. `history` holds one arena per slot of the rule.

    Norms are summed piece by piece, the pieces in the order of the arena: no result depends on the number of threads.
    """

    def __init__(self, parameters: Parameters, engine: str, rule: UpdateRule) -> None:
        self.parameters, self.rule = parameters, rule
        self.history: list[Array] = [np.zeros_like(parameters.arena) for _ in range(rule.slots)]
        self._ratio = rule.trust_ratio()
        self.segments = segments(parameters, joined=self._ratio is None)
        stretches = [(i, where) for i, s in enumerate(self.segments) for where in pieces(s.start, s.stop)]
        self._pieces = [_Piece(number, *stretch) for number, stretch in enumerate(stretches)]
        self._segment_of = np.array([segment for segment, _ in stretches], np.intp)
        self._squares = np.zeros((2, len(self._pieces)))  # of weights and of gradients, summed over each piece
        longest = max((where.stop - where.start for _, where in stretches), default=0)
        self._sweep = Sweep(2, longest, parameters.dtype)
        at_once = fits(parameters, engine, rule)
        self._at_once = MomentumOneDNN(parameters, self.segments, self.history[0]) if at_once else None

    def apply(self, rate: float, iteration: int, momentum_scale: float = 1.0) -> None:
        """One update with learning rate `rate`; the other two as in `UpdateRule.constants`."""
        with np.errstate(all="ignore"):
            self._apply(rate, self.rule.constants(iteration, momentum_scale))

    def _each(self, task: Callable[[_Piece, Array], None]) -> None:
        self._sweep.each(task, self._pieces, self.parameters.arena.size)

    def _apply(self, rate: float, constants: Sequence[float]) -> None:
        param, limit, deferred = self.rule.param, self.rule.limit, self.rule.deferred
        if param.clip_gradients >= 0 or (self._ratio and not deferred):  # norms after the limit
            self._each(lambda piece, scratch: self._measure(piece, limit, scratch))
            limit = -1.0
        scale = self._clip_scale() / param.iter_size
        if self._at_once is not None:
            self._at_once.apply(rate, scale, param.weight_decay, *constants)
            return
        decays = [param.weight_decay * s.decay_mult for s in self.segments]
        rates = [1.0 if deferred else rate * s.lr_mult for s in self.segments]
        trusts = [1.0] * len(decays) if deferred else self._trusts(scale, decays, rate)
        factors = [
            _Factors(limit, scale, *((0.0, local * decay) if self.rule.decoupled else (decay, 0.0)), local * trust)
            for decay, local, trust in zip(decays, rates, trusts, strict=True)
        ]
        self._each(lambda piece, scratch: self._step(piece, constants, factors[piece.segment], scratch))
        if deferred:
            self._subtract(rate)

    def _measure(self, piece: _Piece, limit: float, scratch: Array) -> None:
        """Hold the elements of a piece of the gradient to the limit, and sum its squares."""
        g = self.parameters.gradient_arena[piece.where]
        if limit >= 0:
            np.clip(g, -limit, limit, out=g)
        self._sum_squares(piece, scratch)

    def _sum_squares(self, piece: _Piece, scratch: Array) -> None:
        if self._ratio is not None:
            self._squares[0, piece.number] = _square(self.parameters.arena[piece.where], scratch)
        self._squares[1, piece.number] = _square(self.parameters.gradient_arena[piece.where], scratch)

    def _clip_scale(self) -> float:
        """The factor of the gradients that holds their L2 norm to clip_gradients (negative: no limit)."""
        threshold = self.rule.param.clip_gradients
        if threshold < 0:
            return 1.0
        norm = math.sqrt(self._squares[1].sum())
        return float(threshold / norm) if norm > threshold else 1.0

    def _trusts(self, scale: float, decays: Sequence[float], rate: float) -> list[float]:
        """The trust ratio of every segment, its gradient being `scale` times what was measured in the arena."""
        if self._ratio is None:
            return [1.0] * len(decays)
        weights, gradients = (np.sqrt(np.bincount(self._segment_of, s, len(decays))).tolist() for s in self._squares)
        of = self._ratio.of
        return [of(w, scale * g, decay, rate) for w, g, decay in zip(weights, gradients, decays, strict=True)]

    def _step(self, piece: _Piece, constants: Sequence[float], factors: _Factors, scratch: Array) -> None:
        """Turn gradients into steps and subtract them; a deferred rule sums squares of weights and steps instead."""
        w, g = self.parameters.arena[piece.where], self.parameters.gradient_arena[piece.where]
        scratch = scratch[:, : g.size]
        if factors.limit >= 0:
            np.clip(g, -factors.limit, factors.limit, out=g)
        if factors.scale != 1.0:
            g *= factors.scale
        if factors.coupled:
            g += self._penalty(w, factors.coupled, scratch[0])
        self.rule.step(g, [h[piece.where] for h in self.history], factors.rate, constants, scratch)
        if factors.beside:
            g += self._penalty(w, factors.beside, scratch[0])
        if self.rule.deferred:
            self._sum_squares(piece, scratch)
        else:
            w -= g

    def _penalty(self, w: Array, decay: float, out: Array) -> Array:
        """`decay` times the gradient of the L2 or L1 penalty of the weights."""
        if self.rule.param.regularization_type == L1:
            np.sign(w, out=out)
            out *= decay
        else:
            np.multiply(w, decay, out=out)
        return out

    def _subtract(self, rate: float) -> None:
        """Subtract the steps from the weights, each segment's at its rate."""
        trusts = self._trusts(1.0, [0.0] * len(self.segments), rate)
        rates = [rate * s.lr_mult * trust for s, trust in zip(self.segments, trusts, strict=True)]

        def subtract(piece: _Piece, _: Array) -> None:
            g = self.parameters.gradient_arena[piece.where]
            g *= rates[piece.segment]
            self.parameters.arena[piece.where] -= g

        self._each(subtract)


def _square(values: Array, scratch: Array) -> float:
    """The sum of squares, in pairs: BLAS's dot would sum in an order that depends on its number of threads."""
    return float(np.multiply(values, values, out=scratch[0, : values.size]).sum())
