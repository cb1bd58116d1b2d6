"""LAMB: u = m^ / (sqrt(v^) + delta) + decay w, moments as in AdamW; w = w - rate u ||w|| / ||u||, blob by blob."""

from __future__ import annotations

from brew.solver.update.kernel import rule_kernels
from brew.solver.update.trust_ratio import TrustRatio

from .adam import NAMES, STEP
from .adamw import AdamW

_kernels = rule_kernels("lamb_update", history="m v", constants=NAMES, step=STEP, deferred=True)


class LAMB(AdamW):
    """Layer-wise adaptive moments for large batches (You et al., 1904.00962), with their bias correction.

    The norms are those of one parameter blob: a weight and its bias have a ratio each. Where one of them is 0, as for
    a bias that starts at 0, the ratio is 1.
    """

    type = "LAMB"
    deferred = True
    kernel = _kernels.lamb_update

    def trust_ratio(self) -> TrustRatio:
        return TrustRatio(1.0)
