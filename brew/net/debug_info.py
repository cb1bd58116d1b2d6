"""debug_info: how large every blob is while a net runs, in the lines of Caffe's log (net.cpp of Caffe 1.0).

A value is the mean of |x| over a blob. The sums are made in float64, on the device the blob is on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from brew import cuda
from brew.graph.graph import ParamNode
from brew.layer import Shape
from brew.memory.blob import Memory
from brew.net.run.callbacks import LayerCallbacks
from brew.net.run.step import Step

from .parameters import Parameters

log = logging.getLogger("brew")

# Source lines of Caffe that log the same, for tools that parse logs by them.
_TOP, _PARAM, _BOTTOM_DIFF, _PARAM_DIFF, _UPDATE, _SHARED_UPDATE, _TOTALS = (
    {"glog": f"net.cpp:{line}", "asked_for": True} for line in (591, 603, 619, 630, 647, 655, 719)
)

_kernels = cuda.Kernels(r"""
// sums[0] = sum of |x|, sums[1] = sum of x squared; one block.
template <typename T>
__global__ void absolute_and_square_sums(long long n, const T* x, double* sums, long long size) {
  FOR_EACH_BLOCK(b, n) {
    double absolute = 0, square = 0;
    for (long long i = threadIdx.x; i < size; i += blockDim.x) {
      absolute += x[i] < 0 ? -(double)x[i] : (double)x[i];
      square += (double)x[i] * x[i];
    }
    absolute = block_sum(absolute);
    square = block_sum(square);
    if (threadIdx.x == 0) {
      sums[0] = absolute;
      sums[1] = square;
    }
  }
}
""")


class DebugInfo:
    """Logs the values of a net's layers at level info while it is `on`.

    After a layer's forward: its tops and parameters. After its backward: the gradients it made. After a whole backward
    pass: L1 and L2 norms of all parameters and gradients. Around an update (`updating`): parameters before, and steps.
    """

    def __init__(
        self, steps: Sequence[Step], parameters: Parameters, forward: LayerCallbacks, backward: LayerCallbacks
    ) -> None:
        self._steps, self._parameters = steps, parameters
        self._pairs = (
            (forward.after, self._after_forward),
            (backward.before, self._before_backward),
            (backward.after, self._after_backward),
        )
        self._whole = False  # whether this backward pass began at the last layer
        self._on = False

    @property
    def on(self) -> bool:
        """Whether the lines are logged; on a GPU every blob is read back for them."""
        return self._on

    @on.setter
    def on(self, wanted: bool) -> None:
        if wanted == self._on:
            return
        self._on = wanted
        for callbacks, ours in self._pairs:
            if wanted:
                callbacks.insert(0, ours)  # as in Caffe, before the callbacks of users
            else:
                callbacks.remove(ours)

    # --- passes ---------------------------------------------------------------------------------------------------

    def _after_forward(self, number: int) -> None:
        step = self._steps[number]
        for top in step.tops:
            value = _mean(top.data_memory, top.shape)
            log.info("    [Forward] Layer %s, top blob %s data: %g", step.layer.name, top.name, value, extra=_TOP)
        slots = self._parameters.graph.nodes[number].params
        for slot, blob in zip(slots, step.params, strict=True):
            name, value = _display_name(self._parameters.graph.params[slot]), _mean(blob.data_memory, blob.shape)
            log.info("    [Forward] Layer %s, param blob %s data: %g", step.layer.name, name, value, extra=_PARAM)

    def _before_backward(self, number: int) -> None:
        if number == len(self._steps) - 1:
            self._whole = True

    def _after_backward(self, number: int) -> None:
        step = self._steps[number]
        for blob, wanted in zip(step.bottoms, step.wanted.bottoms, strict=True):
            if wanted:
                value = _mean(blob.diff_memory, blob.shape)
                log.info(
                    "    [Backward] Layer %s, bottom blob %s diff: %g", step.layer.name, blob.name, value,
                    extra=_BOTTOM_DIFF,
                )  # fmt: skip
        for index, (blob, wanted) in enumerate(zip(step.params, step.wanted.params, strict=True)):
            if wanted:
                value = _mean(blob.diff_memory, blob.shape)
                log.info(
                    "    [Backward] Layer %s, param blob %d diff: %g", step.layer.name, index, value, extra=_PARAM_DIFF
                )
        if number == 0 and self._whole:
            self._whole = False
            self._totals()

    def _totals(self) -> None:
        """Log norms over all parameters that own memory, as Caffe does after a backward pass."""
        owners = [self._parameters.slots[i] for i in self._parameters.owners]
        data = _norms((blob.data_memory, blob.shape) for blob in owners)
        diff = _norms((blob.diff_memory, blob.shape) for blob in owners)
        log.info(
            "    [Backward] All net params (data, diff): L1 norm = (%g, %g); L2 norm = (%g, %g)",
            data[0], diff[0], data[1], diff[1], extra=_TOTALS,
        )  # fmt: skip

    # --- updates --------------------------------------------------------------------------------------------------

    @contextmanager
    def updating(self) -> Iterator[None]:
        """A context around an update that leaves the step in the gradient: logs each parameter, shared ones first.

        Caffe wrote these lines until 2015, and has kept the function since without calling it.
        """
        if not self._on:
            yield
            return
        before = [_mean(blob.data_memory, blob.shape) for blob in self._parameters.slots]
        yield
        params = self._parameters.graph.params
        for slot in sorted(range(len(params)), key=lambda i: params[i].owner == i):
            self._update(slot, before[slot])

    def _update(self, slot: int, data: float) -> None:
        param, blob = self._parameters.graph.params[slot], self._parameters.slots[slot]
        layer, name, diff = self._layer_name(param), _display_name(param), _mean(blob.diff_memory, blob.shape)
        if param.owner == slot:
            log.info("    [Update] Layer %s, param %s data: %g; diff: %g", layer, name, data, diff, extra=_UPDATE)
            return
        owner = self._parameters.graph.params[param.owner]
        log.info(
            "    [Update] Layer %s, param blob %s (owned by layer %s, param %s) diff: %g",
            layer, name, self._layer_name(owner), _display_name(owner), diff, extra=_SHARED_UPDATE,
        )  # fmt: skip

    def _layer_name(self, param: ParamNode) -> str:
        return self._parameters.graph.nodes[param.layer].layer.name


def _display_name(param: ParamNode) -> str:
    """The name by which a parameter is shared, else its number in the layer."""
    return param.spec.name or str(param.index)


def _mean(memory: Memory, shape: Shape) -> float:
    """Mean of |x|; NaN for no elements, as 0 / 0 is in Caffe."""
    size = math.prod(shape)
    return _sums(memory, shape)[0] / size if size else math.nan


def _norms(blobs: Iterable[tuple[Memory, Shape]]) -> tuple[float, float]:
    """L1 and L2 norm of everything in `blobs` together."""
    sums = [_sums(memory, shape) for memory, shape in blobs]
    return math.fsum(s[0] for s in sums), math.sqrt(math.fsum(s[1] for s in sums))


def _sums(memory: Memory, shape: Shape) -> tuple[float, float]:
    """Sum of |x| and of x squared; memory that was never used is zero, and stays unallocated."""
    if not memory.capacity:
        return 0.0, 0.0
    x = memory.array(shape)
    if memory.device == "cuda":
        sums = cuda.zeros(2, np.float64)
        _kernels.absolute_and_square_sums.by_block(1, x, sums, x.size)
        absolute, square = cuda.asnumpy(sums)
        return float(absolute), float(square)
    wide = x.astype(np.float64)
    return float(np.abs(wide).sum()), float(np.square(wide).sum())
