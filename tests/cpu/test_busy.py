"""OpenMP's threads spin less while others use the machine, and as before when they no longer do."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from brew.cpu import onednn, threads
from brew.cpu.busy import Sleepers, Watch, waited

pytestmark = pytest.mark.onednn


class World:
    """A clock that goes on by a tenth of a second at a look; a thread waits for a processor a `share` of the time."""

    def __init__(self) -> None:
        self.now, self.waited, self.share = 0.0, 0.0, 0.0
        self.before = set(_sleepers())  # the tests' own machine may be busy
        self.watch = Watch(waited=lambda: self.waited, clock=lambda: self.now)

    def look(self, times: int = 1, number: int = 2) -> bool:
        for _ in range(times):
            self.now += 0.1
            self.waited += 0.1 * self.share
            self.watch.look(onednn.library(), number)
        return self.watch.busy

    def sleepers(self) -> int:
        return len(set(_sleepers()) - self.before)


def _sleepers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "brew-sleepers"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(threads, "visible_cpus", lambda: 2)
    return World()


def test_a_free_machine_is_left_alone(world: World) -> None:
    world.share = 0.1
    assert not world.look(50) and not world.sleepers()


def test_a_busy_machine_and_a_free_one_again(world: World) -> None:
    world.share = 0.4
    assert world.look(2) and world.sleepers() == 1
    assert world.look(20) and world.sleepers() == 1, "once is enough"
    world.share = 0
    assert world.look(8), "not for a pause"
    assert not world.look(4) and not world.sleepers()


def test_one_thread_waits_for_nobody(world: World) -> None:
    world.share = 0.4
    assert not world.look(10, number=1)


def test_what_happened_while_no_net_ran_says_nothing(world: World) -> None:
    world.look(2)
    world.now, world.waited = world.now + 100, 50
    assert not world.look(1)


def test_each_thread_counts_its_own_time(world: World) -> None:
    world.look(2)
    world.share = 0.4
    other = threading.Thread(target=world.look)  # its first look says nothing
    other.start()
    other.join()
    assert not world.watch.busy
    assert world.look(1)


def test_the_system_tells_how_long_a_thread_waits() -> None:
    before = waited()
    assert 0 <= waited() - before < 10


def test_a_few_threads_of_a_large_machine_are_not_joined_by_a_crowd(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "visible_cpus", lambda: 64)
    world.share = 0.4
    assert not world.look(10)


def test_sleepers_are_threads_that_end() -> None:
    def running() -> set[str]:
        return {task.name for task in Path("/proc/self/task").iterdir()}

    before = running()
    some = Sleepers(onednn.library(), 3)
    added = running() - before
    assert len(added) == 3
    some.end()
    deadline = time.monotonic() + 20
    while added & running() and time.monotonic() < deadline:  # OpenMP's end a moment after the one that led them
        time.sleep(0.01)
    assert not added & running()
