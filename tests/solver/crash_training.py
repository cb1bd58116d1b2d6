"""Trains a small net over and over and kills it, for test_crash.py. Run as a program of its own, which prints a report.

A warm process without threads forks the trainings, so that one costs milliseconds, not the start of an interpreter.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import brew
import brew.net.net
from brew import prototxt
from brew.errors import BrewError
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.snapshots import latest, snapshot
from brew.solver.solver import Solver

LMDB = Path(__file__).parents[1] / "fixtures" / "conformance" / "data" / "raw_lmdb"
ITERATIONS = 24
NET = """
name: "everything random, and a memory"
layer {{ name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ crop_size: 6 mirror: true scale: 0.01 mean_value: 100 }}
  data_param {{ source: "{lmdb}" backend: LMDB batch_size: 3 prefetch: 2 }} }}
layer {{ name: "rows" type: "HDF5Data" top: "x" top: "y"
  hdf5_data_param {{ source: "{folder}/files.txt" batch_size: 6 shuffle: true }} }}
layer {{ name: "cont" type: "DummyData" top: "cont"
  dummy_data_param {{ shape {{ dim: 3 dim: 2 }} data_filler {{ type: "constant" value: 1 }} }} }}
layer {{ name: "steps" type: "Reshape" bottom: "x" top: "steps" reshape_param {{ shape {{ dim: 3 dim: 2 dim: 5 }} }} }}
layer {{ name: "lstm" type: "LSTM" bottom: "steps" bottom: "cont" top: "lstm"
  recurrent_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "last" type: "InnerProduct" bottom: "lstm" top: "last"
  inner_product_param {{ num_output: 1 axis: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "flat" type: "Reshape" bottom: "last" top: "flat" reshape_param {{ shape {{ dim: 6 dim: 1 }} }} }}
layer {{ name: "distance" type: "EuclideanLoss" bottom: "flat" bottom: "y" top: "distance" }}
layer {{ name: "wide" type: "InnerProduct" bottom: "data" top: "wide"
  inner_product_param {{ num_output: {width} weight_filler {{ type: "msra" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "wide" top: "wide" }}
layer {{ name: "drop" type: "Dropout" bottom: "wide" top: "wide" }}
layer {{ name: "classes" type: "InnerProduct" bottom: "wide" top: "classes"
  inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "classes" bottom: "label" top: "loss" }}
"""
SOLVER = """
net: "{folder}/net.prototxt" base_lr: 0.02 momentum: 0.9 weight_decay: 0.001 lr_policy: "inv" gamma: 0.01 power: 0.75
max_iter: {iterations} iter_size: 2 average_loss: 7 snapshot: 1 snapshot_prefix: "{folder}/run"
snapshot_format: {kind} keep: 3 ema_decay: 0.9
"""
FORMATS = "BINARYPROTO", "HDF5"


def prepare(folder: Path, width: int) -> None:
    """The net and its data."""
    rng = np.random.default_rng(5)
    with h5py.File(folder / "rows.h5", "w") as file:
        file["x"], file["y"] = rng.normal(size=(17, 5)).astype("f4"), rng.normal(size=(17, 1)).astype("f4")
    (folder / "files.txt").write_text(f"{folder}/rows.h5\n")
    (folder / "net.prototxt").write_text(NET.format(folder=folder, lmdb=LMDB, width=width))


def solver(folder: Path, kind: str, seed: int) -> Solver:
    """A training of the net; `seed` -1 leaves it to a snapshot."""
    brew.set_random_seed(seed)
    text = SOLVER.format(folder=folder, kind=kind, iterations=ITERATIONS)
    return Solver(prototxt.parse(text, SolverParameter))


def train(folder: Path, kind: str, began: Callable[[], None] = lambda: None) -> None:
    """Go on from the newest snapshot to the end, keeping three."""
    newest = latest.newest(folder / "run")
    if newest.skipped:
        raise SystemExit(f"skipped: {newest.skipped}")
    running = solver(folder, kind, -1 if newest.found else 1701)
    if newest.found:
        running.restore(newest.found.state)
    began()
    running.solve()
    running.close()


def outcome(folder: Path) -> list[bytes]:
    """All that the last snapshot holds, but for the time the training took."""
    [last, *_] = latest.state_files(folder / "run")
    assert latest.iteration_of(last) == ITERATIONS, last
    whole = latest.check(last)
    resume = whole.stored.resume
    assert resume is not None and resume.carried
    resume.ClearField("seconds")
    history = [blob.data.tobytes() for blob in whole.stored.history]
    assert resume.average_sha256
    # One more for each of the last deletions that was killed, in a row: the next one that is not takes them all.
    assert 3 <= len(latest.state_files(folder / "run")) <= 7
    return [resume.SerializeToString(deterministic=True), *history]


def wipe(folder: Path) -> None:
    for path in folder.glob("*run_*"):
        path.unlink()


def every_snapshot_loads(folder: Path) -> list[str]:
    """What is wrong with the snapshots on disk."""
    wrong = []
    for state in latest.state_files(folder / "run"):
        try:
            latest.check(state)
        except BrewError as error:
            wrong.append(str(error))
    return wrong


class Child:
    """A forked training, and what it shares with us: whether it runs, and whether it is inside a snapshot."""

    def __init__(self, work: Callable[[Child], None]) -> None:
        self.shared = mmap.mmap(-1, 2)
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                write = snapshot.write

                def marked(*args: Any, **options: Any) -> Any:
                    self.shared[1] = 1
                    files = write(*args, **options)
                    self.shared[1] = 0
                    return files

                snapshot.write = marked
                work(self)
                status = 0
            except SystemExit as error:
                print(error, file=sys.stderr)
            except BaseException:
                logging.exception("the training failed")
            finally:
                os._exit(status)

    def began(self) -> None:
        self.shared[0] = 1

    def wait(self) -> int:
        """How it ended: 0, 1, or minus the signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill_after(self, delay: float, *, once_begun: bool, within: float | None = None) -> int:
        """SIGKILL it then, unless it ends before; how it ended.

        With `within`, so many seconds after the first snapshot that begins behind the delay.
        """
        start = None if once_begun else time.perf_counter()
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            now = time.perf_counter()
            if start is None and self.shared[0]:
                start = now
            late = start is not None and now - start >= delay
            if late and within is not None and self.shared[1]:
                start, delay, within = now, within, None
            elif late and within is None:
                os.kill(self.pid, signal.SIGKILL)
                return self.wait()
            time.sleep(0.0001 if late else 0.0003)


def random_kills(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Kill trainings at random instants, resume them, and compare what comes out with undisturbed ones."""
    rng, started = random.Random(seed), time.perf_counter()
    expected, period = {}, {}
    for kind in FORMATS:
        begun = time.perf_counter()
        assert Child(lambda child, kind=kind: train(folder, kind, child.began)).wait() == 0
        period[kind] = (time.perf_counter() - begun) / ITERATIONS
        expected[kind] = outcome(folder)
        wipe(folder)
    done = inside = finished = 0
    # How many runs end between kills is a matter of speed; after the kills each format ends once more, undisturbed.
    while done < kills or finished < len(FORMATS):
        kind = FORMATS[finished % 2]
        child = Child(lambda child, kind=kind: train(folder, kind, child.began))
        if done < kills:
            # A third of the kills wait for a snapshot: on a machine where these are short there are some inside too.
            within = rng.uniform(0, period[kind] / 8) if done % 3 == 0 else None
            delay, begun = rng.uniform(0, 4 * period[kind]), rng.random() < 0.9
            status = child.kill_after(delay, once_begun=begun, within=within)
        else:
            status = child.wait()
        wrong = every_snapshot_loads(folder)
        assert not wrong, wrong
        assert status in (0, -signal.SIGKILL), status
        if status:
            done, inside = done + 1, inside + child.shared[1]
        else:
            assert outcome(folder) == expected[kind], f"run {finished} ({kind}) ended elsewhere"
            finished += 1
            wipe(folder)
    return {"kills": done, "inside": inside, "runs": finished, "seconds": time.perf_counter() - started}


CALLS = {"open", "fsync", "replace", "rename", "link", "unlink"}  # a write changes nothing but a temporary file


def kill_every_call(folder: Path, kind: str, limit: int) -> dict[str, object]:
    """Kill a snapshot that replaces another before its first call to the system, its second, and so on.

    Every attempt finds what the killed ones before it have left.
    """
    first = solver(folder, kind, 1)
    first.step(1)
    first.close()
    seen = set()
    for number in range(limit):

        def work(_: Child, number: int = number) -> None:
            running = solver(folder, kind, 2 + number)
            running.param.snapshot = 0
            running.step(1)
            calls = iter(range(number))

            def count(_: object, event: str, function: Any) -> None:
                if event == "c_call" and function.__name__ in CALLS and next(calls, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            sys.setprofile(count)
            running.snapshot()
            sys.setprofile(None)

        status = Child(work).wait()
        newest = latest.newest(folder / "run")
        assert newest.found and not newest.skipped, (number, newest)
        seen.add(newest.found.stored.resume.random_seed)  # type: ignore[union-attr]
        if status == 0:
            assert newest.found.stored.resume.random_seed == 2 + number  # type: ignore[union-attr]
            left = sorted(path.name for path in folder.glob("*.old"))
            assert not left, left
            return {"calls": number, "outcomes": len(seen)}
        assert status == -signal.SIGKILL, status
    raise AssertionError(f"not through after {limit} calls")


def main(task: str, folder: Path, number: int, seed: int) -> None:
    prepare(folder, 1500 if task == "kills" else 50)
    killed = task == "kills"
    report = random_kills(folder, number, seed) if killed else kill_every_call(folder, task, number)
    print(json.dumps(report))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
