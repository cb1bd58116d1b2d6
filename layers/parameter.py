"""Parameter: a learned blob as a top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew import cuda
from brew.layer import Arrays, Context, Implementation, Layer, Param, Shape, exactly
from brew.layer.registry import register_layer
from brew.ops.weighted_sum import weighted_sum_cuda
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Parameter(Layer):
    """Gives out a learned blob, which begins as zeros.

    Top      y   (parameter_param.shape)
    Param    parameter_param.shape; without one y is a scalar
    Blob     y
    Example  top: "w" parameter_param { shape { dim: 3 } }

    The gradient of the top is added to the blob's, as with every learned blob (Caffe overwrites it, which loses all
    passes of iter_size but the last).
    """

    type = "Parameter"
    bottoms = exactly(0)
    reads = frozenset()

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.shape: Shape = tuple(param.parameter_param.shape.dim)
        if any(n < 0 for n in self.shape):
            raise self.error(f"a shape with a negative size, {list(self.shape)}", "parameter_param", "shape")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [self.shape]

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        return [Param(self.shape)]


@Parameter.runs_on("cpu")
class _CPU(Implementation[Parameter]):
    def forward(self, io: Arrays) -> None:
        np.copyto(io.y[0], io.w[0])

    def backward(self, io: Arrays) -> None:
        if (dw := io.dw[0]) is not None:
            np.add(dw, io.dy[0], out=dw)


@Parameter.runs_on("cuda")
class _CUDA(Implementation[Parameter]):
    def forward(self, io: Arrays) -> None:
        cuda.copy(io.y[0], io.w[0])

    def backward(self, io: Arrays) -> None:
        if (dw := io.dw[0]) is not None:
            weighted_sum_cuda([dw, io.dy[0]], [1.0, 1.0], dw)
