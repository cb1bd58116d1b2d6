"""The passes of a convolution of plain blobs whose groups have few channels (brew.cpu.native.planes, which is imported
when one is made: every convolution of plain blobs asks, most need none)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brew.cpu import threads
from brew.cpu.native.grouped_plan import Filters
from brew.cpu.native.planes_plan import pays
from brew.cpu.onednn.after import After
from brew.layer import Arrays, Buffer, Wanted
from brew.ops.windows.columns import Bank

from ._grouped import filters_of
from ._passes import BOTTOM, FILTERS, FORWARD, NOTHING, PLANES, Added, Listed, Pass
from ._transformed import Transformed


@dataclass(frozen=True, slots=True)
class Planes:
    """Filters between plain blobs."""

    filters: Filters
    training: bool

    def passes(self, after: After | None, wanted: Wanted) -> dict[str, Callable[[], Pass]]:
        """What makes them. Against a stride blobs are better brought into blocks."""
        passes: dict[str, Callable[[], Pass]] = {FORWARD: lambda: PlanesForward(self, after or After())}
        if any(wanted.params):
            passes[FILTERS] = lambda: PlanesWeights(self)
        if wanted.bottoms[0] and max(self.filters.stride) == 1:
            passes[BOTTOM] = lambda: PlanesData(self)
        return passes


def planes(bank: Bank, *, training: bool) -> Planes | None:
    """How our code sees a convolution of plain blobs; None where it cannot do it, or others are faster."""
    filters = filters_of(bank)
    return Planes(filters, training) if filters and pays(filters) else None


class _Multiplied(Transformed):
    way = PLANES

    def __init__(self, of: Planes, prefix: str = "", *, turned: bool) -> None:
        from brew.cpu.native.planes import Multiplied

        run_on = Multiplied(of.filters, threads.wanted(), turned=turned)
        super().__init__(run_on, run_on.filters, prefix, keeps=not of.training)


class PlanesForward(_Multiplied):
    def __init__(self, of: Planes, after: After) -> None:
        super().__init__(of, turned=False)
        self.after = after

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.bind_forward(io, io.w[1] if len(io.w) > 1 else None, added, self.after)


class PlanesData(_Multiplied):
    def __init__(self, of: Planes) -> None:
        super().__init__(of, "data_", turned=True)

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.bind_backward(io)


class PlanesWeights(Listed):
    way = PLANES

    def __init__(self, of: Planes) -> None:
        from brew.cpu.native.planes import Summed

        super().__init__()
        self.run_on = Summed(of.filters, threads.wanted())
        self.buffers["sums"] = Buffer((self.run_on.scratch,))

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        dw, db = io.dw[0], io.dw[1] if len(io.dw) > 1 else None
        self.calls = self.run_on.bind(io.x[0], io.dy[0], dw, io.work["sums"], db)
