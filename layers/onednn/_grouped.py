"""The passes of a convolution or deconvolution for whose groups, channels or taps oneDNN has no code
(brew.cpu.native.grouped, which is imported when one is made: every convolution asks, most need none)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brew.cpu import onednn, threads
from brew.cpu.native.blocked import Blocked, channel_sums, holds, width
from brew.cpu.native.grouped_plan import Filters
from brew.cpu.onednn.after import After
from brew.layer import Arrays, Buffer, Shape, Wanted
from brew.ops.windows.columns import Bank

from ._passes import BOTTOM, FILTERS, FORWARD, GROUPED, NOTHING, Added, Listed, Pass
from ._transformed import Transformed

FEW_OF_GROUP = 32  # channels; with fewer, what oneDNN and Winograd's algorithm do around the products costs too much


@dataclass(frozen=True, slots=True)
class Grouped:
    """Filters between blobs in blocks of channels; `turned`: forward goes from their target to their source."""

    filters: Filters
    turned: bool
    training: bool

    def pays(self, what: str) -> bool:
        """Whether a pass is faster than oneDNN's, where that has code for it (measured on Zen 3)."""
        filters, turned = self.filters, (what == FORWARD) == self.turned
        if what == FILTERS or filters.group == 1:
            return False
        of_group = max(filters.source.channels, filters.target.channels) // filters.group
        return turned if filters.depthwise else of_group < FEW_OF_GROUP

    def fills(self, what: str) -> bool:
        """Whether most lanes that a pass goes by are channels; else oneDNN is faster in some other layout."""
        filters, turned = self.filters, (what == FORWARD) == self.turned
        lanes = filters.source if turned or what == FILTERS else filters.target
        return filters.group > 1 or lanes.channels > width() // 2

    def passes(self, after: After | None, wanted: Wanted) -> dict[str, Callable[[], Pass]]:
        """What makes them."""
        passes: dict[str, Callable[[], Pass]] = {FORWARD: lambda: GroupedForward(self, after or After())}
        if any(wanted.params):
            passes[FILTERS] = lambda: GroupedWeights(self)
        if wanted.bottoms[0]:
            passes[BOTTOM] = lambda: GroupedData(self)
        return passes


def filters_of(bank: Bank) -> Filters | None:
    """A bank of filters as our code has it; None where nothing is to be computed, or the processor is not for it."""
    if not holds(onednn.block()) or not all((bank.batch, *bank.size, *bank.out)):
        return None
    source = Blocked(bank.batch, bank.inputs, *bank.size)
    target = Blocked(bank.batch, bank.outputs, *bank.out)
    window = bank.window
    pairs: list[Shape] = [window.kernel, window.stride, window.pad, window.dilation]
    return Filters(source, target, bank.group, *((a, b) for a, b in pairs))


def grouped(bank: Bank, *, turned: bool, training: bool) -> Grouped | None:
    """How our code sees a bank of filters between blobs in blocks of channels; None where there is no such code."""
    filters = filters_of(bank)
    return Grouped(filters, turned, training) if filters else None


class _Multiplied(Transformed):
    way = GROUPED

    def __init__(self, of: Grouped, prefix: str = "", *, turned: bool) -> None:
        from brew.cpu.native.grouped import Multiplied

        run_on = Multiplied(of.filters, threads.wanted(), turned=turned)
        super().__init__(run_on, run_on.filters, prefix, keeps=not of.training)


class GroupedForward(_Multiplied):
    def __init__(self, of: Grouped, after: After) -> None:
        super().__init__(of, turned=of.turned)
        self.after = after

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.bind_forward(io, io.w[1] if len(io.w) > 1 else None, added, self.after)


class GroupedData(_Multiplied):
    def __init__(self, of: Grouped) -> None:
        super().__init__(of, "data_", turned=not of.turned)

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.bind_backward(io)


class GroupedWeights(Listed):
    way = GROUPED

    def __init__(self, of: Grouped) -> None:
        from brew.cpu.native.grouped import Summed

        super().__init__()
        self.of, self.run_on = of, Summed(of.filters, threads.wanted())
        self.buffers["sums"] = Buffer((self.run_on.scratch,))

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        source, target = (io.dy[0], io.x[0]) if self.of.turned else (io.x[0], io.dy[0])
        self.calls = []
        if io.dw[0] is not None:
            self.calls += self.run_on.bind(source, target, io.dw[0], io.work["sums"])
        if len(io.dw) > 1 and (db := io.dw[1]) is not None:
            top = self.of.filters.source if self.of.turned else self.of.filters.target
            self.calls += channel_sums(top, io.dy[0], db)
