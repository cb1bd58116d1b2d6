"""Silence: takes blobs that no other layer reads, so that they are no outputs of the net."""

from __future__ import annotations

from collections.abc import Sequence

from brew import cuda
from brew.layer import Arrays, Implementation, Layer, Shape, at_least, exactly
from brew.layer.registry import register_layer


@register_layer
class Silence(Layer):
    """Computes nothing; the gradients of its bottoms are zero.

    Bottoms  any number, of any shapes
    Tops     none
    Example  bottom: "x"
    """

    type = "Silence"
    bottoms = at_least(1)
    tops = exactly(0)
    reads = frozenset()
    for_training = True

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return []


@Silence.runs_on("cpu")
class _CPU(Implementation[Silence]):
    def forward(self, io: Arrays) -> None:
        pass

    def backward(self, io: Arrays) -> None:
        for dx in io.dx:
            if dx is not None:
                dx.fill(0)


@Silence.runs_on("cuda")
class _CUDA(Implementation[Silence]):
    def forward(self, io: Arrays) -> None:
        pass

    def backward(self, io: Arrays) -> None:
        for dx in io.dx:
            if dx is not None:
                cuda.zero(dx)
