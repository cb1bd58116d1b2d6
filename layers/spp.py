"""SPP: spatial pyramid pooling, with the same number of outputs for every size of image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from brew.layer import (
    TRAIN,
    Array,
    Arrays,
    Buffer,
    Context,
    Implementation,
    Layer,
    Shape,
    Shapes,
    Wanted,
    count,
    shape_text,
)
from brew.layer.random import Stream
from brew.layer.registry import register_layer
from brew.ops.rows import join, join_cuda, part, part_cuda
from brew.ops.weighted_sum import weighted_sum_cuda
from brew.ops.windows.pool import Pool
from brew.ops.windows.window import Window
from brew.proto.brew_pb2 import LayerParameter, SPPParameter


@register_layer
class SPP(Layer):
    """Planes pooled over 1, 2 x 2, 4 x 4 ... bins, all bins of all levels in one row per image.

    Bottom   x   (N, C, H, W)
    Top      y   (N, bins of all levels: of each level C out H out W, channels slowest); with pyramid_height 1 it is
                 (N, C, 1, 1)
    Params   spp_param.pyramid_height: level l has 2^l bins a side
             spp_param.pool: MAX (default), AVE or STOCHASTIC, as Pooling has them
    Example  bottom: "x" top: "y" spp_param { pyramid_height: 3 }

    Level l pools with kernel ceil(size / 2^l), stride the kernel and pad (kernel 2^l - size + 1) / 2, sizes as in
    Pooling. He et al., ECCV 2014.
    """

    type = "SPP"
    reads = frozenset()

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.spp_param
        self.height: int = self.own.pyramid_height
        if not 1 <= self.height <= 31:
            raise self.error("pyramid_height must be 1 to 31", "spp_param", "pyramid_height")
        self.method: int = self.own.pool
        self.draws = context.phase == TRAIN
        self.streams = [Stream(context.seed, f"{self.name}/pooling/{level}") for level in range(self.height)]

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if len(bottom[0]) != 4 or not min(bottom[0][2:]):
            raise self.shape_error("a bottom of 4 axes whose planes are not empty", bottom)
        n, c = bottom[0][:2]
        outs = [out for _, out in self.levels(bottom[0])]
        return [(n, c, *outs[0])] if self.height == 1 else [(n, sum(c * count(out) for out in outs))]

    def levels(self, bottom: Shape) -> Iterator[tuple[Window, Shape]]:
        """The window and the output size of every level, checked."""
        size = bottom[2:]
        for level in range(self.height):
            bins = 1 << level
            kernel = tuple(-(-n // bins) for n in size)
            pad = tuple((k * bins - n + 1) // 2 for k, n in zip(kernel, size, strict=True))
            if any(p >= k for p, k in zip(pad, kernel, strict=True)):
                text = f"planes of {shape_text(size)} are too small for the {bins} bins a side of level {level}"
                hint = f"a pad of {shape_text(pad)} would hold whole windows of {shape_text(kernel)}"
                raise self.error(text, "spp_param", "pyramid_height", hint=hint)
            if any(pad) and self.method == SPPParameter.STOCHASTIC:
                text = f"level {level} pads planes of {shape_text(size)}: that is for MAX and AVE, not for STOCHASTIC"
                raise self.error(text, "spp_param", "pool")
            window = Window(kernel, kernel, pad, (1, 1))
            out = window.ceil_size(size)
            if not window.counts_in_32_bits(size, out):
                raise self.shape_error("planes whose elements are counted in 32 bits", [bottom])
            yield window, out


class _Pyramid(Implementation[SPP]):
    """The base for both devices: a pool for each level. Buffers of level l have names that begin with "l/"."""

    device: ClassVar[str]

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        layer, (n, c, *size) = self.layer, shapes.x[0]
        self.planes, self.items, backward = n * c, n, wanted.bottoms[0]
        self.pools, self.outs, buffers = [], [], dict[str, Buffer]()
        for level, (window, out) in enumerate(layer.levels(shapes.x[0])):
            stream = layer.streams[level]
            pool = Pool(
                self.device, layer.method, window, self.planes, tuple(size), out,
                places=backward, stream=stream, draw=layer.draws,
            )  # fmt: skip
            self.pools.append(pool)
            self.outs.append(out)
            buffers |= {f"{level}/{name}": buffer for name, buffer in pool.buffers(backward=backward).items()}
            if layer.height > 1:
                buffers[f"{level}/bins"] = Buffer((self.planes, *out))
        self.widths = [c * count(out) for out in self.outs]
        if backward and layer.height > 1:
            buffers["share"] = Buffer((self.planes, *size))
        return buffers

    def forward(self, io: Arrays) -> None:
        x, bins = self._flat(io.x[0]), self._bins(io, io.y[0])
        for level, (pool, target) in enumerate(zip(self.pools, bins, strict=True)):
            pool.forward(x, target, None, io.passes, self._work(io, level))
        if len(bins) > 1:
            self.join([b.reshape(self.items, w) for b, w in zip(bins, self.widths, strict=True)], io.y[0])

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dx, bins = self._flat(io.dx[0]), self._bins(io, io.dy[0])
        if len(bins) > 1:
            self.part(io.dy[0], [b.reshape(self.items, w) for b, w in zip(bins, self.widths, strict=True)])
        for level, (pool, source) in enumerate(zip(self.pools, bins, strict=True)):
            pool.backward(source, io.work["share"] if level else dx, self._work(io, level))
            if level:
                self.add(dx, io.work["share"])

    def join(self, pieces: Sequence[Array], whole: Array) -> None:
        raise NotImplementedError

    def part(self, whole: Array, pieces: Sequence[Array]) -> None:
        raise NotImplementedError

    def add(self, total: Array, share: Array) -> None:
        raise NotImplementedError

    def _flat(self, blob: Array) -> Array:
        return blob.reshape(self.planes, *blob.shape[2:])

    def _bins(self, io: Arrays, top: Array) -> list[Array]:
        """Where every level's bins lie: in the top itself when there is one level."""
        if len(self.pools) == 1:
            return [self._flat(top)]
        return [io.work[f"{level}/bins"] for level in range(len(self.pools))]

    def _work(self, io: Arrays, level: int) -> dict[str, Array]:
        own = f"{level}/"
        return {name.removeprefix(own): array for name, array in io.work.items() if name.startswith(own)}


@SPP.runs_on("cpu")
class _CPU(_Pyramid):
    device = "cpu"

    def join(self, pieces: Sequence[Array], whole: Array) -> None:
        join(pieces, whole, 1)

    def part(self, whole: Array, pieces: Sequence[Array]) -> None:
        part(whole, pieces, self.widths, 1)

    def add(self, total: Array, share: Array) -> None:
        np.add(total, share, out=total)


@SPP.runs_on("cuda")
class _CUDA(_Pyramid):
    device = "cuda"

    def join(self, pieces: Sequence[Array], whole: Array) -> None:
        join_cuda(pieces, whole, 1)

    def part(self, whole: Array, pieces: Sequence[Array]) -> None:
        part_cuda(whole, pieces, self.widths, 1)

    def add(self, total: Array, share: Array) -> None:
        weighted_sum_cuda([total, share], [1.0, 1.0], total)
