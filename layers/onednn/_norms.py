"""Two ways to normalise a batch, with a scale, a shift and a ReLU behind it: oneDNN's, and our own (brew.native)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ctypes import c_float, c_uint
from typing import NamedTuple, TypeAlias

from brew.cpu import onednn
from brew.cpu.native.batch_norm import BatchNorm, State
from brew.cpu.native.blocked import Blocked, holds
from brew.cpu.onednn import Call, Description, Operation
from brew.layer import Array, Arrays, Buffer, Shape
from brew.layer.layout import Layout

Run: TypeAlias = Callable[[], None]


class Formula(NamedTuple):
    """The terms of a normalisation: `stored` statistics are those of the parameters, else they are the batch's."""

    eps: float
    stored: bool
    scaled: bool
    shifted: bool
    relu: bool
    backward: bool


class OneDNNNorm:
    """On a blob of any shape. The mask of the ReLU is oneDNN's own (its workspace)."""

    def __init__(self, shape: Shape, layout: Layout, formula: Formula) -> None:
        self.formula, self.x, self.channels = formula, onednn.describe(shape, layout), Description(shape[1:2], "a")
        # In the test phase without stored statistics the averages are wanted too.
        training = formula.backward or not formula.stored
        kind = onednn.FORWARD_TRAINING if training else onednn.FORWARD_INFERENCE
        flags = onednn.USE_SCALE * formula.scaled | onednn.USE_SHIFT * formula.shifted
        flags |= onednn.FUSE_RELU * formula.relu | onednn.USE_GLOBAL_STATS * formula.stored
        numbers = c_float(formula.eps), c_uint(flags)
        self.forward = Operation("batch_normalization_forward", kind, self.x, self.x, *numbers)
        if formula.backward:
            descriptions = (onednn.BACKWARD, self.x, self.x, self.x)
            self.backward = Operation("batch_normalization_backward", *descriptions, *numbers, hint=self.forward)
        self.mask = self.forward.workspace
        self.buffers = {name: Buffer(shape[1:2], saved=formula.backward) for name in ("mean", "variance")}
        if formula.backward:
            self.buffers |= {name: Buffer(shape[1:2]) for name in ("da", "db")}
        if self.mask is not None:
            self.buffers["mask"] = Buffer((self.mask.bytes,), "uint8", saved=formula.backward)

    def bind(self, io: Arrays, x: Array, scale: Array | None, shift: Array | None) -> tuple[Run, Run | None]:
        """Forward and, where it is wanted, backward; `x` is the bottom where it is now."""
        channels, work = self.channels, io.work
        fixed: dict[int, tuple[Description, Array]] = {
            onednn.SRC: (self.x, x), onednn.MEAN: (channels, work["mean"]),
            onednn.VARIANCE: (channels, work["variance"]),
        }  # fmt: skip
        if self.mask is not None:
            fixed[onednn.WORKSPACE] = (self.mask, work["mask"])
        if scale is not None:
            fixed[onednn.SCALE] = (channels, scale)
        shifted = {} if shift is None else {onednn.SHIFT: (channels, shift)}
        run = self.forward.bind({**fixed, **shifted, onednn.DST: (self.x, io.y[0])})
        return run, self._back(io, fixed) if io.dx and io.dx[0] is not None else None

    def _back(self, io: Arrays, fixed: Mapping[int, tuple[Description, Array]]) -> Call:
        assert io.dx[0] is not None
        arrays = {**fixed, onednn.DIFF_SRC: (self.x, io.dx[0]), onednn.DIFF_DST: (self.x, io.dy[0])}
        if self.formula.scaled:
            arrays[onednn.DIFF_SCALE] = (self.channels, io.work["da"])
        if self.formula.shifted:
            arrays[onednn.DIFF_SHIFT] = (self.channels, io.work["db"])
        return self.backward.bind(arrays)


class OwnNorm:
    """On a blob in blocks of channels, with the batch's statistics. Buffers have whole blocks."""

    def __init__(self, shape: Shape, formula: Formula) -> None:
        self.run_on = BatchNorm(Blocked(*shape), formula.eps, formula.relu)
        whole, saved = (self.run_on.whole,), formula.backward
        self.buffers = {name: Buffer(whole, saved=saved) for name in ("mean", "variance")}
        self.buffers |= {"factors": Buffer((self.run_on.factors,), saved=saved), "sums": Buffer((self.run_on.scratch,))}
        if formula.backward:
            self.buffers |= {name: Buffer(whole) for name in ("da", "db")}

    def bind(self, io: Arrays, x: Array, scale: Array | None, shift: Array | None) -> tuple[Run, Run | None]:
        """As OneDNNNorm has it."""
        work = io.work
        state = State(work["mean"], work["variance"], work["factors"])
        run = _together(self.run_on.forward(x, io.y[0], scale, shift, state, work["sums"]))
        if not io.dx or io.dx[0] is None:
            return run, None
        back = self.run_on.backward(x, io.dy[0], io.dx[0], state, work["da"], work["db"], work["sums"])
        return run, _together(back)


def _together(calls: Sequence[Run]) -> Run:
    def run() -> None:
        for call in calls:
            call()

    return run


def norm(shape: Shape, layout: Layout, formula: Formula) -> OneDNNNorm | OwnNorm:
    """Ours where there is one. Unsupported where neither is fast."""
    block = onednn.block()
    if holds(block) and layout == Layout(block) and len(shape) == 4 and not formula.stored:
        return OwnNorm(shape, formula)
    return OneDNNNorm(shape, layout, formula)
