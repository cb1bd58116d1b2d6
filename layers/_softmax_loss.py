"""The base of losses that begin with a softmax: SoftmaxWithLoss and InfogainLoss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, between
from brew.ops.fold import Fold, fold
from brew.ops.labels import NO_LABEL, check_labels, class_indices
from brew.ops.loss import finish_cuda, normalization, normalizer
from brew.ops.reduction import parts
from brew.ops.softmax import softmax, softmax_cuda
from brew.proto.brew_pb2 import LayerParameter


class SoftmaxLoss(Layer):
    """Bottoms are scores and labels; tops the loss, and perhaps the probabilities."""

    tops = between(1, 2)
    reads = frozenset("x")
    is_loss = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        loss = param.loss_param
        self.ignore: int | None = loss.ignore_label if loss.HasField("ignore_label") else None
        self.mode = normalization(loss)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        check_labels(self, self.fold(bottom[0]), bottom)
        return [(), bottom[0]][: max(1, len(self.param.top))]

    def fold(self, bottom: Shape) -> Fold:
        number: int = getattr(self.param, self.axis_in).axis
        return fold(bottom, self.axis(number, len(bottom), self.axis_in, "axis"))


S = TypeVar("S", bound=SoftmaxLoss)


class _SoftmaxLoss(Implementation[S]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        self.positions = self.fold.outer * self.fold.inner
        kept = wanted.backward
        return {"probability": Buffer(self.fold, kept=kept), "divisor": Buffer((), kept=kept)}


class SoftmaxLossCPU(_SoftmaxLoss[S]):
    """A layer says what each position loses, in `losses`."""

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        outer, _, inner = self.layer.fold(shapes.x[0])
        return {**super().prepare(shapes, wanted), "scratch": Buffer((outer, inner))}

    def losses(self, io: Arrays, label: Array, out: Array) -> None:
        """out (outer, inner) = minus the losses, from work["probability"] and the labels as indices."""
        raise NotImplementedError

    def labels(self, io: Arrays) -> tuple[Array, Array | None]:
        """The labels of all positions (outer, inner), and which of them count."""
        labels = io.x[1].reshape(self.fold.outer, self.fold.inner)
        return class_indices(self.layer, labels, self.fold.dim, self.layer.ignore)

    def forward(self, io: Arrays) -> None:
        probability, losses = io.work["probability"], io.work["scratch"]
        softmax(self.fold.of(io.x[0]), probability, losses)
        if len(io.y) == 2:
            np.copyto(self.fold.of(io.y[1]), probability)
        label, valid = self.labels(io)
        self.losses(io, label, losses)
        if valid is not None:
            np.multiply(losses, valid, out=losses)
        counted = self.positions if valid is None else int(np.count_nonzero(valid))
        divisor = normalizer(self.layer.mode, self.fold.outer, self.fold.inner, counted)
        io.work["divisor"][...] = divisor
        io.y[0][...] = -losses.sum() / divisor


class SoftmaxLossCUDA(_SoftmaxLoss[S]):
    """A layer launches the sums of losses by part, in `part_losses`."""

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        self.parts = parts(self.positions)
        self.ignore = NO_LABEL if self.layer.ignore is None else self.layer.ignore
        return {**buffers, "loss": Buffer((self.parts,)), "valid": Buffer((self.parts,), np.int64)}

    def part_losses(self, io: Arrays) -> None:
        """Fill work["loss"] and work["valid"], one of each per part, from work["probability"]."""
        raise NotImplementedError

    def forward(self, io: Arrays) -> None:
        work, (outer, _, inner) = io.work, self.fold
        softmax_cuda(io.x[0], work["probability"], self.fold)
        if len(io.y) == 2:
            cuda.copy(io.y[1], work["probability"])
        self.part_losses(io)
        finish_cuda(self.layer.mode, outer, inner, (work["loss"], work["valid"]), io.y[0], work["divisor"])
