"""The passes of a convolution by Winograd's algorithm, in code of our own (brew.cpu.native.winograd)."""

from __future__ import annotations

from dataclasses import dataclass

from brew.cpu import onednn, threads
from brew.cpu.native.blocked import Blocked, holds, width
from brew.cpu.native.winograd import Convolution, Overlapped
from brew.cpu.native.winograd_gradient import Gradient
from brew.cpu.onednn.after import After
from brew.layer import Arrays, Buffer, Shape, Wanted

from ._grouped import FEW_OF_GROUP
from ._passes import BOTTOM, FILTERS, FORWARD, NOTHING, WINOGRAD, Added, Listed, Pass
from ._transformed import Transformed

_FELT = 0.1  # of a pass's time


@dataclass(frozen=True, slots=True)
class Tiled:
    """A convolution that Winograd's algorithm can do: square filters of `taps`, stride 1."""

    source: Blocked
    target: Blocked
    taps: int
    pad: tuple[int, int]
    training: bool

    def passes(self, after: After | None, wanted: Wanted, *, biased: bool) -> dict[str, Pass]:
        passes: dict[str, Pass] = {FORWARD: WinogradForward(self, after, biased)}
        if wanted.params and wanted.params[0]:
            passes[FILTERS] = WinogradWeights(self)
        if wanted.bottoms[0]:
            passes[BOTTOM] = WinogradData(self)
        return passes

    def forward(self, *, added: bool = False) -> Convolution:
        sizes = (self.source, self.target, self.taps, self.pad)
        return Convolution(*sizes, threads.wanted(), derived=self.training, added=added)

    def data(self) -> Convolution:
        """The gradient of the source: whichever of the two ways costs less."""
        pad = (self.taps - 1 - self.pad[0], self.taps - 1 - self.pad[1])
        blobs, number = (self.target, self.source, self.taps), threads.wanted()
        turned = Convolution(*blobs, pad, number, derived=self.training, turned=True)
        overlapped = Overlapped(*blobs, self.pad, number, derived=self.training)
        return min(turned, overlapped, key=lambda way: way.cost.here)

    def weights(self) -> Gradient:
        return Gradient(self.source, self.target, self.taps, self.pad)


def tiled(
    x: Shape, y: Shape, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape, group: int, *, training: bool
) -> Tiled | None:
    """How Winograd's algorithm sees a convolution of blobs in blocks of channels; None where it cannot do it."""
    if not holds(onednn.block()) or not all((*x, *y)):
        return None
    square = kernel in ((3, 3), (5, 5)) and tuple(stride) == tuple(dilation) == (1, 1)
    whole = group == 1 or all(n // group % width() == 0 and n // group >= FEW_OF_GROUP for n in (x[1], y[1]))
    if not square or not whole or any(p >= kernel[0] for p in pad):
        return None
    source, target = (Blocked(n, c, height, across, group) for n, c, height, across in (x, y))
    return Tiled(source, target, kernel[0], (pad[0], pad[1]), training)


class _Tiles(Transformed):
    """Tiles of one blob, times transformed filters, put together as another blob.

    Transformed filters take four times the memory of the filters: outside of training they are kept only where
    transforming them anew for every run would be felt.
    """

    way = WINOGRAD

    def __init__(self, of: Tiled, run_on: Convolution, prefix: str = "") -> None:
        keeps = not of.training and run_on.cost.transforming_share > _FELT
        super().__init__(run_on, run_on.filters.size, prefix, keeps=keeps)
        self.pays = run_on.cost.pays


class WinogradForward(_Tiles):
    def __init__(self, of: Tiled, after: After | None, biased: bool) -> None:
        self.after = after or After()
        super().__init__(of, of.forward(added=self.after.adds))
        if biased:
            target = of.target
            self.buffers["b"] = Buffer((target.group * target.blocks * width(),), kept=self.keeps)

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.bind_forward(io, io.work.get("b"), added, self.after)

    def derive(self, io: Arrays) -> None:
        super().derive(io)
        if "b" in io.work:
            bias = io.work["b"]
            bias[len(io.w[1]) :] = 0
            bias[: len(io.w[1])] = io.w[1]


class WinogradData(_Tiles):
    def __init__(self, of: Tiled) -> None:
        super().__init__(of, of.data(), "data_")

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.bind_backward(io)


class WinogradWeights(Listed):
    way = WINOGRAD

    def __init__(self, of: Tiled) -> None:
        super().__init__()
        self.run_on = of.weights()
        self.pays = self.run_on.cost.pays
        self.buffers["weight_tiles"] = Buffer((self.run_on.scratch,))

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        dw, db = io.dw[0], io.dw[1] if len(io.dw) > 1 else None
        assert dw is not None
        self.calls = self.run_on.bind(io.x[0], io.dy[0], dw, io.work["weight_tiles"], db)
