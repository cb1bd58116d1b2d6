"""LARS: SGD with a rate for each parameter, rate * ratio, ratio = eta ||w|| / (||g|| + decay ||w||)."""

from __future__ import annotations

from brew.solver.update.trust_ratio import TrustRatio

from .sgd import SGD


class LARS(SGD):
    """Layer-wise adaptive rates (You et al., 1708.03888), as local_lr_auto of Intel Caffe; eta is local_gw_ratio."""

    type = "LARS"

    def trust_ratio(self) -> TrustRatio:
        return TrustRatio(self.param.local_gw_ratio, with_decay=not self.decoupled)
