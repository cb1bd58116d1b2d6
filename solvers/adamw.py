"""AdamW: Adam's moments, m^ = m / (1 - b1^t), v^ = v / (1 - b2^t); w = w - rate (m^ / (sqrt(v^) + delta) + decay w)."""

from __future__ import annotations

import numpy as np

from .adam import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 1711.05101), the decay times the rate as in PyTorch.

    Unlike Caffe's Adam it adds delta to the corrected root: delta sqrt(1 - b2^t) to the uncorrected one.
    """

    type = "AdamW"
    always_decoupled = True

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        b1, b2, delta, correction = super().constants(iteration, momentum_scale)
        return b1, b2, delta * float(np.sqrt(1 - b2 ** (iteration + 1))), correction
