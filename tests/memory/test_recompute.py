"""Recomputation: less memory, and not one bit of another value."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from recompute_nets import HEAD, NETS, assert_equal, feed, gradients, held, make, separate

import brew
from brew import prototxt
from brew.memory import recompute
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

ENGINES = pytest.mark.parametrize(
    "options",
    [
        {"engine": "caffe"},
        pytest.param({"engine": "onednn"}, marks=pytest.mark.onednn),
        pytest.param({"engine": "onednn", "fuse": False}, marks=pytest.mark.onednn),
    ],
)


@pytest.mark.parametrize("name", NETS)
@ENGINES
def test_gradients_and_statistics_are_the_same_bits(
    name: str, options: dict[str, object], poisoned: Callable[[Net], Net]
) -> None:
    plain, again = make(NETS[name], **options), make(NETS[name], recompute=True, **options)
    assert again.executor.memory.schedule.again and again.memory.arena < 0.8 * plain.memory.arena
    for batch in (4, 6, 6):
        for net in (plain, again):
            feed(net, batch)
        again.executor.plan_shapes()
        if batch != 4:
            poisoned(again)
        assert_equal(gradients(again), gradients(plain))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", NETS)
@ENGINES
def test_it_may_be_cut_anywhere(
    name: str, options: dict[str, object], seed: int, poisoned: Callable[[Net], Net], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(seed)
    share = (1.0, 0.5, 0.2)[seed % 3]

    def cuts(cutter: recompute._Cutter, budget: int) -> list[int]:
        return [u for u in range(len(cutter.units) - 1) if cutter.may_cut[u] and random.random() < share]

    monkeypatch.setattr(recompute._Cutter, "_cuts", cuts)
    monkeypatch.setattr(recompute, "_peak", lambda need, outside, moments: -moments)
    plain, again = (make(NETS[name], recompute=recompute, **options) for recompute in (False, True))
    assert again.executor.memory.schedule.again
    poisoned(again)
    assert_equal(gradients(again), gradients(plain))


@pytest.mark.parametrize("name", NETS)
def test_on_every_device(name: str, device: str, poisoned: Callable[[Net], Net]) -> None:
    nets = [make(NETS[name], device=device, engine="caffe", recompute=recompute) for recompute in (False, True)]
    poisoned(nets[1])
    assert nets[1].executor.memory.schedule.again
    assert_equal(*map(gradients, nets))


def test_passes_become_lists_of_calls() -> None:
    net = make(NETS["residual"], recompute=True)
    for _ in range(2):
        net.run_forward()
        net.run_backward()
    assert net.executor.whole.backward.stands


@pytest.mark.parametrize("name", NETS)
def test_layers_computed_together_forward_run_backward_by_parts(name: str) -> None:
    nets = [make(NETS[name], recompute=recompute) for recompute in (False, True)]
    middle = len(nets[0].layers) // 2
    for net in nets:
        net.run_forward()
        net.run_backward(end=middle)
        net.run_backward(start=middle - 1)
    assert_equal(*map(held, nets))


def _looked_at(net: Net) -> dict[str, npt.NDArray[np.float32]]:
    """Views of blobs, taken between the passes and within backward; a second pass has then run."""
    seen: list[int] = []
    views = {}

    def look(number: int) -> None:
        seen.append(number)
        for name in list(net.bottom_names.values())[number][: number % 3 == 0]:
            views[name] = net.blobs[name].data

    net.run_forward()
    early = list(net.blobs)[4]
    views[early] = net.blobs[early].data
    net.before_backward(look)
    net.run_backward()
    assert seen == list(reversed(range(len(net.layers))))
    net.run_forward()
    net._around_backward.before.clear()
    net.run_backward()
    return views


@pytest.mark.parametrize("name", NETS)
def test_callbacks_see_every_layer_once_and_may_look_at_blobs(name: str) -> None:
    """What is looked at gets memory of its own, in the middle of backward too; it is right from the next pass on."""
    nets = [make(NETS[name], **options) for options in ({"keep": None}, {}, {"recompute": True})]  # type: ignore[arg-type]
    for net in nets:
        views = _looked_at(net)
    for net in nets[1:]:
        assert_equal(held(net), held(nets[0]))
        for blob in views:
            np.testing.assert_array_equal(net.blobs[blob].data, nets[0].blobs[blob].data)


def test_memory_taken_is_what_was_predicted() -> None:
    text = separate(12).replace("num_output: 16", "num_output: 128")
    make(text).run_forward()  # what is loaded once is there
    tracemalloc.start()
    net = make(text, engine="caffe", recompute=True)
    net.run_forward()
    net.run_backward()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken == pytest.approx(net.memory.total, rel=0.15)


def test_without_keep_a_warning_says_that_nothing_is_saved(caplog: pytest.LogCaptureFixture) -> None:
    net = make(NETS["residual"], recompute=True, keep=None)
    assert "recompute saves nothing where every blob is kept" in caplog.text
    assert not net.executor.memory.schedule.again


def test_nets_without_backward_and_nets_of_a_single_step_run_nothing_again() -> None:
    assert not make(NETS["residual"], recompute=True, forward_only=True).executor.memory.schedule.again
    net = Net(prototxt.parse(HEAD, NetParameter), brew.TRAIN, keep=[], recompute=True)
    net.run_forward()
    net.run_backward()
    assert not net.executor.memory.schedule.again
