from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brew.data.prefetch import Batch, Finish, Prefetcher
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import parse


class Counter:
    """A source of batches 0, 1, 2, ... that fails at `bad`."""

    def __init__(self, bad: int | None = None) -> None:
        self.made = 0
        self.bad = bad
        self.full = threading.Event()

    def begin(self, batch: Batch) -> Finish:
        return partial(self.fill, batch)

    def fill(self, batch: Batch) -> None:
        if self.made == self.bad:
            raise ValueError(f"bad batch {self.made}")
        batch.take([(4,)])[0][...] = self.made
        self.made += 1
        if self.made == 4:
            self.full.set()


def prefetcher(source: Counter, ahead: int) -> Prefetcher:
    return Prefetcher(source.begin, lambda: Batch(np.float32, 1), ahead, "test")


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_batches_come_in_order_and_stay_valid_until_the_next(ahead):
    p = prefetcher(Counter(), ahead)
    buffers = set()
    for i in range(20):
        coming = p.peek().tops[0]
        assert coming.tolist() == [i] * 4
        if i:
            assert kept.tolist() == [i - 1] * 4  # noqa: F821 - from the round before
        kept = p.next().tops[0]
        assert kept is coming
        buffers.add(kept.ctypes.data)
    assert len(buffers) <= max(ahead, 1) + 1
    p.close()


def test_runs_ahead_as_far_as_it_may():
    source = Counter()
    p = prefetcher(source, 3)
    p.next()
    assert source.full.wait(10)  # one taken, three ready
    p.close()
    assert source.made == 4


def test_the_next_batch_is_begun_before_one_is_handed_over():
    told = []

    def begin(batch):
        number = len(told)
        told.append("begun")
        return lambda: batch.take([(1,)])[0].fill(number)

    p = Prefetcher(begin, lambda: Batch(np.float32, 1), 2, "test")
    assert p.next().tops[0].tolist() == [0] and len(told) >= 2
    assert [p.next().tops[0][0] for _ in range(2)] == [1, 2]
    p.close()


def test_a_batch_that_cannot_be_begun_comes_after_the_one_before():
    started = []

    def begin(batch):
        if started:
            raise ValueError("no more")
        started.append(batch)
        return lambda: batch.take([(1,)])[0].fill(7)

    p = Prefetcher(begin, lambda: Batch(np.float32, 1), 2, "test")
    assert p.next().tops[0].tolist() == [7]
    with pytest.raises(ValueError, match="no more"):
        p.next()
    p.close()


@pytest.mark.parametrize("ahead", [0, 3])
def test_an_error_comes_where_the_batch_would(ahead):
    p = prefetcher(Counter(bad=2), ahead)
    assert [p.next().tops[0][0] for _ in range(2)] == [0, 1]
    for _ in range(2):
        with pytest.raises(ValueError, match="bad batch 2"):
            p.next()
    p.close()


def test_a_forgotten_one_ends_its_thread():
    p = prefetcher(Counter(), 2)
    p.next()
    thread = weakref.ref(next(t for t in threading.enumerate() if t.name == "test"))
    del p
    gc.collect()
    running = thread()
    assert running is None or not running.is_alive()


@pytest.mark.timeout(60)
def test_one_that_the_collector_finds_under_a_lock_for_which_its_thread_waits():
    lock, began, ended = threading.RLock(), threading.Event(), threading.Event()

    def fill(batch):
        began.set()
        with lock:
            ended.set()

    prefetcher = Prefetcher(lambda batch: partial(fill, batch), lambda: Batch(np.float32, 1), 2, "forgotten")
    with lock:
        threading.Thread(target=prefetcher.next, daemon=True).start()
        assert began.wait(10)
        while prefetcher._stop is None:  # the other thread is about to set it
            time.sleep(0.001)
        prefetcher._stop()  # as the collector calls it: on this thread, which has the lock
        assert not ended.is_set()
    assert ended.wait(10)


def test_a_forgotten_net_ends_its_threads(tmp_path: Path):
    lmdb = Path(__file__).parents[1] / "fixtures" / "conformance" / "data" / "raw_lmdb"
    (tmp_path / "list.txt").write_text("a.png 0\n")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    text = f"""
    layer {{ name: "forgotten1" type: "Data" top: "x" data_param {{ source: "{lmdb}" backend: LMDB batch_size: 2 }} }}
    layer {{ name: "forgotten2" type: "ImageData" top: "y" top: "l"
      image_data_param {{ source: "{tmp_path}/list.txt" root_folder: "{tmp_path}/" batch_size: 2 }} }}
    """
    net = Net(parse(text, NetParameter))

    def running() -> list[str]:
        return [t.name for t in threading.enumerate() if "forgotten" in t.name]

    net.forward()
    assert len(running()) == 2
    del net
    gc.collect()
    assert running() == []


def test_a_program_that_forgets_to_close_ends():
    program = """
import numpy as np
from brew.data.prefetch import Batch, Prefetcher
p = Prefetcher(lambda batch: lambda: batch.take([(4,)]), lambda: Batch(np.float32, 1), 2, "x")
p.next()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_memory_grows_and_never_shrinks():
    batch = Batch(np.float32, 1)
    big = batch.take([(10, 10)])[0]
    assert np.shares_memory(batch.take([(3, 3)])[0], big)
    assert np.shares_memory(batch.take([(5, 20)])[0], big)
    assert not np.shares_memory(batch.take([(101,)])[0], big)
