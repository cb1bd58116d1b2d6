"""The end of an iteration: clip, normalise, decay, update; one pass over the arenas, cache-sized piece by piece.

The order is Caffe's ApplyUpdate: the clip looks at the summed gradients, then they are divided by iter_size, then
weight decay is added, then the rule turns them into steps, and data -= step. The step stays in the gradient.
An update rule (solvers/) only supplies the rule.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from brew import cuda
from brew.layer import Array
from brew.net import Net
from brew.proto.brew_pb2 import SolverParameter

PIECE = 1 << 15  # elements: a piece of weights, gradient, history and scratch stays in the cache
L1, L2 = "L1", "L2"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the arena with the same multipliers."""

    start: int
    stop: int
    lr_mult: float
    decay_mult: float


class UpdateRule:
    """One solver type. Subclasses state the facts below, and turn gradients into steps on both devices.

    slots            history arrays per parameter
    takes_momentum   whether `momentum` may be set
    """

    type: ClassVar[str]
    slots: ClassVar[int] = 1
    takes_momentum: ClassVar[bool] = True

    def __init__(self, param: SolverParameter) -> None:
        self.param = param

    def corrected(self, rate: float, iteration: int) -> float:
        """The rate with what the rule makes of the iteration (Adam)."""
        return rate

    def step(self, g: Array, history: Sequence[Array], rate: float, scratch: Array) -> None:
        """Host: turn the gradient piece `g` into the step to be subtracted, in place; update the history pieces.

        `scratch` has two rows as long as `g`.
        """
        raise NotImplementedError

    def launch(self, update: CudaUpdate) -> None:
        """CUDA: decay, rule and subtraction for the whole arena in one kernel."""
        raise NotImplementedError

    def launch_on(self, kernel: cuda.Kernel, update: CudaUpdate, *constants: float) -> None:
        """Launch a rule's kernel: pieces and multipliers, weights and gradients, history, constants, L1 or L2."""
        parameters = update.net.parameters
        kernel.by_block(
            update.pieces, update.starts, update.stops, update.lr_mults, update.decays, update.rate, update.scale,
            parameters.arena, parameters.gradient_arena, *update.history, *constants,
            int(self.param.regularization_type == L1),
        )  # fmt: skip


def rule_class(type_name: str) -> type[UpdateRule] | None:
    """The rule registered for a solver type, ignoring case as Caffe's users do; None when there is none."""
    return {t.lower(): cls for t, cls in _rules().items()}.get(type_name.lower())


def rule_names() -> list[str]:
    return sorted(_rules())


def _rules() -> dict[str, type[UpdateRule]]:
    room = importlib.import_module("brew.solvers")
    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"brew.solvers.{module.name}")
    return {cls.type: cls for cls in UpdateRule.__subclasses__()}


def segments(net: Net) -> list[Segment]:
    """The learnable parameters of `net` in arena order, neighbours with equal multipliers joined."""
    result: list[Segment] = []
    for slot, start in net.parameters.starts.items():
        param = net.graph.params[slot]
        stop = start + net.parameters.slots[slot].count
        last = result[-1] if result else None
        if last and (last.lr_mult, last.decay_mult) == (param.lr_mult, param.decay_mult):
            result[-1] = Segment(last.start, stop, last.lr_mult, last.decay_mult)
        else:
            result.append(Segment(start, stop, param.lr_mult, param.decay_mult))
    return result


class HostUpdate:
    """The update of a net on the CPU. `history` holds one arena per slot of the rule."""

    def __init__(self, net: Net, rule: UpdateRule) -> None:
        self.net, self.rule = net, rule
        self.segments = segments(net)
        self.history: list[Array] = [np.zeros_like(net.parameters.arena) for _ in range(rule.slots)]
        self._scratch = np.empty((2, PIECE), net.dtype)

    def apply(self, rate: float, iteration: int) -> None:
        """One update with learning rate `rate`."""
        with np.errstate(all="ignore"):
            self._apply(rate, iteration)

    def _apply(self, rate: float, iteration: int) -> None:
        param, rate = self.rule.param, self.rule.corrected(rate, iteration)
        scale = _clip_scale(self.net.parameters.gradient_arena, param.clip_gradients) / param.iter_size
        for segment in self.segments:
            decay = param.weight_decay * segment.decay_mult
            for start in range(segment.start, segment.stop, PIECE):
                piece = slice(start, min(start + PIECE, segment.stop))
                self._piece(piece, scale, decay, rate * segment.lr_mult)

    def _piece(self, piece: slice, scale: float, decay: float, rate: float) -> None:
        w, g = self.net.parameters.arena[piece], self.net.parameters.gradient_arena[piece]
        scratch = self._scratch[:, : g.size]
        if scale != 1.0:
            g *= scale
        if decay:
            if self.rule.param.regularization_type == L1:
                np.sign(w, out=scratch[0])
                scratch[0] *= decay
            else:
                np.multiply(w, decay, out=scratch[0])
            g += scratch[0]
        self.rule.step(g, [h[piece] for h in self.history], rate, scratch)
        w -= g


