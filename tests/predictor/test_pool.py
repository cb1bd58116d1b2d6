"""Many threads on one model and on several: right results whatever the neighbours do, bounded nets, no deadlock."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from predictor_nets import deploy, picture

import brew
from brew.errors import UsageError
from brew.net.net import Net
from brew.predictor.pool import Pool

TIMEOUT = 60  # seconds: nothing here takes one, unless threads wait for one another for ever


def together(work: Callable[[int], object], number: int) -> list[object]:
    """The results of `work(i)` on so many threads, all of which begin at once."""
    gate = threading.Barrier(number)

    def run(i: int) -> object:
        gate.wait(TIMEOUT)
        return work(i)

    with ThreadPoolExecutor(number) as threads:
        return [future.result(TIMEOUT) for future in [threads.submit(run, i) for i in range(number)]]


def test_eight_threads_on_two_nets_do_not_disturb_one_another(folder: Path, tmp_path: Path) -> None:
    """Each thread's own pictures, sizes and calls, against the same calls one after another."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "deploy.prototxt").write_text(deploy())
    models = [
        brew.load(folder, size="keep"),
        brew.load(other, "random", mean=3, scale=1, channel_order="BGR", size="keep"),
    ]

    def calls(i: int) -> list[np.ndarray]:
        model = models[i % 2]
        pictures = [picture(10 * i + k, 12 + i // 2, 12 + (i + k) % 3) for k in range(4)]
        found = []
        for k in range(6):
            found += [p.scores for p in model.predict(pictures[: 1 + k % 4])]
            found.append(model.features("pool", pictures[k % 4]))
            found.append(model.gradient(pictures[k % 4], i % 4, output="ip"))
        return found

    expected = [calls(i) for i in range(8)]
    for mine, theirs in zip(together(calls, 8), expected, strict=True):
        assert isinstance(mine, list)
        for one, other_ in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other_)


def test_callers_share_the_weights(folder: Path) -> None:
    model = brew.load(folder, nets=3)
    nets: list[Net] = []
    gate = threading.Barrier(3)

    def hold(_: int) -> None:
        with model._pool(frozenset()).net((1, 3, 12, 12)) as net:
            nets.append(net)
            gate.wait(TIMEOUT)

    together(hold, 3)
    assert len({id(net) for net in nets}) == 3
    first = nets[0].params["conv"][0].data_memory
    assert all(net.params["conv"][0].data_memory is first for net in nets)
    assert sum(net.parameters.arena.size for net in nets) == model.net.parameters.arena.size


class Counted:
    """A net's stand-in, as far as a pool knows it."""

    def close(self) -> None:
        self.closed = True


def pool(most: int, make: Callable[[], object] = Counted) -> Pool:
    return Pool(make, most)  # type: ignore[arg-type]


def test_no_more_nets_than_allowed_and_each_has_one_caller() -> None:
    nets = pool(2)
    inside: list[int] = []
    most: list[int] = []

    def work(_: int) -> None:
        for _ in range(20):
            with nets.net((1,)) as net:
                inside.append(id(net))
                assert inside.count(id(net)) == 1
                most.append(len(inside))
                time.sleep(0.0005)
                inside.remove(id(net))

    together(work, 6)
    assert len(nets) == 2
    assert max(most) == 2


def test_one_caller_alone_needs_one_net() -> None:
    nets = pool(4)
    for _ in range(3):
        with nets.net((1,)):
            pass
    assert len(nets) == 1


def test_a_caller_gets_the_net_of_its_shape() -> None:
    nets = pool(2)
    with nets.net((1,)) as one, nets.net((2,)) as two:
        pass
    for _ in range(2):
        with nets.net((2,)) as found:
            assert found is two
        with nets.net((1,)) as found:
            assert found is one


def test_an_error_gives_the_net_back_and_one_in_making_leaves_its_place() -> None:
    failing = [True]

    def make() -> Counted:
        if failing[0]:
            raise MemoryError("no room")
        return Counted()

    nets = pool(1, make)
    with pytest.raises(MemoryError), nets.net((1,)):
        pass
    failing[0] = False
    for _ in range(2):
        with pytest.raises(KeyError), nets.net((1,)):
            raise KeyError
    assert len(nets) == 1


def test_closing_wakes_those_who_wait() -> None:
    nets = pool(1)
    errors: Sequence[object] = []

    def wait(i: int) -> object:
        if i == 0:
            with nets.net((1,)) as net:
                time.sleep(0.05)
                nets.close()
            return net
        time.sleep(0.02)
        with pytest.raises(UsageError, match="closed"), nets.net((1,)):
            pass
        return None

    errors = together(wait, 3)
    assert isinstance(errors[0], Counted)
    assert errors[0].closed
    assert len(nets) == 0


def test_a_model_may_be_closed_while_others_predict(folder: Path) -> None:
    model = brew.load(folder)
    expected = model.predict(picture(0)).scores

    def work(i: int) -> None:
        if i == 0:
            time.sleep(0.05)
            model.close()
            return
        with pytest.raises(UsageError, match="closed"):
            for _ in range(100_000):
                np.testing.assert_array_equal(model.predict(picture(0)).scores, expected)

    together(work, 4)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_made_while_a_net_is_lent_goes_on(folder: Path) -> None:
    model = brew.load(folder, nets=1)
    expected = model.predict(picture(0)).scores
    with model._pool(frozenset()).net((1, 3, 12, 12)):
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(model.predict(picture(0)).scores, expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
