"""Where `brew train` spends its time at steady state: layers, update, data, and what lies outside of them.

    python benchmarks/train_profile.py [--net lenet|caffenet|...] [--solver FILE] [--seconds 10] [--json] [--check]

The command itself runs, in this process, with clocks around the layers of its net, the update (with the clearing of
gradients), and the waiting for data; one clock for all layers that follow one another, for a clock around each would
be much of what lies outside. Without --solver a net of the model zoo is trained, on random images in an LMDB.
Machines slow down for seconds: of windows of iterations the fastest is shown. --check: exit 1 where more than 3 % is
spent outside.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np
from nets import NETS, BenchmarkNet

from brew.data.databases.lmdb_writer import write_lmdb
from brew.net.run.step import Direction
from brew.net.run.step import Step as LayerStep
from brew.net.run.whole_pass import WholePass
from brew.proto.brew_pb2 import Datum
from brew.solver.solver import Solver

KINDS = ("forward", "backward", "update", "data")
MOST_OUTSIDE = 0.03  # of the time
_IMAGES = 256  # in the LMDB, at least; the rest of an epoch would be the same
_WINDOW = 0.5  # seconds, and some iterations at least
_ITERATIONS = 5
_WARM_UP = 4  # iterations that do not count: the first passes bind arrays, and run layers that have no clock yet


@dataclass
class Clock:
    """Seconds by kind since the last window began, and the windows that are over."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    windows: list[dict[str, float]] = field(default_factory=list)
    iterations: int = 0
    began: float = 0.0

    def timed(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        seconds = self.seconds

        def within(*args: Any) -> Any:
            start = perf_counter()
            found = call(*args)
            seconds[kind] += perf_counter() - start
            return found

        return within

    def iteration(self) -> None:
        """One more begins."""
        now = perf_counter()
        self.iterations += 1
        if not self.began and self.iterations < _WARM_UP:
            return
        if self.began:
            if now - self.began < _WINDOW or self.iterations < _ITERATIONS:
                return
            total = (now - self.began) / self.iterations
            window = {kind: value / self.iterations for kind, value in self.seconds.items()}
            self.windows.append(window | {"outside": total - sum(window.values()), "iteration": total})
        self.seconds.update(dict.fromkeys(KINDS, 0.0))
        self.iterations, self.began = 0, perf_counter()

    def fastest(self) -> dict[str, float]:
        """Seconds of an iteration by kind, in the window that took least."""
        return min(self.windows, key=lambda window: window["iteration"])


@dataclass
class LayerCall:
    """A layer's part in a pass."""

    kind: str
    call: Callable[[], object]

    def __call__(self) -> object:
        return self.call()


def at_once(calls: Sequence[Callable[[], object]]) -> Callable[[], None]:
    """One call of several."""

    def run() -> None:
        for call in calls:
            call()

    return run


@contextmanager
def clocks(clock: Clock, seconds: float) -> Iterator[None]:
    """Every solver that is made inside is timed, and asked to stop after so long."""
    bound, make, step = LayerStep.bound, WholePass.make, Solver.step

    def named_bound(layer: LayerStep, direction: Direction) -> Callable[[], object]:
        share = "forward" if direction == "forward" else "backward"  # what runs again does so for backward
        return LayerCall("data" if layer.reads_data else share, bound(layer, direction))

    def timed_make(whole: WholePass, *arguments: Any) -> None:
        make(whole, *arguments)
        if whole.stands:
            stretches = groupby(cast(list[LayerCall], whole.calls), key=attrgetter("kind"))
            whole.calls = [clock.timed(kind, at_once([one.call for one in calls])) for kind, calls in stretches]

    def timed_step(solver: Solver, iterations: int) -> None:
        clear, end = clock.timed("update", solver.net.clear_param_diffs), perf_counter() + seconds

        def begin() -> None:  # an iteration begins with it; an event for each would have to be made first
            clock.iteration()
            if perf_counter() > end:
                solver.request("stop")
            clear()

        solver.net.clear_param_diffs = begin  # type: ignore[method-assign]
        solver.update.apply = clock.timed("update", solver.update.apply)  # type: ignore[method-assign]
        for layer in solver.net.data_layers:
            layer.next_shapes = clock.timed("data", layer.next_shapes)  # type: ignore[method-assign]
        step(solver, iterations)

    LayerStep.bound, WholePass.make, Solver.step = named_bound, timed_make, timed_step  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        LayerStep.bound, WholePass.make, Solver.step = bound, make, step  # type: ignore[method-assign]


def prepare(net: BenchmarkNet, folder: Path) -> Path:
    """A solver for `net` on random images in an LMDB of its own."""
    random, (batch, channels, rows, columns) = np.random.default_rng(0), net.data
    number = max(_IMAGES, 4 * batch)
    datums = (
        Datum(channels=channels, height=rows, width=columns, data=random.bytes(channels * rows * columns),
              label=int(random.integers(net.classes)))
        for _ in range(number)
    )  # fmt: skip
    write_lmdb(folder / "lmdb", ((b"%08d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))
    (folder / "net.prototxt").write_text(_with_data(net, folder / "lmdb"))
    (folder / "solver.prototxt").write_text(
        f'net: "{folder}/net.prototxt" base_lr: 1e-4 lr_policy: "inv" gamma: 1e-4 power: 0.75 momentum: 0.9\n'
        f'weight_decay: 5e-4 display: 100 max_iter: 1000000 snapshot_prefix: "{folder}/s" snapshot_after_train: false\n'
        "solver_mode: CPU\n"
    )
    return folder / "solver.prototxt"


def _with_data(net: BenchmarkNet, lmdb: Path) -> str:
    """The net as the zoo has it, its data layers reading `lmdb` in the batch that compare.py has."""
    from google.protobuf import text_format

    from brew.proto.brew_pb2 import NetParameter

    message = text_format.Parse(net.file.read_text(), NetParameter())
    for layer in message.layer:
        if layer.type == "Data":
            layer.data_param.source, layer.data_param.batch_size = str(lmdb), net.data[0]
            for mean in ("mean_file", "crop_size"):
                layer.transform_param.ClearField(mean)
    return text_format.MessageToString(message)


def profile(solver: Path, seconds: float) -> dict[str, float]:
    """Train for so long; seconds of an iteration by kind."""
    from brew.tools.cli import main as brew

    clock = Clock()
    with clocks(clock, seconds), Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        try:
            brew(["train", "--solver", str(solver)])
        except SystemExit as end:
            if end.code:
                raise
    if not clock.windows:
        raise SystemExit(f"{solver}: {seconds:g} s are not enough for {_WARM_UP + _ITERATIONS} iterations")
    return clock.fastest()


def report(name: str, times: dict[str, float]) -> str:
    total = times["iteration"]
    shares = ", ".join(f"{kind} {times[kind] / total:.1%}" for kind in (*KINDS, "outside"))
    return f"{name}: {total * 1e3:.3f} ms an iteration: {shares}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS, default="lenet")
    parser.add_argument("--solver", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        times = profile(asked.solver or prepare(NETS[asked.net], Path(folder)), asked.seconds)
    print(json.dumps(times) if asked.json else report(str(asked.solver or asked.net), times))
    return int(asked.check and times["outside"] > MOST_OUTSIDE * times["iteration"])


if __name__ == "__main__":
    sys.exit(main())
