"""Checks of a layer in the graph. Each raises, or yields, an error that names the layer and its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from brew.errors import NetError
from brew.layer import Layer, Shape, shape_text, sizes
from brew.proto.brew_pb2 import LayerParameter

if TYPE_CHECKING:
    from .graph import Node


def check_counts(layer: Layer, param: LayerParameter) -> None:
    """The number of bottoms and tops."""
    for what, names, arity in (("bottom", param.bottom, layer.bottoms), ("top", param.top, layer.tops)):
        missing_loss = what == "top" and layer.is_loss and not names
        if not arity.admits(len(names)) and not missing_loss:
            raise layer.error(
                f"takes {arity} {what}{'s' * (str(arity) != 'exactly 1')}, {len(names)} given",
                what, hint=f"brew layers {param.type} tells what each of them is",
            )  # fmt: skip


def check_shapes(layer: Layer, shapes: Sequence[Shape], what: str = "top") -> None:
    """No top, or parameter, of a shape that no blob can have (brew.layer.sizes)."""
    for t, shape in enumerate(shapes):
        if fault := sizes.fault(shape):
            text = shape_text(shape) if len(shape) <= sizes.MAX_AXES else f"{shape_text(shape[:4])} x ..."
            raise layer.error(f"{what} {t} would have the shape {text}: {fault}")


def loss_weights(layer: Layer, tops: int) -> list[float]:
    """The weight of every top in the loss."""
    given = list(layer.param.loss_weight)
    if given and len(given) != tops:
        what = f"loss_weight is given {len(given)} times for {tops} tops"
        raise layer.error(what, "loss_weight", hint="one loss_weight for each top, or none")
    return given or [1.0 if layer.is_loss and t == 0 else 0.0 for t in range(tops)]


def gradient_errors(layer: Layer, bottom_gradients: Sequence[bool]) -> Iterator[NetError]:
    """An error for every bottom that is to get a gradient and cannot have one."""
    for i, wanted in enumerate(bottom_gradients):
        if wanted and i in layer.no_gradient:
            yield layer.error(
                f'cannot give a gradient to bottom {i} ("{_bottoms(layer)[i]}")', "bottom", i,
                hint="something learned stands below it; propagate_down: false for this bottom stops the gradient",
            )  # fmt: skip


def made_twice(layer: Layer, top: int, since: Sequence[Node]) -> NetError:
    """The error for a top with the name of another layer's top; `since` are the layers from that one on."""
    name = layer.param.top[top]
    if name not in _bottoms(layer)[top : top + 1]:
        return layer.error(
            f'top "{name}" is already made by layer "{since[0].layer.name}"', "top", top,
            hint="only a layer whose bottom has the same name may write it again, in place",
        )  # fmt: skip
    others = [n.layer for n in since[1:] if not n.layer.is_split and name not in n.layer.param.top]
    readers = [other.name for other in others if name in _bottoms(other)]
    who = f'layer "{readers[0]}" reads it too' if readers else "it is read, or counts in the loss, elsewhere too"
    return layer.error(
        f'cannot write "{name}" in place: {who}, so that each reads a copy of its own', "top", top,
        hint='give this top a name of its own, and let the layers below read that'
        + (f'; or move this layer above "{readers[0]}", which then reads what it writes' if readers else ""),
    )  # fmt: skip


def _bottoms(layer: Layer) -> Sequence[str]:
    """The names of a layer's bottoms in its file."""
    return layer.context.bottoms or layer.param.bottom
