"""Pooling of planes by any method on either device: x (planes, H, W), y (planes, out H, out W)."""

from __future__ import annotations

from typing import TypeAlias

from brew.layer import Array, Buffer, Shape
from brew.layer.random import Stream
from brew.proto.brew_pb2 import PoolingParameter

from .average_pool import AveragePool, AveragePoolCUDA
from .max_pool import MaxPool, MaxPoolCUDA
from .stochastic_pool import StochasticPool, StochasticPoolCUDA
from .window import Window

_Method: TypeAlias = MaxPool | MaxPoolCUDA | AveragePool | AveragePoolCUDA | StochasticPool | StochasticPoolCUDA


class Pool:
    """`method` is a PoolingParameter.PoolMethod. With `draw`, STOCHASTIC draws from `stream`; else it takes the mean.

    `places` says whether the places of maxima are wanted, for a gradient or a mask.
    """

    def __init__(
        self,
        device: str,
        method: int,
        window: Window,
        planes: int,
        size: Shape,
        out: Shape,
        *,
        places: bool,
        stream: Stream,
        draw: bool,
    ) -> None:
        sizes, cuda = (window, planes, size, out), device == "cuda"
        self.method: _Method
        if method == PoolingParameter.MAX:
            self.method = (MaxPoolCUDA if cuda else MaxPool)(*sizes, places=places)
        elif method == PoolingParameter.AVE:
            self.method = (AveragePoolCUDA if cuda else AveragePool)(*sizes)
        else:
            self.method = (StochasticPoolCUDA if cuda else StochasticPool)(*sizes, stream, draw=draw)

    def buffers(self, *, backward: bool) -> dict[str, Buffer]:
        return self.method.buffers(backward=backward)

    def forward(self, x: Array, y: Array, mask: Array | None, passes: Array, work: dict[str, Array]) -> None:
        """Fill y, and for maxima `mask` with their places."""
        if isinstance(self.method, MaxPool | MaxPoolCUDA):
            self.method.forward(x, y, mask, work)
        elif isinstance(self.method, AveragePool | AveragePoolCUDA):
            self.method.forward(x, y, work)
        else:
            self.method.forward(x, y, passes, work)

    def backward(self, dy: Array, dx: Array, work: dict[str, Array]) -> None:
        """Write dx."""
        self.method.backward(dy, dx, work)
