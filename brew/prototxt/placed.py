"""The layers of a net's message, each with its place in the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from brew.errors import Place
from brew.proto.brew_pb2 import LayerParameter, NetParameter

from .document import Document


@dataclass(frozen=True, slots=True)
class PlacedLayer:
    """A layer's message and where it stands: `place("pooling_param", "pad")` -> Place.

    `bottoms` are the names of its bottoms as its file has them, where Splits have given them others.
    """

    param: LayerParameter
    place: Callable[..., Place | None]
    bottoms: tuple[str, ...] = ()


def placed_layers(
    net: NetParameter, document: Document[Any] | None, prefix: Sequence[str | int] = ()
) -> list[PlacedLayer]:
    """The layers of `net`, which is `document`'s message or the message at `prefix` within it."""
    if document is None:
        return [PlacedLayer(layer, _nowhere) for layer in net.layer]
    return [PlacedLayer(layer, partial(document.place, *prefix, "layer", i)) for i, layer in enumerate(net.layer)]


def _nowhere(*path: str | int) -> None:
    """The place of a message that came from no file."""
