"""Layers that work element by element: by oneDNN's eltwise, or by NumPy's code on the blocks as they lie."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from brew.cpu import onednn
from brew.cpu.onednn import Description, Operation
from brew.layer import Arrays, Implementation, Layer, Prepared, Shapes, Unsupported, Wanted, count
from brew.layer.arrays import following
from brew.layer.layout import Layout
from brew.ops.elementwise import Elementwise

E = TypeVar("E", bound=Elementwise)
L = TypeVar("L", bound=Layer)


class EltwiseOneDNN(Implementation[E]):
    """The blob is one long row, the zeros behind a blocked layout's channels included."""

    algorithm: ClassVar[int]
    keeps_zeros: ClassVar[bool] = True  # value(0) is 0

    def numbers(self) -> tuple[float, float]:
        """oneDNN's alpha and beta."""
        return 0.0, 0.0

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        size = bottoms[0].size(shapes.x[0])
        if not self.keeps_zeros and size != count(shapes.x[0]):
            raise Unsupported("what lies behind the channels would not stay zero")
        flat = self.flat = Description((size,), "a")
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        numbers = [ctypes.c_float(number) for number in self.numbers()]
        hint = self.forward_op = Operation("eltwise_forward", kind, self.algorithm, flat, flat, *numbers)
        if wanted.bottoms[0]:
            self.backward_op = Operation("eltwise_backward", self.algorithm, flat, flat, flat, *numbers, hint=hint)
        return Prepared(following(bottoms, shapes), {})

    def bind(self, io: Arrays) -> None:
        flat = self.flat
        self.run = self.forward_op.bind({onednn.SRC: (flat, io.x[0]), onednn.DST: (flat, io.y[0])})
        if io.dx and io.dx[0] is not None:
            read = (onednn.DST, io.y[0]) if "y" in self.layer.reads else (onednn.SRC, io.x[0])
            self.run_back = self.backward_op.bind(
                {read[0]: (flat, read[1]), onednn.DIFF_DST: (flat, io.dy[0]), onednn.DIFF_SRC: (flat, io.dx[0])}
            )

    def forward(self, io: Arrays) -> None:
        self.run()

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.run_back()


class Following(Implementation[L]):
    """NumPy's implementation, told that the arrays have the shapes in which they are stored."""

    def __init__(self, layer: L) -> None:
        super().__init__(layer)
        self.numpy: Implementation[Any] = layer.implementation("cpu")

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        layouts = following(bottoms, shapes)
        x, y = (tuple(map(layouts.x[0].stored, s)) for s in (shapes.x, shapes.y))
        return Prepared(layouts, self.numpy.prepare(Shapes(x, y, shapes.w), wanted))

    def forward(self, io: Arrays) -> None:
        self.numpy.forward(io)

    def backward(self, io: Arrays) -> None:
        self.numpy.backward(io)
