"""Passes that ask next to nothing: they are taken where nothing has happened, and whatever happens is seen."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net.net import Net
from brew.net.steady import SteadyPass
from brew.proto.brew_pb2 import NetParameter

random = np.random.default_rng(0)
NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 20 dim: 20 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
        convolution_param { num_output: 16 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "f" type: "InnerProduct" bottom: "p" top: "f" inner_product_param { num_output: 10
        weight_filler { type: "xavier" } } }
layer { name: "s" type: "Softmax" bottom: "f" top: "s" }
"""


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each pass that was asked for, whether it was a steady one."""
    run, found = SteadyPass.run, list[bool]()

    def asked(self: SteadyPass) -> bool:
        found.append(run(self))
        return found[-1]

    monkeypatch.setattr(SteadyPass, "run", asked)
    return found


def made(text: str = NET, phase: int = brew.TEST, **options: Any) -> Net:
    return Net(prototxt.parse(text, NetParameter), phase, seed=1, device="cpu", **options)


def scores(net: Net, x: Any) -> Any:
    net.blobs["x"].data[...] = x
    return net.forward()["s"].copy()


def fresh(net: Net, x: Any, **options: Any) -> Any:
    """What a net that was just made says, with the weights of `net`."""
    other = made(**options)
    other.blobs["x"].reshape(*np.shape(x))
    for name, blobs in net.params.items():
        for mine, theirs in zip(other.params[name], blobs, strict=True):
            mine.data[...] = theirs.data_memory.host(theirs.shape)
    return scores(other, x)


def settled(net: Net, taken: list[bool]) -> Any:
    """An input for a net whose passes are steady now."""
    x = random.standard_normal(net.blobs["x"].shape)
    for _ in range(4):
        scores(net, x)
    assert taken[-1]
    return x


def test_steady_passes_compute_the_same(taken: list[bool]) -> None:
    net = made()
    for x in random.standard_normal((5, 1, 3, 20, 20)):
        assert np.array_equal(scores(net, x), fresh(net, x))
    assert taken.count(True) >= 3


def test_callbacks_are_called_and_see_the_blobs(taken: list[bool]) -> None:
    net = made()
    x, seen = settled(net, taken), list[Any]()
    net.after_forward(lambda number: seen.append((number, net.blobs["c"].data.copy())))
    scores(net, x)
    assert [number for number, _ in seen] == list(range(len(net.layers))) and not taken[-1]
    assert (seen[2][1] >= 0).all() and seen[2][1].any()


def test_what_is_written_to_parameters_counts(taken: list[bool]) -> None:
    net = made()
    x = settled(net, taken)
    view = net.params["f"][0].data
    for factor in (0.5, 2.0):
        view *= np.float32(factor)
        assert np.array_equal(scores(net, x), fresh(net, x))
    before = scores(net, x)
    view *= np.float32(3)
    assert not np.array_equal(scores(net, x), before)


def test_weights_that_are_loaded_count(taken: list[bool], tmp_path: Path) -> None:
    net, other = made(), made()
    other.params["c"][0].data[...] *= 2
    other.save(tmp_path / "other.caffemodel")
    x = settled(net, taken)
    net.copy_from(tmp_path / "other.caffemodel")
    assert np.array_equal(scores(net, x), scores(other, x))


def test_other_shapes_count(taken: list[bool]) -> None:
    net = made()
    settled(net, taken)
    x = random.standard_normal((3, 3, 20, 20))
    net.blobs["x"].reshape(*x.shape)
    for _ in range(3):
        assert np.array_equal(scores(net, x), fresh(net, x))
    scores(net, x)
    assert taken[-1]


def test_views_of_hidden_blobs_stay_up_to_date(taken: list[bool]) -> None:
    net = made()
    settled(net, taken)
    views = {name: net.blobs[name].data for name in ("c", "p")}
    for x in random.standard_normal((3, 1, 3, 20, 20)):
        scores(net, x)
        other = made()
        for name, view in views.items():
            other.blobs["x"].data[...] = x
            assert np.array_equal(view, other.forward([name])[name])


def test_a_part_of_a_pass_in_between(taken: list[bool]) -> None:
    net = made()
    x = settled(net, taken)
    expected = scores(net, x)
    net.blobs["p"].data[...] = 0
    assert not np.array_equal(net.forward(start="f")["s"], expected)
    for _ in range(3):
        assert np.array_equal(scores(net, x), expected)


def test_backward_after_a_steady_pass(taken: list[bool]) -> None:
    net, other = (made(f"force_backward: true {NET}") for _ in range(2))
    x = settled(net, taken)
    other.blobs["x"].data[...] = x
    gradients = []
    for one in (net, other):
        one.forward()
        one.blobs["s"].diff[...] = np.arange(10)
        gradients.append(one.backward()["x"].copy())
    assert np.array_equal(*gradients) and gradients[0].any()


def test_every_pass_draws_anew(taken: list[bool]) -> None:
    text = NET.replace(
        'layer { name: "s"', 'layer { name: "d" type: "Dropout" bottom: "f" top: "f" } layer { name: "s"'
    )
    net, other = (made(text, brew.TRAIN) for _ in range(2))
    x = random.standard_normal((1, 3, 20, 20))
    ours = [scores(net, x) for _ in range(6)]
    other.after_forward(lambda _: None)  # never steady
    assert all(np.array_equal(a, scores(other, x)) for a in ours)
    assert len({a.tobytes() for a in ours}) == 6 and taken[5]


def test_numpy_says_nothing_inside_and_what_the_caller_chose_outside(taken: list[bool]) -> None:
    net = made('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 } } } '
               'layer { name: "l" type: "Log" bottom: "x" top: "s" }', engine="caffe")  # fmt: skip
    with np.errstate(all="raise"):
        for _ in range(4):
            net.blobs["x"].data[...] = 0
            assert np.isneginf(net.forward()["s"]).all()
        with pytest.raises(FloatingPointError):
            np.float32(1) / np.float32(0)
    assert taken[-1]


def test_an_error_in_the_middle(taken: list[bool]) -> None:
    net = made()
    x = settled(net, taken)
    expected, calls = scores(net, x), net.executor.whole.forward.calls

    def fails() -> None:
        raise KeyError("in the middle")

    calls.insert(2, fails)
    with np.errstate(divide="raise"):
        with pytest.raises(KeyError, match="in the middle"):
            net.forward()
        assert np.geterr()["divide"] == "raise"
    assert (np.full(64, np.float32(1e-39)) * np.float32(1)).all(), "subnormal numbers are as before"
    calls.remove(fails)
    assert np.array_equal(scores(net, x), expected)


def test_threads_with_nets_of_their_own(taken: list[bool]) -> None:
    nets = [made() for _ in range(4)]
    xs = random.standard_normal((4, 1, 3, 20, 20))
    expected = [fresh(net, x) for net, x in zip(nets, xs, strict=True)]
    wrong: list[int] = []

    def run(number: int) -> None:
        if not all(np.array_equal(scores(nets[number], xs[number]), expected[number]) for _ in range(50)):
            wrong.append(number)

    running = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong and taken.count(True) > 150


def test_a_steady_pass_runs_little_python_beside_its_layers() -> None:
    """A count is the same on a busy machine, and time is not."""
    net = made()
    for _ in range(4):
        net.forward()
    calls = net.executor.whole.forward.calls
    calls[:] = []  # what is left is the pass itself
    counted = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count)
    net.forward()
    sys.setprofile(None)
    assert 5 < counted <= 32
