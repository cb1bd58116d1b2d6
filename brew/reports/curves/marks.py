"""What a chart is made of, in pixels from its upper left corner; `svg` and `png` write it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Point: TypeAlias = tuple[float, float]
Colour: TypeAlias = int | Literal["paper", "ink", "faint", "grid"]

# On white paper, and on a dark one. The curves' colours are Okabe and Ito's (2008), which the colour-blind can tell
# apart, without the yellow that white paper hides; dark paper gets lighter ones of the same hue.
LIGHT = {"paper": "#ffffff", "ink": "#212529", "faint": "#5c636a", "grid": "#e9ecef"}
DARK = {"paper": "#16191d", "ink": "#e9ecef", "faint": "#9aa3ab", "grid": "#2b3035"}
LIGHT_CURVES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6f6f6f")
DARK_CURVES = ("#4ba3dc", "#f0803c", "#2fc195", "#dd9bbf", "#f2b632", "#86caf2", "#a8a8a8")


@dataclass(frozen=True, slots=True)
class Line:
    """A line through `points`; `dash` has lengths of dashes and gaps in turns."""

    points: list[Point]
    colour: Colour
    width: float = 1.0
    opacity: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    at: Point
    radius: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Text:
    """A text at the left end, the middle or the right end of its base line, which `at` is."""

    at: Point
    text: str
    size: float = 11.0
    colour: Colour = "faint"
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


Mark: TypeAlias = Line | Dot | Text


@dataclass(slots=True)
class Chart:
    """A drawing of `width` x `height`, its marks from the lowest to the topmost."""

    width: float
    height: float
    title: str = ""
    marks: list[Mark] = field(default_factory=list)


def light(colour: Colour) -> str:
    """The colour on white paper, as #rrggbb."""
    return LIGHT_CURVES[colour % len(LIGHT_CURVES)] if isinstance(colour, int) else LIGHT[colour]
