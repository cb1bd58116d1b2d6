"""Threads that share a job: every item once, errors, contexts, two callers, forks, and an end; sweeps; the update's bits."""

from __future__ import annotations

import gc
import os
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from brew.cpu import threads, workers
from brew.cpu.workers import Sweep, Workers
from brew.solver.solver import Solver
from brew.solver.update.make import rule_names

NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 30 } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { lr_mult: 2 } param { lr_mult: 0.5 decay_mult: 3 }
  inner_product_param { num_output: 20 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.3 } } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip" top: "y" inner_product_param { num_output: 9 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }
"""


@pytest.fixture(autouse=True)
def own_number() -> Iterator[None]:
    yield
    threads.use(None)


def running() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith("brew-worker")}


def ends(started: set[threading.Thread]) -> bool:
    gc.collect()
    for thread in started:
        thread.join(10)
    return not any(thread.is_alive() for thread in started)


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("items", [0, 1, 3, 100])
def test_every_item_is_taken_once_by_a_thread_there_is(number: int, items: int) -> None:
    seen: list[tuple[int, int]] = []
    Workers(number).each(lambda item, thread: seen.append((item, thread)), range(items))
    assert sorted(item for item, _ in seen) == list(range(items))
    assert {thread for _, thread in seen} <= set(range(number))


def test_items_are_taken_at_the_same_time() -> None:
    met = threading.Barrier(3, timeout=20)
    Workers(3).each(lambda item, thread: met.wait(), range(3))  # one thread would wait for ever


@pytest.mark.parametrize("culprit", range(3))
def test_an_error_reaches_the_caller_when_all_have_stopped(culprit: int) -> None:
    pool, met, at_work = Workers(3), threading.Barrier(3, timeout=20), [0]

    def task(item: int, thread: int) -> None:
        met.wait()
        at_work[0] += 1
        if thread == culprit:
            raise IndexError(f"item of thread {thread}")
        time.sleep(0.01)
        at_work[0] -= 1

    with pytest.raises(IndexError, match=f"item of thread {culprit}"):
        pool.each(task, range(3))
    assert at_work == [1]  # the culprit
    pool.each(lambda item, thread: met.wait(), range(3))  # and it goes on working


def test_the_callers_context_holds_on_every_thread() -> None:
    pool, met, zero = Workers(2), threading.Barrier(2, timeout=20), np.zeros(5)

    def divide(item: int, thread: int) -> None:
        met.wait()
        zero / zero

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        pool.each(divide, range(2))
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        pool.each(divide, range(2))


def test_a_second_caller_works_on_its_own_thread() -> None:
    pool, inner = Workers(2), list[int]()

    def task(item: int, thread: int) -> None:
        if item == 0:
            pool.each(lambda _, number: inner.append(number), range(4))

    pool.each(task, range(2))
    assert inner == [0] * 4


def test_the_pool_is_one_and_ends_with_its_last_holder() -> None:
    threads.use(3)
    before = running()
    first, second = workers.workers(), workers.workers()
    assert first is second
    started = running() - before
    assert len(started) == 2
    del first
    assert workers.workers() is second
    del second
    assert ends(started)


def test_another_number_makes_another_pool() -> None:
    threads.use(2)
    first = workers.workers()
    threads.use(3)
    assert workers.workers().threads == 3
    assert first.threads == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_makes_its_own_threads() -> None:
    threads.use(2)
    sweep, total = Sweep(1, 5, np.dtype(np.float32)), np.zeros(2)
    sweep.each(lambda item, _: total.__setitem__(item, 1), [0, 1], 1 << 30)
    child = os.fork()
    if child == 0:
        total[:] = 0
        met = threading.Barrier(2, timeout=20)
        try:
            sweep.each(lambda item, _: (met.wait(), total.__setitem__(item, 1)), [0, 1], 1 << 30)  # type: ignore[func-returns-value]
        finally:
            os._exit(int(total.sum() != 2))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_small_arrays_start_no_thread() -> None:
    threads.use(4)
    before, seen = running(), []
    Sweep(1, 5, np.dtype(np.float32)).each(lambda item, scratch: seen.append(scratch.shape), [1, 2], 1000)
    assert seen == [(1, 5)] * 2
    assert running() == before


def train(folder: Path, fields: str) -> list[bytes]:
    """Three updates; weights, history and average, as they lie in memory."""
    (folder / "net.prototxt").write_text(NET)
    text = f'net: "{folder}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 random_seed: 3 snapshot_prefix: "{folder}/s" '
    (folder / "solver.prototxt").write_text(text + fields)
    solver = Solver(folder / "solver.prototxt", device="cpu")
    solver.step(3)
    assert solver.average is not None
    return [a.tobytes() for a in (solver.net.parameters.arena, solver.average.values, *solver.update.history)]


@pytest.mark.parametrize("name", rule_names())
@pytest.mark.parametrize("clip", ["", "clip_gradients: 0.01 clip_value: 0.05"])
def test_no_bit_depends_on_the_number_of_threads(
    name: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PIECE", 7)
    monkeypatch.setattr(workers, "SHARED", 0)
    fields = f'type: "{name}" weight_decay: 0.02 iter_size: 2 ema_decay: 0.9 {clip}'
    results = []
    for number in (1, 2, 5):
        threads.use(number)
        results.append(train(tmp_path, fields))
    assert results[0] == results[1] == results[2]


def test_a_nets_threads_end_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SHARED", 0)
    monkeypatch.setattr(workers, "PIECE", 7)
    threads.use(3)
    before = running()
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "s.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 snapshot_prefix: "{tmp_path}/s"'
    )
    solver = Solver(tmp_path / "s.prototxt", device="cpu")
    solver.step(1)
    started = running() - before
    assert started
    del solver
    assert ends(started)
