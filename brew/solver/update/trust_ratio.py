"""A rate for each parameter: the norm of its weights over the norm of its gradient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrustRatio:
    """ratio = eta * ||w|| / (||g|| + decay * ||w||), which multiplies the rate; 1 where a norm is 0.

    LARS (You et al., 1708.03888): eta is local_gw_ratio, with decay (Intel Caffe). LARC: eta is (1 - momentum) *
    larc_eta, without decay (NVIDIA Caffe); with `clip` the rate becomes min(rate, ratio) instead of rate * ratio.
    LAMB (You et al., 1904.00962): eta is 1, and g is the step. In the forks the ratio stands in lr_mult's place; here
    lr_mult multiplies too. The decay is the parameter's own, with its decay_mult.
    """

    eta: float
    with_decay: bool = False
    clip: bool = False

    def of(self, weights: float, gradient: float, decay: float, rate: float) -> float:
        """The factor of a parameter's rate, from the norms of its weights and its gradient.

        >>> TrustRatio(0.5, with_decay=True).of(2.0, 3.0, decay=1.0, rate=0.1)
        0.2
        >>> TrustRatio(0.5, clip=True).of(2.0, 4.0, decay=1.0, rate=0.5)
        0.5
        >>> TrustRatio(0.5).of(0.0, 4.0, decay=1.0, rate=0.5)
        1.0
        """
        if not (weights > 0 and gradient > 0):
            return 1.0
        ratio = self.eta * weights / (gradient + decay * self.with_decay * weights)
        if self.clip:
            return ratio / rate if ratio < rate else 1.0
        return ratio
