"""Passes in code of our own that read the filters in an order, or a form, of that code's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from brew.cpu.native.filter_bank import Call
from brew.cpu.native.winograd import Finish
from brew.cpu.onednn.after import After
from brew.layer import Array, Arrays, Buffer

from ._passes import Added, Listed, addend


class Convolution(Protocol):
    """What brew.cpu.native has for such a pass."""

    @property
    def scratch(self) -> int:
        """In float32."""

    def transform(self, filters: Array, transformed: Array, /) -> Sequence[Call]: ...

    def bind(
        self, source: Array, target: Array, transformed: Array, scratch: Array, finish: Finish | None = None, /
    ) -> Sequence[Call]: ...


class Transformed(Listed):
    """The filters are transformed when the weights have changed; `size` is theirs then, in float32.

    `prefix` tells the buffers of a layer's passes apart.
    """

    derives = True

    def __init__(self, run_on: Convolution, size: int, prefix: str = "", *, keeps: bool) -> None:
        super().__init__(keeps=keeps)
        self.run_on, self.w, self.scratch = run_on, f"{prefix}w", f"{prefix}scratch"
        self.buffers[self.w] = Buffer((size,), kept=keeps)
        self.buffers[self.scratch] = Buffer((run_on.scratch,))

    def bind_between(self, io: Arrays, source: Array, target: Array, finish: Finish | None = None) -> None:
        self.seen, w = -1, io.work[self.w]
        self.transform = self.run_on.transform(io.w[0], w)
        self.calls = self.run_on.bind(source, target, w, io.work[self.scratch], finish)

    def bind_forward(self, io: Arrays, bias: Array | None, added: Added, after: After) -> None:
        """From the bottom to the top."""
        self.bind_between(io, io.x[0], io.y[0], Finish(bias, addend(added), after.slope))

    def bind_backward(self, io: Arrays) -> None:
        """From the gradient of the top to that of the bottom."""
        dx = io.dx[0]
        assert dx is not None
        self.bind_between(io, io.dy[0], dx)

    def derive(self, io: Arrays) -> None:
        for call in self.transform:
            call()
