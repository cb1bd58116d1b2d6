"""The update on the CPU: every piece of weights, gradient and history goes through the cache once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Array
from brew.net import Net
from brew.update_rule import L1, PIECE, Segment, UpdateRule, pieces, segments


class HostUpdate:
    """The update of a net on the CPU. `history` holds one arena per slot of the rule."""

    def __init__(self, net: Net, rule: UpdateRule) -> None:
        self.net, self.rule = net, rule
        self.history: list[Array] = [np.zeros_like(net.parameters.arena) for _ in range(rule.slots)]
        self._ratio = rule.trust_ratio()
        self.segments = segments(net, joined=self._ratio is None)
        self._scratch = np.empty((2, PIECE), net.dtype)

    def apply(self, rate: float, iteration: int, momentum_scale: float = 1.0) -> None:
        """One update with learning rate `rate`; the other two as in `UpdateRule.constants`."""
        with np.errstate(all="ignore"):
            self._apply(rate, self.rule.constants(iteration, momentum_scale))

    def _apply(self, rate: float, constants: Sequence[float]) -> None:
        param, limit, gradients = self.rule.param, self.rule.limit, self.net.parameters.gradient_arena
        if limit >= 0 and (self._ratio or param.clip_gradients >= 0):  # norms are of what the limit has left
            np.clip(gradients, -limit, limit, out=gradients)
            limit = -1.0
        scale = _clip_scale(gradients, param.clip_gradients) / param.iter_size
        for segment in self.segments:
            decay, local = param.weight_decay * segment.decay_mult, rate * segment.lr_mult
            if self.rule.deferred:
                self._step(segment, constants, (limit, scale, decay, 1.0, 1.0))
                self._subtract(segment, local * self._trust(segment, 1.0, 0.0, rate))
            else:
                trust = self._trust(segment, scale, decay, rate)
                self._step(segment, constants, (limit, scale, decay, local, local * trust))

    def _trust(self, segment: Segment, scale: float, decay: float, rate: float) -> float:
        """The trust ratio of a parameter whose gradient is `scale` times what stands in the arena."""
        if self._ratio is None:
            return 1.0
        whole, parameters = slice(segment.start, segment.stop), self.net.parameters
        weights, gradient = _norm(parameters.arena[whole]), scale * _norm(parameters.gradient_arena[whole])
        return self._ratio.of(weights, gradient, decay, rate)

    def _step(
        self, segment: Segment, constants: Sequence[float], factors: tuple[float, float, float, float, float]
    ) -> None:
        """Gradients into steps, and those off the weights unless the rule is deferred.

        `factors` are the limit of an element, the scale of gradients, weight decay, the rate and the rate of the rule.
        """
        limit, scale, decay, rate, own_rate = factors
        coupled, beside = (0.0, rate * decay) if self.rule.decoupled else (decay, 0.0)
        for piece in pieces(segment):
            w, g = self.net.parameters.arena[piece], self.net.parameters.gradient_arena[piece]
            scratch = self._scratch[:, : g.size]
            if limit >= 0:
                np.clip(g, -limit, limit, out=g)
            if scale != 1.0:
                g *= scale
            if coupled:
                g += self._penalty(w, coupled, scratch[0])
            self.rule.step(g, [h[piece] for h in self.history], own_rate, constants, scratch)
            if beside:
                g += self._penalty(w, beside, scratch[0])
            if not self.rule.deferred:
                w -= g

    def _penalty(self, w: Array, decay: float, out: Array) -> Array:
        """`decay` times the gradient of the L2 or L1 penalty of the weights."""
        if self.rule.param.regularization_type == L1:
            np.sign(w, out=out)
            out *= decay
        else:
            np.multiply(w, decay, out=out)
        return out

    def _subtract(self, segment: Segment, rate: float) -> None:
        for piece in pieces(segment):
            g = self.net.parameters.gradient_arena[piece]
            g *= rate
            self.net.parameters.arena[piece] -= g


def _norm(values: Array) -> float:
    return float(np.sqrt(np.dot(values, values)))


def _clip_scale(gradients: Array, threshold: float) -> float:
    """What the gradients are multiplied by so that their L2 norm is at most `threshold` (negative: no clipping)."""
    if threshold < 0:
        return 1.0
    norm = _norm(gradients)
    return threshold / norm if norm > threshold else 1.0
