"""A pass of a convolution in other layouts than its blobs have: they are copied before it, and its result after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from brew.cpu import onednn
from brew.layer import Array, Arrays, Buffer, Shapes
from brew.layer.layout import Layout

from ._passes import BACKWARD, BOTTOM, FILTERS, FORWARD, NOTHING, Added, Pass


@dataclass(frozen=True, slots=True)
class Lies:
    """How a convolution's bottom and top lie."""

    x: Layout
    y: Layout


class Converted(Pass):
    """The pass `what`, computed by `own`, which wants blobs to lie as `there` says, where they lie as `here` says."""

    def __init__(self, what: str, own: Pass, shapes: Shapes, here: Lies, there: Lies) -> None:
        super().__init__(keeps=own.keeps)
        self.what, self.own, self.here, self.there = what, own, here, there
        self.x_shape, self.y_shape = shapes.x[0], shapes.y[0]
        self.buffers = dict(own.buffers)
        self.pays = own.pays
        uses = {FORWARD: ("x", "y"), FILTERS: ("x", "dy"), BOTTOM: ("dx", "dy"), BACKWARD: ("x", "dx", "dy")}[what]
        self.moved = [name for name in uses if self._lies(name, here) != self._lies(name, there)]
        for name in self.moved:
            self.buffers[f"{what}_{name}"] = Buffer(self._lies(name, there).stored(self._shape(name)))

    @property
    def way(self) -> str:  # type: ignore[override]
        return self.own.way

    @staticmethod
    def _lies(name: str, lies: Lies) -> Layout:
        return lies.x if name.endswith("x") else lies.y

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.x_shape if name.endswith("x") else self.y_shape

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.before: list[Callable[[], None]] = []
        self.after: list[Callable[[], None]] = []
        arrays: dict[str, list[Array]] = {}
        for name in self.moved:
            outside, inside = getattr(io, name)[0], io.work[f"{self.what}_{name}"]
            arrays[name] = [inside]
            here, there = self._lies(name, self.here), self._lies(name, self.there)
            ends = [(outside, here), (inside, there)]
            written = name in ("y", "dx")
            (source, source_lies), (target, target_lies) = reversed(ends) if written else ends
            copy = onednn.copy(source, source_lies, target, target_lies, self._shape(name))
            (self.after if written else self.before).append(copy)
        self.io = replace(io, **arrays)  # type: ignore[arg-type]
        self.own.bind(self.io, added)

    def run(self, io: Arrays) -> None:
        for call in self.before:
            call()
        self.own.run(self.io)
        for call in self.after:
            call()
