"""The contract of an update rule (solvers/), the rules by name, and the segments of the arena that they work on.

The order is Caffe's ApplyUpdate: clip the summed gradients, divide them by iter_size, add weight decay, let the rule
turn them into steps, data -= step. The step stays in the gradient. A rule supplies the formula alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from brew.cuda import Kernel
from brew.layer import Array
from brew.net.parameters import Parameters
from brew.proto.brew_pb2 import SolverParameter

from .trust_ratio import TrustRatio

PIECE = 1 << 15  # elements that one block of threads updates on CUDA; brew.cpu.workers has the CPU's
L1, L2 = "L1", "L2"


class UpdateRule:
    """One solver type. Subclasses state the facts below, and turn gradients into steps on both devices.

    slots             history arrays per parameter
    keeps             their meaning, in words: a rule can go on from the history of another that keeps the same
    squares           those of them that are sums or means of squares, and so never negative
    takes_momentum    whether `momentum` may be set
    below_one         its momenta must be below 1, because it divides by 1 - momentum
    takes_local_rate  whether a rate for each parameter (LARS, LARC) makes sense: the step grows with the gradient
    always_decoupled  weight decay never goes through the rule
    reads             fields of the solver that the rule reads and not every rule reads
    deferred          the step is scaled by a norm of its own (LAMB): it is formed first and subtracted afterwards
    plain_momentum    the step is the history, momentum * history + rate * gradient; its one constant is the momentum
    kernel            CUDA: the whole update in one pass, made by brew.solver.update.kernel.rule_kernels
    """

    type: ClassVar[str]
    slots: ClassVar[int] = 1
    keeps: ClassVar[str]
    squares: ClassVar[tuple[int, ...]] = ()
    takes_momentum: ClassVar[bool] = True
    below_one: ClassVar[bool] = False
    takes_local_rate: ClassVar[bool] = False
    always_decoupled: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ()
    deferred: ClassVar[bool] = False
    plain_momentum: ClassVar[bool] = False
    kernel: ClassVar[Kernel]

    def __init__(self, param: SolverParameter) -> None:
        self.param = param

    def constants(self, iteration: int, momentum_scale: float) -> tuple[float, ...]:
        """The numbers of the formula in `iteration` (counted from 0), in the order in which the kernel names them.

        `momentum_scale` mends SGD's momentum in a warm-up; the other rules' histories do not hold the rate.
        """
        return ()

    def step(self, g: Array, history: Sequence[Array], rate: float, constants: Sequence[float], scratch: Array) -> None:
        """Host: turn the gradient piece `g` into the step to be subtracted, in place; update the history pieces.

        `scratch` has two rows as long as `g`.
        """
        raise NotImplementedError

    def trust_ratio(self) -> TrustRatio | None:
        """How a rate for each parameter comes from norms; None: it does not."""
        param = self.param
        if param.local_lr_auto:
            return TrustRatio(param.local_gw_ratio, with_decay=not self.decoupled)
        if param.larc:
            return TrustRatio((1.0 - param.momentum) * param.larc_eta, clip=param.larc_policy == "clip")
        return None

    @property
    def decoupled(self) -> bool:
        """Whether weights decay beside the rule: w -= rate * lr_mult * weight_decay * decay_mult * w."""
        return self.always_decoupled or self.param.decoupled_weight_decay

    @property
    def limit(self) -> float:
        """The largest element of a summed gradient, which iter_size is yet to divide; negative: none."""
        return float(self.param.clip_value * self.param.iter_size)


def rule_class(type_name: str) -> type[UpdateRule] | None:
    """The rule registered for a solver type, ignoring case as Caffe's users do; None when there is none."""
    return {t.lower(): cls for t, cls in rules().items()}.get(type_name.lower())


def rule_names() -> list[str]:
    return sorted(rules())


def rules() -> dict[str, type[UpdateRule]]:
    """Every rule of solvers/, by its type."""
    room = importlib.import_module("brew.solvers")
    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"brew.solvers.{module.name}")
    return {cls.type: cls for cls in _descendants(UpdateRule)}


def _descendants(cls: type[UpdateRule]) -> Iterator[type[UpdateRule]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the arena with the same multipliers."""

    start: int
    stop: int
    lr_mult: float
    decay_mult: float


def segments(parameters: Parameters, *, joined: bool = True) -> list[Segment]:
    """The learnable parameters in arena order; `joined`: neighbours with equal multipliers in one segment."""
    result: list[Segment] = []
    for slot, start in parameters.starts.items():
        param = parameters.graph.params[slot]
        stop = start + parameters.slots[slot].count
        last = result[-1] if result else None
        if joined and last and (last.lr_mult, last.decay_mult) == (param.lr_mult, param.decay_mult):
            result[-1] = Segment(last.start, stop, last.lr_mult, last.decay_mult)
        else:
            result.append(Segment(start, stop, param.lr_mult, param.decay_mult))
    return result


def pieces(segment: Segment) -> Iterator[slice]:
    """The segment in pieces, one for each block of threads on CUDA."""
    for start in range(segment.start, segment.stop, PIECE):
        yield slice(start, min(start + PIECE, segment.stop))
