"""Times every layer on the CPU, forward and backward, against what its memory or its GEMMs alone cost.

    python benchmarks/layer_times.py [--only TYPE ...] [--seconds 1] [--json] [--check]

A ratio is the fastest of a layer over the fastest of its yardstick, both taken in turn in short rounds, as machines
slow down for seconds. The yardstick is a NumPy copy of bottoms and tops, or, for layers that multiply matrices,
matmul at the same shapes. Targets: elementwise, reductions and moves 4 copies, products 2.5 times their GEMMs (40 %
of the rate), all others 10 copies.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from layer_cases import CASES, Case, Gemm, Shape

import brew
from brew import prototxt
from brew.layer.data_layer import DataLayer
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

GEMM_LIMIT = 2.5  # times the GEMMs alone: 40 % of their rate
_SAMPLE = 0.002  # seconds; what is shorter is called several times
_BATCHES = 8  # in one sample of a data layer, so that what was made ahead does not count
_NOTHING = 2e-5  # seconds: a call that does no work

Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, and of its yardstick."""

    fastest: float
    median: float
    yardstick: float

    @property
    def ratio(self) -> float:
        return self.fastest / self.yardstick


@dataclass(frozen=True)
class Result:
    """A line of the table; `backward` None where there is none."""

    case: Case
    forward: Timing
    backward: Timing | None

    @property
    def limit(self) -> float:
        return GEMM_LIMIT if self.case.products else self.case.limit

    @property
    def worst(self) -> float:
        """The larger ratio of the two directions, in units of the limit; 0 where a call does no work."""
        timings = [t for t in (self.forward, self.backward) if t is not None and t.fastest > _NOTHING]
        return max((t.ratio for t in timings), default=0) / self.limit

    def as_dict(self) -> dict[str, Any]:
        times = {"forward": asdict(self.forward), "backward": self.backward and asdict(self.backward)}
        labels = {"type": self.case.type, "variant": self.case.variant, "yardstick": _yardstick_name(self.case)}
        return labels | times | {"limit": self.limit, "worst": self.worst, "bound": self.case.bound}


def _yardstick_name(case: Case) -> str:
    return "GEMM" if case.products else "copy"


def _message(case: Case) -> str:
    """A net of Input layers and the layer, which is called `it`."""
    names = [f"x{i}" for i in range(len(case.bottoms))]
    inputs = [
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
        + " ".join(f"dim: {n}" for n in shape) + " } } }"
        for name, shape in zip(names, case.bottoms, strict=True)
    ]  # fmt: skip
    blobs = [f'bottom: "{name}"' for name in names] + [f'top: "y{i}"' for i in range(case.tops)]
    force = "force_backward: true" if case.backward else ""
    return "\n".join([force, *inputs, f'layer {{ name: "it" type: "{case.type}" {" ".join(blobs)} {case.fields} }}'])


def _values(case: Case, bottom: int) -> np.ndarray[Shape, np.dtype[np.float32]]:
    """What goes into a bottom."""
    random = np.random.default_rng(bottom)
    shape = case.bottoms[bottom]
    if bottom in case.integers:
        return random.integers(0, case.integers[bottom], shape).astype(np.float32)
    normal = random.standard_normal(shape, np.float32)
    return np.abs(normal) + np.float32(0.01) if case.positive else normal


def _copies(net: Net) -> Work:
    """A copy of the layer's bottoms and tops."""
    names = [*net.bottom_names["it"], *net.top_names["it"]]
    pairs = [(np.zeros_like(net.blobs[name].data), net.blobs[name].data) for name in names]

    def copy() -> None:
        for to, source in pairs:
            np.copyto(to, source)

    return copy


def _gemms(products: Sequence[Gemm]) -> Work:
    """The products alone."""
    random = np.random.default_rng(0)

    def operands(gemm: Gemm) -> tuple[Any, Any, Any, int]:
        a, b = (random.standard_normal(s, np.float32) for s in ((gemm.m, gemm.k), (gemm.k, gemm.n)))
        return a, b, np.zeros((gemm.m, gemm.n), np.float32), gemm.times

    work = [operands(gemm) for gemm in products]

    def multiply() -> None:
        for a, b, out, times in work:
            for _ in range(times):
                np.matmul(a, b, out=out)

    return multiply


def _calls(work: Work, least: int) -> int:
    """How often to call something for one sample; warms it up."""
    work()
    start = perf_counter()
    work()
    return max(least, min(1000, int(_SAMPLE / max(perf_counter() - start, 1e-6))))


