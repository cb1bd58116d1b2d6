"""The measuring behind `brew time`: whole steps first, undisturbed, then every layer on its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from brew import cuda
from brew.errors import UsageError
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.update.make import make_update, rule_class
from brew.solver.waiting import Waiting

_WARM_UP = 2  # steps
_LAYER_PASSES = 10  # at most; figures of single layers are means over these
_MIB = 1 << 20


@dataclass
class LayerTime:
    """Mean milliseconds of one layer."""

    name: str
    type: str
    forward: float = 0.0
    backward: float = 0.0


@dataclass
class Times:
    """The measured times, in milliseconds. `steps` are whole steps; in each the net `waited` so long for data, in the
    mean, if it `reads` any. The rest are means of separate passes."""

    batch: int
    steps: list[float]
    layers: list[LayerTime] = field(default_factory=list)
    update: float = 0.0
    waited: float = 0.0
    reads: bool = False

    @property
    def forward(self) -> float:
        return sum(layer.forward for layer in self.layers)

    @property
    def backward(self) -> float:
        return sum(layer.backward for layer in self.layers)

    def facts(self) -> dict[str, Any]:
        """The figures of the whole step, by the names `--json` gives them."""
        middle = median(self.steps)
        return {
            "batch": self.batch,
            "iterations": len(self.steps),
            "ms_median": round(middle, 4),
            "ms_min": round(min(self.steps), 4),
            "images_per_s": round(1000 * self.batch / middle, 1),
            "forward_ms": round(self.forward, 4),
            "backward_ms": round(self.backward, 4),
            "update_ms": round(self.update, 4),
            "data_wait_ms": round(self.waited, 4),
        }

    def layer_facts(self) -> list[dict[str, Any]]:
        return [
            {"name": x.name, "type": x.type, "forward_ms": round(x.forward, 4), "backward_ms": round(x.backward, 4)}
            for x in self.layers
        ]


def fill_inputs(net: Net) -> None:
    """Put normal values into the net's inputs, zeros (a valid label) into those with one axis."""
    draw = np.random.default_rng(1701)
    for name in net.inputs:
        blob = net.blobs[name]
        values = draw.standard_normal(blob.shape) if len(blob.shape) > 1 else np.zeros(blob.shape)
        array = blob.data_memory.array(blob.shape)  # not blob.data, which would be kept true in every pass
        if net.device == "cuda":
            cuda.upload(array, values.astype(net.dtype))
        else:
            array[...] = values


def learns(net: Net) -> bool:
    """Whether there is a step of training: a loss above something learned."""
    return any(net.blob_loss_weights.values()) and net.parameters.gradient_arena.size >= net.parameters.arena.size


def _untold(what: str, done: int, total: int | None) -> None:
    """Nobody wants to know."""


def measure(
    net: Net, iterations: int, *, train: bool, progress: Callable[[str, int, int | None], None] = _untold
) -> Times:
    """Time `iterations` steps, then each layer's passes. The update's rate is 0, so that weights stay as they are.

    `progress(what, done, all)` is called between the passes. Raises UsageError where a step of training is asked of a
    net that has nothing to learn from.
    """
    if train and not learns(net):
        raise UsageError(f'net "{net.name}" has no loss, so there is no step of training', hint="give --mode forward")
    rule = rule_class("SGD")
    if rule is None:
        raise LookupError("brew.solvers has lost its SGD")
    update = make_update(net.parameters, net.engine, rule(SolverParameter(momentum=0.9, weight_decay=5e-4)))
    clock = _clock(net.device)

    def step() -> None:
        if not train:
            net.run_forward()
            return
        net.clear_param_diffs()
        net.run_forward()
        net.run_backward()
        update.apply(0.0, 0)

    for _ in range(_WARM_UP):
        step()
    waiting = Waiting([net])
    times = Times(net.batch_size, _clocked([step] * iterations, clock, "steps", progress))
    times.waited, times.reads = 1000 * waiting.seconds / iterations, bool(net.data_layers)
    passes = range(min(iterations, _LAYER_PASSES))
    runs = []
    for number in passes:
        runs.append(_layer_times(net, clock, train))
        progress("layers", number + 1, len(passes))
    for number, layer in enumerate(net.layers):
        forward, backward = (fmean(run[direction][number] for run in runs) for direction in (0, 1))
        times.layers.append(LayerTime(layer.name, layer.type, forward, backward))
    times.update = fmean(clock(lambda: update.apply(0.0, 0)) for _ in passes) if train else 0.0
    return times


def _clocked(
    calls: Sequence[Callable[[], None]], clock: Callable[[Callable[[], None]], float], what: str,
    progress: Callable[[str, int, int | None], None],
) -> list[float]:  # fmt: skip
    """Milliseconds of each call."""
    times = []
    for number, call in enumerate(calls, 1):
        times.append(clock(call))
        progress(what, number, len(calls))
    return times


def _layer_times(
    net: Net, clock: Callable[[Callable[[], None]], float], train: bool
) -> tuple[list[float], list[float]]:
    """Milliseconds of each layer's forward, then backward, in one pass."""
    numbers = range(len(net.layers))
    forward = [clock(partial(net.forward_layer, number)) for number in numbers]
    if not train:
        return forward, [0.0 for _ in numbers]
    backward = [clock(partial(net.backward_layer, number)) for number in reversed(numbers)]
    return forward, backward[::-1]


def _clock(device: str) -> Callable[[Callable[[], None]], float]:
    """A function that gives the milliseconds a call takes, to the end of what it launched."""

    def wall(call: Callable[[], None]) -> float:
        start = time.perf_counter()
        call()
        if device == "cuda":
            cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    return wall


def resident_mib() -> float:
    """Resident memory of this process now, in MiB; its peak where the system does not tell (other than Linux)."""
    return _status("VmRSS") or peak_mib()


def peak_mib() -> float:
    """The most memory this process ever had resident, in MiB; 0 where the system has no such count (Windows)."""
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / _MIB if sys.platform == "darwin" else most / 1024


def _status(field: str) -> float | None:
    """A line of Linux's /proc/self/status, in MiB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), None)
