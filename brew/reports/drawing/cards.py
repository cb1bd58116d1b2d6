"""The cards of a picture: one for each layer of a net and for what runs in place on its top, and the links between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from brew.plain_text import one_line
from brew.proto.brew_pb2 import LayerParameter

from .captions import detail, kind


@dataclass(frozen=True, slots=True)
class Part:
    """One layer on a card: its name, what it does, and its kind, which gives the colour."""

    title: str
    detail: str
    kind: str


@dataclass(slots=True)
class Card:
    """A layer and the layers that run in place on its top; `small` ones only name a blob that is made elsewhere."""

    parts: list[Part] = field(default_factory=list)
    small: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """`target` reads a blob that `source` makes (numbers of cards); `label` is its name where it is not the card's."""

    source: int
    target: int
    label: str = ""


def cards_of(layers: Iterable[LayerParameter], *, rates: bool = False) -> tuple[list[Card], list[Link]]:
    """Cards and links in the layers' order: every link leads to a later card.

    A blob that no layer makes, as an input of an old net, gets a card. `rates` adds the parameters' lr_mult.
    """
    cards: list[Card] = []
    links: list[Link] = []
    makers: dict[str, list[int]] = {}  # of each blob: several where layers of two phases make it
    for layer in layers:
        for bottom in layer.bottom:
            if bottom not in makers:
                makers[bottom] = [len(cards)]
                cards.append(Card([Part(one_line(bottom), "input", "data")]))
        part = Part(one_line(layer.name), detail(layer, rates=rates), kind(layer.type))
        if _in_place(layer) and len(makers[layer.bottom[0]]) == 1:
            cards[makers[layer.bottom[0]][0]].parts.append(part)
            continue
        number = len(cards)
        cards.append(Card([part]))
        links += _links(cards, layer.bottom, makers, number)
        for top in layer.top:
            others = [] if top in layer.bottom else makers.get(top, [])
            makers[top] = [*others, number]
    return cards, links


def _in_place(layer: LayerParameter) -> bool:
    return len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)


def _links(cards: Sequence[Card], bottoms: Iterable[str], makers: dict[str, list[int]], number: int) -> list[Link]:
    """To card `number` from the makers of its bottoms, one from each card."""
    found: dict[int, list[str]] = {}
    for bottom in bottoms:
        for maker in makers[bottom]:
            named = bottom in (cards[maker].parts[0].title, cards[maker].parts[-1].title)
            found.setdefault(maker, []).extend([] if named else [one_line(bottom)])
    return [Link(maker, number, ", ".join(dict.fromkeys(labels))) for maker, labels in found.items()]