def _sample(work: Work, calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        work()
    return (perf_counter() - start) / calls


def _in_turn(works: Sequence[Work], least: int, seconds: float) -> list[list[float]]:
    """Samples of each, round by round: for so many seconds, and three rounds at least."""
    calls = [_calls(work, least) for work in works]
    samples: list[list[float]] = [[] for _ in works]
    end = perf_counter() + seconds
    while perf_counter() < end or len(samples[0]) < 3:
        for own, work, count in zip(samples, works, calls, strict=True):
            own.append(_sample(work, count))
    return samples


def measure(case: Case, seconds: float, engine: str = "default") -> Result:
    """Times one layer in a net of its own."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        sys.path.insert(0, folder)  # where Python layers are looked for
        if case.files is not None:
            case.files(Path(folder))
        net = Net(prototxt.parse(_message(case), NetParameter), brew.TRAIN, device="cpu", seed=1, engine=engine)
        try:
            return _measure(case, net, seconds)
        finally:
            net.close()
            sys.path.remove(folder)


def _measure(case: Case, net: Net, seconds: float) -> Result:
    if case.begin is not None:
        case.begin(net)
    for i in range(len(case.bottoms)):
        net.blobs[f"x{i}"].data[...] = _values(case, i)
    it = len(net.layers) - 1
    net.run_forward(it, it)
    works: list[Work] = [lambda: net.run_forward(it, it)]
    if case.backward:
        for name in net.top_names["it"]:
            if not net.blob_loss_weights[name]:
                net.blobs[name].diff[...] = np.random.default_rng(0).standard_normal(net.blobs[name].shape)
        works.append(lambda: net.run_backward(it, it))
    yardsticks = [_gemms(p) for p in case.products[: len(works)]] if case.products else [_copies(net)]
    least = _BATCHES if isinstance(net.layers[it], DataLayer) else 1
    samples = _in_turn([*yardsticks, *works], least, seconds)
    units = [min(s) for s in samples[: len(yardsticks)]] * (1 if case.products else len(works))
    own = samples[len(yardsticks) :]
    timings = [Timing(min(s), median(s), unit) for s, unit in zip(own, units, strict=True)]
    return Result(case, timings[0], timings[1] if case.backward else None)


# --- what is printed ------------------------------------------------------------------------------------------------


def _line(result: Result) -> str:
    case = result.case
    cells = [f"{f'{case.type} {case.variant}'.strip():<34}", f"{_yardstick_name(case):<5}"]
    for timing in (result.forward, result.backward):
        if timing is None:
            cells.append(" " * 33)
            continue
        ratio = f"{100 / timing.ratio:5.0f} %" if case.products else f"{timing.ratio:5.1f} x"
        cells.append(f"{timing.fastest * 1e3:10.3f}{timing.median * 1e3:10.3f}{ratio:>13}")
    target = f"{100 / result.limit:.0f} %" if case.products else f"{result.limit:.0f} x"
    verdict = "" if result.worst <= 1 else f"over: {case.bound}" if case.bound else "OVER"
    return " ".join([*cells, f"{target:>7}", verdict]).rstrip()


def _heading() -> str:
    columns = f"{'fastest':>10}{'median':>10}{'of yardstick':>13}"
    first = f"{'milliseconds':<34} {'':<5} {'forward':^33} {'backward':^33}"
    return f"{first.rstrip()}\n{'layer':<34} {'held':<5} {columns} {columns} {'target':>7}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; 1 with --check where a layer is over its target and nothing explains it."""
    parser = argparse.ArgumentParser(description="Times every layer on the CPU.")
    parser.add_argument("--only", nargs="+", metavar="TYPE", choices=sorted({c.type for c in CASES}))
    parser.add_argument("--seconds", type=float, default=1.0, help="for each layer (1)")
    parser.add_argument("--json", action="store_true", help="an array of objects, times in seconds")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed without explanation")
    asked = parser.parse_args(arguments)
    if not asked.json:
        print(f"NumPy {np.__version__}, {os.cpu_count()} cores, float32\n{_heading()}")
    results = []
    for case in CASES:
        if asked.only is None or case.type in asked.only:
            results.append(measure(case, asked.seconds))
            if not asked.json:
                print(_line(results[-1]), flush=True)
    if asked.json:
        print(json.dumps([result.as_dict() for result in results], indent=1))
    elif len(results) > 1:
        worst = sorted(results, key=lambda r: -r.worst)[:5]
        print("furthest from their targets:", ", ".join(f"{r.case.type} {r.worst:.2f}" for r in worst))
    return int(asked.check and any(r.worst > 1 and not r.case.bound for r in results))


if __name__ == "__main__":
    logging.getLogger("brew").setLevel(logging.ERROR)
    sys.exit(main())
