"""Layers whose every output depends on one input: what they share beside their two formulas.

A layer derives from `Elementwise` and says in `reads` what its gradient needs. On the CPU it gives `value` and
`gradient` for a piece of the arrays, with scratch of the same length; on CUDA it launches one kernel in each. In place,
x is gone by the time of the gradient: where it is needed a copy of it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted, count

from .in_place import overwrites
from .pieces import PIECE, pieces


class Elementwise(Layer):
    """One bottom of any shape, one top of that shape, and perhaps in place."""

    in_place = True  # where the sign of x is enough, y has it too: no copy of x is kept

    @property
    def left_for_backward(self) -> frozenset[str]:
        keeps_x = overwrites(self.param) and not self.sign_is_enough
        return self.reads - {"x"} if keeps_x else self.reads

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0]]


E = TypeVar("E", bound=Elementwise)


class _Elementwise(Implementation[E]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        layer = self.layer
        needs_x = wanted.backward and "x" in layer.reads and not layer.sign_is_enough
        self.keeps_x = needs_x and overwrites(layer.param)
        return {"x": Buffer(shapes.x[0], saved=True)} if self.keeps_x else {}

    def read(self, io: Arrays) -> Array:
        """x, as forward found it."""
        return io.work["x"] if self.keeps_x else io.x[0]


class ElementwiseCPU(_Elementwise[E]):
    """Flat pieces of the arrays go to `value` and `gradient`; `t` is scratch, `scratch` rows as long as they."""

    scratch: ClassVar[int] = 1

    def value(self, x: Array, y: Array, t: Array) -> None:
        """Write y; it may be x."""
        raise NotImplementedError

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        """Write dx; it may be dy. Of x and y only what the layer reads holds values."""
        raise NotImplementedError

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        length = min(PIECE, count(shapes.x[0]))
        return {**super().prepare(shapes, wanted), "t": Buffer((self.scratch, length))}

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            np.copyto(io.work["x"], io.x[0])
        x, y, t = io.x[0].reshape(-1), io.y[0].reshape(-1), io.work["t"]
        for part in pieces(x.size):
            self.value(x[part], y[part], t[:, : part.stop - part.start])

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        x, y, dy, dx = (a.reshape(-1) for a in (self.read(io), io.y[0], io.dy[0], io.dx[0]))
        t = io.work["t"]
        for part in pieces(dx.size):
            self.gradient(x[part], y[part], dy[part], dx[part], t[:, : part.stop - part.start])


class ElementwiseCUDA(_Elementwise[E]):
    """`value` and `gradient` launch a kernel on the whole arrays."""

    def value(self, x: Array, y: Array) -> None:
        """Write y; it may be x."""
        raise NotImplementedError

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        """Write dx; it may be dy. Of x and y only what the layer reads holds values."""
        raise NotImplementedError

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            cuda.copy(io.work["x"], io.x[0])
        self.value(io.x[0], io.y[0])

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.gradient(self.read(io), io.y[0], io.dy[0], io.dx[0])
