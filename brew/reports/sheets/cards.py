"""What a contact sheet shows: a card for each record, with one frame or several, and words below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .colours import IGNORED, RGB, class_colour

Rectangle: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom, as shares of the picture


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a picture, with the words of its class."""

    at: Rectangle
    label: int
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture (height, width, 3) of RGB and the boxes on it."""

    pixels: RGB
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """A record: how it is stored, then as a net gets it, perhaps several times.

    title   the name of its class, "" where it has none; label its number
    key, facts   the lines below: what it is called, and its shape and size
    size    bytes that it takes
    """

    frames: Sequence[Frame]
    title: str
    label: int | None
    key: str
    facts: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """Cards with a heading; `notes` are lines below it, `legend` the classes of masks and boxes by number."""

    title: str
    notes: Sequence[str]
    cards: Sequence[Card]
    legend: Sequence[tuple[int, str]] = ()
    names: Sequence[str] = field(default=())

    @property
    def frames(self) -> int:
        """Frames of a card, the most of them."""
        return max((len(card.frames) for card in self.cards), default=1)


def legend_colour(label: int) -> str:
    """The colour of a class in masks."""
    return "#f5f5f5" if label == IGNORED else class_colour(label)
