"""Where the time of an iteration goes, layer by layer, measured after a training."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from brew import cuda
from brew.net.net import Net

_PASSES, _SECONDS = 5, 3.0  # at most


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Median seconds of a layer's forward and backward."""

    name: str
    type: str
    forward: float
    backward: float

    @property
    def both(self) -> float:
        return self.forward + self.backward


def layer_times(net: Net, stop: Callable[[], bool]) -> list[LayerTime]:
    """The times of the layers of a train net, each run by itself; its gradients and statistics change."""
    numbers = range(len(net.layers))
    forward: list[list[float]] = [[] for _ in numbers]
    backward: list[list[float]] = [[] for _ in numbers]
    began, passes = time.perf_counter(), 0
    while passes <= _PASSES and not stop():
        net.clear_param_diffs()
        for number in numbers:
            forward[number].append(_timed(net, net.forward_layer, number))
        for number in reversed(numbers):
            backward[number].append(_timed(net, net.backward_layer, number))
        passes += 1
        if time.perf_counter() - began > _SECONDS and passes > 1:
            break
    if passes < 2:
        return []
    return [  # without the first pass, which makes what later ones use
        LayerTime(layer.name, layer.type, median(forward[number][1:]), median(backward[number][1:]))
        for number, layer in enumerate(net.layers)
    ]


def _timed(net: Net, call: Callable[[int], None], number: int) -> float:
    began = time.perf_counter()
    call(number)
    if net.device == "cuda":
        cuda.synchronize()
    return time.perf_counter() - began
