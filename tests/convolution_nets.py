"""For tests of convolutions in nets: what computes each, and whether two nets have the same values."""

from __future__ import annotations

import numpy as np

from brew.layers.onednn._filters import FiltersOneDNN
from brew.net.net import Net


def convolutions(it: Net) -> dict[str, FiltersOneDNN]:
    """What computes each convolution in a pass over the whole net."""
    fused = it.executor.fused
    grouped = {n for group in fused.groups for n in range(group.first, group.last + 1)}
    found: list[object] = [step.implementation for n, step in enumerate(it.executor.steps) if n not in grouped]
    found += [getattr(group.step.how, "filters", None) for group in fused.groups]
    return {how.layer.name: how for how in found if isinstance(how, FiltersOneDNN)}


def same(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-4 * max(1, abs(value).max()), err_msg=name)