def _clip_scale(gradients: Array, threshold: float) -> float:
    """What the gradients are multiplied by so that their L2 norm is at most `threshold` (negative: no clipping)."""
    if threshold < 0:
        return 1.0
    norm = float(np.sqrt(np.dot(gradients, gradients)))
    return threshold / norm if norm > threshold else 1.0


_PARTS = 256  # partial sums of squares

_kernels = cuda.Kernels(r"""
// partial[p] = sum of squares over every 256th stretch of g.
template <typename T>
__global__ void square_sums(long long n, const T* g, T* partial, long long size) {
  FOR_EACH_BLOCK(p, n) {
    T sum = 0;
    for (long long i = p * blockDim.x + threadIdx.x; i < size; i += n * blockDim.x) sum += g[i] * g[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[p] = sum;
  }
}

// scale = min(1, threshold / norm) / iter_size; a negative threshold clips nothing.
template <typename T>
__global__ void clip_scale(long long n, const T* partial, T* scale, long long parts, T threshold, T iter_size) {
  FOR_EACH_BLOCK(b, n) {
    T sum = 0;
    for (long long i = threadIdx.x; i < parts; i += blockDim.x) sum += partial[i];
    T norm = sqrt(block_sum(sum));
    if (threadIdx.x == 0) scale[0] = (threshold >= 0 && norm > threshold ? threshold / norm : (T)1) / iter_size;
  }
}
""")


class CudaUpdate:
    """The update of a net on CUDA: nothing is read back; rate and scale live on the device.

    starts, stops      int64, the pieces of the arena a block works on
    lr_mults, decays   per piece: learning rate multiplier; weight decay times its multiplier
    rate, scale        one element each
    """

    def __init__(self, net: Net, rule: UpdateRule) -> None:
        self.net, self.rule = net, rule
        self.history: list[Array] = [cuda.zeros(net.parameters.arena.size, net.dtype) for _ in range(rule.slots)]
        table = [
            (start, min(start + PIECE, s.stop), s.lr_mult, rule.param.weight_decay * s.decay_mult)
            for s in segments(net)
            for start in range(s.start, s.stop, PIECE)
        ]
        self.starts, self.stops = (cuda.asarray(np.array([row[i] for row in table], np.int64)) for i in (0, 1))
        self.lr_mults, self.decays = (cuda.asarray(np.array([row[i] for row in table], net.dtype)) for i in (2, 3))
        self.pieces = len(table)
        self.rate = cuda.zeros(1, net.dtype)
        self.scale = cuda.asarray(np.array([1 / rule.param.iter_size], net.dtype))
        self._partial = cuda.zeros(_PARTS, net.dtype)
        self._uploaded_rate: float | None = None

    def apply(self, rate: float, iteration: int) -> None:
        """One update with learning rate `rate`."""
        param, gradients = self.rule.param, self.net.parameters.gradient_arena
        rate = self.rule.corrected(rate, iteration)
        if rate != self._uploaded_rate:
            cuda.upload(self.rate, np.array([rate], self.net.dtype))
            self._uploaded_rate = rate
        if param.clip_gradients >= 0 and gradients.size:
            _kernels.square_sums.by_block(_PARTS, gradients, self._partial, gradients.size)
            _kernels.clip_scale.by_block(1, self._partial, self.scale, _PARTS, param.clip_gradients, param.iter_size)
        self.rule.launch(self)
        self.net.parameters.refresh_views()


def make_update(net: Net, rule: UpdateRule) -> HostUpdate | CudaUpdate:
    return HostUpdate(net, rule) if net.device == "cpu" else CudaUpdate(net, rule)
