"""Input: blobs that the caller fills."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Arrays, Context, Implementation, Layer, Shape, at_least, exactly
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Input(Layer):
    """Tops whose content comes from outside, before each forward.

    Tops     any number (of the shapes given)
    Param    input_param.shape: one for all tops, one per top, or none; without one a top is empty until it is reshaped
    Example  top: "data" input_param { shape { dim: 1 dim: 3 dim: 227 dim: 227 } }
    """

    type = "Input"
    bottoms = exactly(0)
    tops = at_least(1)
    reads = frozenset()
    batch_in_message = True
    is_filled = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        given, wanted = len(param.input_param.shape), len(param.top)
        if given not in (0, 1, wanted):
            raise self.error(f"{given} shapes for {wanted} tops: none, one, or one per top", "input_param", "shape")
        for i, shape in enumerate(param.input_param.shape):
            if any(n < 0 for n in shape.dim):
                raise self.error(f"a shape with a negative size, {list(shape.dim)}", "input_param", "shape", i)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        shapes: list[Shape] = [tuple(shape.dim) for shape in self.param.input_param.shape] or [(0,)]
        return shapes * len(self.param.top) if len(shapes) == 1 else shapes


@Input.runs_on("cpu")
@Input.runs_on("cuda")
class _Untouched(Implementation[Input]):
    def forward(self, io: Arrays) -> None:
        """Nothing: the tops hold what the caller put there."""
