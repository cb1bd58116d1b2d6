"""Layers that work element by element: by oneDNN's eltwise, or by NumPy's code on the blocks as they lie."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from brew.cpu import onednn
from brew.cpu.onednn import Description, Operation
from brew.layer import Arrays, Buffer, Implementation, Layer, Shapes, Unsupported, Wanted, count
from brew.layer.layout import Layout, Layouts
from brew.ops.elementwise import Elementwise

E = TypeVar("E", bound=Elementwise)
L = TypeVar("L", bound=Layer)


class EltwiseOneDNN(Implementation[E]):
    """The blob is one long row, the zeros behind a blocked layout's channels included."""

    follows = True
    algorithm: ClassVar[int]
    keeps_zeros: ClassVar[bool] = True  # value(0) is 0

    def numbers(self) -> tuple[float, float]:
        """oneDNN's alpha and beta."""
        return 0.0, 0.0

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        self.size = bottoms[0].size(shapes.x[0])
        if not self.keeps_zeros and self.size != count(shapes.x[0]):
            raise Unsupported("what lies behind the channels would not stay zero")
        return super().layouts(shapes, bottoms, wanted)

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        row = self.row = Description((self.size,), "a")
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        numbers = [ctypes.c_float(number) for number in self.numbers()]
        hint = self.forward_op = Operation("eltwise_forward", kind, self.algorithm, row, row, *numbers)
        if wanted.bottoms[0]:
            self.backward_op = Operation("eltwise_backward", self.algorithm, row, row, row, *numbers, hint=hint)
        return {}

    def bind(self, io: Arrays) -> None:
        row = self.row
        self.run = self.forward_op.bind({onednn.SRC: (row, io.x[0]), onednn.DST: (row, io.y[0])})
        if io.dx and io.dx[0] is not None:
            read = (onednn.DST, io.y[0]) if "y" in self.layer.reads else (onednn.SRC, io.x[0])
            self.run_back = self.backward_op.bind(
                {read[0]: (row, read[1]), onednn.DIFF_DST: (row, io.dy[0]), onednn.DIFF_SRC: (row, io.dx[0])}
            )

    def forward(self, io: Arrays) -> None:
        self.run()

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.run_back()


class Following(Implementation[L]):
    """NumPy's implementation, told that the arrays have the shapes in which they are stored."""

    follows = True

    def __init__(self, layer: L) -> None:
        super().__init__(layer)
        self.numpy: Implementation[Any] = layer.implementation("cpu")

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        chosen = super().layouts(shapes, bottoms, wanted)
        self.layout = chosen.x[0]
        return chosen

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        x, y = (tuple(map(self.layout.stored, s)) for s in (shapes.x, shapes.y))
        return self.numpy.prepare(Shapes(x, y, shapes.w), wanted)

    def forward(self, io: Arrays) -> None:
        self.numpy.forward(io)

    def backward(self, io: Arrays) -> None:
        self.numpy.backward(io)
