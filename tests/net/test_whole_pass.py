"""A pass as one list of calls: that it is used while nothing changes, and gives way to whatever changes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net.net import Net
from brew.net.run import executor
from brew.net.run.step import Step
from brew.proto.brew_pb2 import NetParameter

TEXT = """
layer { name: "in" type: "Input" top: "data" top: "label" input_param { shape { dim: 6 dim: 2 dim: 7 dim: 7 } shape { dim: 6 } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "d" type: "Dropout" bottom: "p" top: "p" }
layer { name: "ip" type: "InnerProduct" bottom: "p" top: "ip" inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
ENGINES = pytest.mark.parametrize("engine", ["caffe", pytest.param("onednn", marks=pytest.mark.onednn)])
AT_ONCE = pytest.mark.parametrize("at_once", [False, True])


def make(engine: str, keep: tuple[str, ...] | None = None) -> Net:
    net = Net(prototxt.parse(TEXT, NetParameter), brew.TRAIN, engine=engine, seed=3, keep=keep)
    feed(net, 6)
    return net


def feed(net: Net, batch: int) -> None:
    random = np.random.default_rng(batch)
    net.blobs["data"].reshape(batch, 2, 7, 7)
    net.blobs["label"].reshape(batch)
    net.blobs["data"].data[...] = random.standard_normal(net.blobs["data"].shape)
    net.blobs["label"].data[...] = random.integers(4, size=batch)


def stands(net: Net) -> tuple[bool, bool]:
    executor = net.executor
    return executor.whole.forward.stands, executor.whole.backward.stands


def passes(net: Net, number: int = 1, *, at_once: bool = False) -> None:
    for _ in range(number):
        net.clear_param_diffs()
        if at_once:
            net.forward_backward()
        else:
            net.run_forward()
            net.run_backward()


def gradients(net: Net) -> bytes:
    return net.parameters.gradient_arena.tobytes()


def by_parts(net: Net) -> None:
    net.run_forward(0, 2)
    net.run_forward(3)


def reshaped(net: Net) -> None:
    feed(net, 9)


def looked_at(net: Net) -> None:
    net.blobs["c"].diff.max()


def watched(net: Net) -> None:
    net.before_forward(lambda number: None)
    net.run_forward()
    net._around_forward.before.clear()


CHANGES: list[Callable[[Net], None]] = [by_parts, reshaped, looked_at, watched]


@ENGINES
def test_it_stands_from_the_second_pass_on(engine: str) -> None:
    net = make(engine, keep=())
    assert stands(net) == (False, False)
    passes(net, 2)
    assert stands(net) == (True, True)


@ENGINES
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_ends_it_and_results_are_those_of_single_steps(engine: str, change: Callable[[Net], None]) -> None:
    net, plain = make(engine, keep=()), make(engine, keep=())
    for it in (net, plain):
        for whole in (it.executor.whole.forward, it.executor.whole.backward):
            whole._possible &= it is net
        passes(it, 3)
        change(it)
    assert stands(net) == (False, False) or change is looked_at
    for _ in range(3):
        for it in (net, plain):
            passes(it)
        assert gradients(net) == gradients(plain)
        assert net.loss() == plain.loss()
    assert stands(net) == (True, True)
    assert stands(plain) == (False, False)


@ENGINES
@pytest.mark.parametrize("change", CHANGES)
def test_both_passes_at_once_are_those_two_passes(engine: str, change: Callable[[Net], None]) -> None:
    net, plain = make(engine, keep=()), make(engine, keep=())
    for number in range(6):
        passes(net, at_once=True)
        passes(plain)
        assert gradients(net) == gradients(plain)
        assert net.loss() == plain.loss()
        if number == 2:
            assert stands(net) == (True, True)
            change(net)
            change(plain)


def test_callbacks_hear_of_both_passes() -> None:
    net, seen = make("caffe"), list[int]()
    net.after_forward(seen.append)
    net.after_backward(seen.append)
    net.forward_backward()
    assert seen == [*range(len(net.layers)), *reversed(range(len(net.layers)))]


@ENGINES
def test_a_loss_is_read_where_it_is_now(engine: str) -> None:
    net = make(engine)
    passes(net, 2)
    assert net.loss() == net.blobs["loss"].data.item()  # the look gives it another home where it had a lease
    net.blobs["loss"].data[...] = 7
    assert net.loss() == 7
    feed(net, 9)
    passes(net)
    assert net.loss() == net.blobs["loss"].data.item() != 7


@ENGINES
@AT_ONCE
def test_backward_runs_once_after_each_forward_where_memory_is_shared(engine: str, at_once: bool) -> None:
    net = make(engine, keep=())
    passes(net, 3, at_once=at_once)
    net.run_forward()
    passes(net, at_once=at_once)
    with pytest.raises(brew.BrewError, match="backward runs once"):
        net.run_backward()
    passes(net, at_once=at_once)


@ENGINES
@AT_ONCE
def test_an_error_in_a_pass_leaves_the_net_usable(engine: str, at_once: bool) -> None:
    net, plain = make(engine), make(engine)
    passes(net, 2, at_once=at_once)
    labels = net.blobs["label"].data
    right = labels.copy()
    labels[...] = 17
    with pytest.raises(brew.BrewError, match="label 17"):
        passes(net, at_once=at_once)
    labels[...] = right
    passes(net, at_once=at_once)
    passes(plain, 4)
    assert gradients(net) == gradients(plain)


def sharing(net: Net) -> Net:
    return Net(prototxt.parse(TEXT, NetParameter), brew.TRAIN, engine=net.engine, seed=3, keep=(), share=net)


@ENGINES
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_another_net_does_not_end_it(engine: str, change: Callable[[Net], None]) -> None:
    net, another = make(engine, keep=()), make(engine, keep=())
    for it in (net, another):
        passes(it, 3)
    change(another)
    another.params["ip"][0].diff.max()
    assert stands(net) == (True, True)


def test_nets_that_share_weights_see_who_looks_at_them() -> None:
    net = make("caffe", keep=())
    borrower = sharing(net)
    feed(borrower, 6)
    for it in (net, borrower):
        passes(it, 3)
    net.params["ip"][0].data.max()
    assert stands(net) == stands(borrower) == (False, False)


@ENGINES
def test_it_stands_while_another_thread_changes_another_net(engine: str) -> None:
    net, another = make(engine, keep=()), make(engine, keep=())
    passes(net, 3)
    done = Event()

    def change_again_and_again() -> int:
        rounds = 0
        while not done.is_set():
            feed(another, 3 + rounds % 5)
            passes(another)
            another.blobs["loss"].data.max()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as thread:
        rounds = thread.submit(change_again_and_again)
        try:
            for _ in range(200):
                passes(net)
                assert stands(net) == (True, True)
        finally:
            done.set()
        assert rounds.result() > 2


@pytest.mark.onednn
def test_a_group_that_cannot_run_in_the_present_shapes_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A net made for many items and reshaped to one, as scripts do it: passes tried its groups anew every time."""
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 40 dim: 30 } } }
    layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 40 } }
    layer { name: "r" type: "ReLU" bottom: "ip" top: "ip" }"""
    net = Net(prototxt.parse(text, NetParameter), brew.TEST, engine="onednn", seed=3)
    net.blobs["x"].reshape(1, 30)
    tried: list[object] = []
    for group in net.executor.fused.groups:
        before = group.step.prepare
        monkeypatch.setattr(
            group.step, "prepare", lambda scratch, before=before: (tried.append(before), before(scratch))
        )
    net.run_forward()
    refused = [group for group in net.executor.fused.groups if group.step.is_refused]
    assert refused
    tried.clear()
    passes_before = net.executor.binding.stamps.latest
    for _ in range(2):
        net.run_forward()
    assert tried == []
    assert net.executor.whole.forward.stands
    net.blobs["x"].reshape(40, 30)
    net.run_forward()
    assert not any(group.step.is_refused for group in refused)
    assert net.executor.binding.stamps.latest > passes_before


@pytest.mark.onednn
def test_a_thread_tells_openmp_its_number_before_new_shapes_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is prepared for another number of threads rounds its sums otherwise."""
    net, order = make("onednn"), list[str]()
    passes(net)
    tell, prepare = executor.threads.openmp_threads, Step.prepare

    def told(library: object) -> bool:
        order.append("told")
        return tell(library)  # type: ignore[arg-type]

    def prepared(step: Step, *arguments: object) -> None:
        order.append("prepared")
        prepare(step, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(executor.threads, "openmp_threads", told)
    monkeypatch.setattr(Step, "prepare", prepared)
    feed(net, 3)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(net.run_forward).result()
    assert order[0] == "told" and "prepared" in order
