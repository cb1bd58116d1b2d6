"""For tests of convolutions in nets: what computes each, what passes give, and whether two nets have the same values."""

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


def ways(it: Net) -> dict[str, dict[str, str]]:
    """By convolution and pass, the way that computes it."""
    return {name: {what: one.way for what, one in how.passes.items()} for name, how in convolutions(it).items()}


def feed(it: Net, shape: tuple[int, ...]) -> None:
    """Numbers drawn for this shape in the blob "in"; a BatchNorm "bn" has statistics of 1."""
    it.blobs["in"].reshape(*shape)
    it.reshape()
    it.blobs["in"].data[...] = np.random.default_rng(sum(shape)).standard_normal(shape)
    for blob in it.params.get("bn", ()):
        blob.data[...] = 1


def trained(it: Net, shape: tuple[int, ...], top: str = "c") -> dict[str, np.ndarray]:
    """Both passes, from a drawn gradient of `top`: its values, and all gradients of parameters and of "in"."""
    feed(it, shape)
    it.forward()
    it.blobs[top].diff[...] = np.random.default_rng(1).standard_normal(it.blobs[top].shape)
    it.clear_param_diffs()
    it.backward()
    found = {f"{n}/{i}": b.diff.copy() for n, bs in it.params.items() for i, b in enumerate(bs) if n != "bn"}
    return {**found, top: it.blobs[top].data.copy(), "in/diff": it.blobs["in"].diff.copy()}


def same(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-4 * max(1, abs(value).max()), err_msg=name)
