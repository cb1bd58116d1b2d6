"""Batch normalisation with the batch's own statistics, a scale and a shift for each channel and a ReLU behind it, on
blobs in blocks of channels.

Memory bounds it. Forward reads the bottom twice and writes the top, backward reads both blobs twice and writes a
gradient: the mask of the ReLU is worked out anew. A variance is summed around the means of chunks, so that it loses
nothing where the mean is far from 0. Results are the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from brew.cpu.llvm.compiler import function
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import batch_norm_code as code
from .blocked import Blocked, streams, width
from .filter_bank import Call

_CHUNK = 512  # pixels: their vectors stay in the first cache
_CACHED = 4 << 20  # bytes of a blob; two of them stay in the last cache, and leave room for others


@dataclass(frozen=True)
class State:
    """The values that forward keeps for backward: `mean` and `variance` have whole blocks of channels."""

    mean: Array
    variance: Array
    factors: Array


@dataclass(frozen=True)
class BatchNorm:
    """y = relu(scale * (x - mean) / sqrt(variance + eps) + shift) over blobs as `blob`; each may be left out."""

    blob: Blocked
    eps: float
    relu: bool

    @property
    def chunks(self) -> int:
        """Of an image and block."""
        return -(-self.blob.height * self.blob.width // _CHUNK)

    @property
    def _at_once(self) -> int:
        """Blocks of channels whose pixels stay in the cache from the first time they are read to the second."""
        return max(1, min(_CACHED // (self.blob.plane * self.blob.images), self.blob.blocks))

    @property
    def whole(self) -> int:
        """Channels in whole blocks."""
        return self.blob.blocks * width()

    @property
    def factors(self) -> int:
        """Float32 of `State.factors`."""
        return code.FACTORS * self.whole

    @property
    def scratch(self) -> int:
        """Float32 that either pass needs."""
        return 2 * self.blob.images * self._at_once * self.chunks * width()

    @cached_property
    def _numbers(self) -> Array:
        pixels = self.blob.height * self.blob.width
        whole, last = min(_CHUNK, pixels), pixels - (self.chunks - 1) * _CHUNK
        counts = np.array([whole, last, pixels * self.blob.images], np.float64)
        return np.array([*counts, *(1 / counts), self.eps], np.float32)

    def _how(
        self, scale: Array | None, shift: Array | None, target: Array, source: Array
    ) -> tuple[code.Norm, code.Norm]:
        """The code that only reads pixels, and that which writes `target` from `source`."""
        plain = code.Norm(scale is not None, shift is not None, self.relu)
        past = streams(target) and target.ctypes.data != source.ctypes.data
        return plain, replace(plain, streams=past)

    def _tables(self, x: Array, state: State, scratch: Array, **others: Array | None) -> Iterator[Table]:
        """One for each set of blocks that are taken at once."""
        slots, vector = self.blob.slots(x, 0), width() * 4
        arrays = {"x": x, "mean": state.mean, "variance": state.variance, "factors": state.factors, **others}
        steps = dict.fromkeys(("x", "y", "dy", "dx"), slots["block"]) | {"factors": code.FACTORS * vector}
        for first in range(0, self.blob.blocks, self._at_once):
            blocks = min(self._at_once, self.blob.blocks - first)
            addresses = {
                name: 0 if array is None else array.ctypes.data + first * steps.get(name, vector)
                for name, array in arrays.items()
            }
            yield code.SLOTS.table({
                **dict.fromkeys(("y", "dy", "dx", "scale", "shift", "d_scale", "d_shift"), 0), **addresses,
                "image": slots["image"], "block": slots["block"], "chunk": _CHUNK * vector, "blocks": blocks,
                "chunks": self.chunks, "units": self.blob.images * blocks * self.chunks,
                "partial": scratch.ctypes.data, "numbers": self._numbers.ctypes.data,
                "channels": self.blob.channels - first * width(),
            })  # fmt: skip

    def forward(
        self, x: Array, y: Array, scale: Array | None, shift: Array | None, state: State, scratch: Array
    ) -> list[Call]:
        """The calls that make statistics, factors and y."""
        tables = self._tables(x, state, scratch, y=y, scale=scale, shift=shift)
        keep = (self, x, y, scale, shift, state, scratch)
        plain, how = self._how(scale, shift, y, x)
        functions = (
            function("norm statistics", code.write_statistics),
            function(f"norm joined {plain}", partial(code.write_joined, how=plain)),
            function(f"norm {how}", partial(code.write_normalised, how=how)),
        )
        return [bound(each, table, keep) for table in tables for each in functions]

    def backward(
        self, x: Array, dy: Array, dx: Array, state: State, d_scale: Array, d_shift: Array, scratch: Array
    ) -> list[Call]:
        """The calls; the gradients of scale and shift are written, in whole blocks. `dx` may be `dy` itself."""
        tables = self._tables(x, state, scratch, dy=dy, dx=dx, d_scale=d_scale, d_shift=d_shift)
        keep = (self, x, dy, dx, state, d_scale, d_shift, scratch)
        plain, how = self._how(None, None, dx, dy)
        functions = (
            function(f"norm reduced {plain}", partial(code.write_reduced, how=plain)),
            function("norm joined back", code.write_joined_back),
            function(f"norm gradient {how}", partial(code.write_gradient, how=how)),
        )
        return [bound(each, table, keep) for table in tables for each in functions]
