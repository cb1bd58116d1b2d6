"""The operand of Scale and Bias: a parameter or a second bottom, laid over some axes of the first bottom."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Layer, Shape, shape_text

from .fold import Fold, fold


def operand_shape(layer: Layer, field: str, bottom: Sequence[Shape], axis: int, num_axes: int) -> Shape:
    """The shape of the operand: the second bottom's, or that of the axes of the first which the file names.

    `num_axes` -1 is all axes from `axis` on, 0 a scalar. `field` names the layer's message, for errors.
    """
    start = layer.axis(axis, len(bottom[0]), field, "axis")
    if len(bottom) == 2:
        return bottom[1]
    if num_axes < -1:
        raise layer.error(f"num_axes must be -1 or more, got {num_axes}", field, "num_axes")
    stop = len(bottom[0]) if num_axes == -1 else start + num_axes
    if stop > len(bottom[0]):
        message = f"num_axes {num_axes} from axis {start} is beyond the bottom's {len(bottom[0])} axes"
        raise layer.error(message, field, "num_axes")
    return bottom[0][start:stop]


def operand_fold(layer: Layer, field: str, bottom: Sequence[Shape], axis: int, operand: Shape) -> Fold:
    """The first bottom folded around the axes that `operand` covers; an error where their sizes differ."""
    start = layer.axis(axis, len(bottom[0]), field, "axis") if operand else 0
    stop = start + len(operand)
    if bottom[0][start:stop] != operand:
        covered = f"a second bottom whose shape is that of axes {start} to {stop - 1} of the first"
        raise layer.shape_error(f"{covered}, not {shape_text(operand)}", bottom, field, "axis")
    return fold(bottom[0], start, stop)
