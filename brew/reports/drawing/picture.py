"""The picture of a net: where its cards, links and words lie. `svg` and `png` write it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from brew.proto.brew_pb2 import LayerParameter

from .cards import Card, cards_of
from .columns import GUTTER, Column, fold
from .repeats import Repeat
from .repeats import folded as without_copies
from .rows import Point, Rows, place

TITLE, DETAIL = 13.0, 10.5  # heights of letters
_LINE = 1.45  # from line to line, in heights of letters
_PAGE = 1.5  # width by height
_MARGIN, _ROUND, _AROUND = 34.0, 9.0, 9.0  # of the page; of corners; within cards
_FRAME = 11.0  # around the cards of a block that is drawn once
_TURN = 20.0  # how far beyond a column's ends a link turns to the next
_NARROW, _WIDE = frozenset("fijlrtI.,:;|'!()[]{} /"), frozenset("mwMW@%")


@dataclass(frozen=True, slots=True)
class Placed:
    """A card on the page: its upper left corner and its size."""

    card: Card
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A link: its first point, and cubic Bezier pieces of two control points and an end."""

    start: Point
    pieces: list[tuple[Point, Point, Point]]
    arrow: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A box behind cards that stand for several copies of themselves, and what is written above it."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(slots=True)
class Picture:
    """All of it, in pixels of a page of `width` x `height`."""

    width: float
    height: float
    cards: list[Placed] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    words: list[tuple[Point, str]] = field(default_factory=list)  # middle of the text
    frames: list[Frame] = field(default_factory=list)


def draw(
    layers: Iterable[LayerParameter],
    *,
    direction: str = "LR",
    rates: bool = False,
    folded: bool = True,
    repeats: bool = False,
) -> Picture:
    """The picture of these layers; `direction` is TB, BT, LR or RL, as Graphviz has it.

    A long net is folded into columns (rows where it goes sideways), unless `folded` is false. `rates` writes the
    learning rate multipliers on the cards. With `repeats`, blocks of layers that follow one another unchanged are drawn
    once, in a frame that says how often.
    """
    flows_down = direction in ("TB", "BT")
    cards, links = cards_of(layers, rates=rates)
    blocks: list[Repeat] = []
    if repeats:
        cards, links, blocks = without_copies(cards, links)
    if folded:
        sizes = [_size(card, flows_down) for card in cards]
        columns = fold(cards, links, sizes, _PAGE if flows_down else 1 / _PAGE, [block.cards for block in blocks])
    else:
        columns = [Column(cards, links)]
    picture = _Page(flows_down, direction in ("BT", "RL")).filled(columns)
    for block in blocks:
        _frame(picture, block, {id(cards[number]) for number in block.cards})
    return picture


def _frame(picture: Picture, block: Repeat, cards: set[int]) -> None:
    """Put a frame around the cards, or where it would hold others, too, the number of copies above each of them."""
    inside = [placed for placed in picture.cards if id(placed.card) in cards]
    left, top = (min(getattr(placed, axis) for placed in inside) - _FRAME for axis in ("x", "y"))
    right = max(placed.x + placed.width for placed in inside) + _FRAME
    bottom = max(placed.y + placed.height for placed in inside) + _FRAME
    times = f"x {block.count}"
    strange = [
        placed for placed in picture.cards
        if id(placed.card) not in cards and placed.x < right and placed.x + placed.width > left
        and placed.y < bottom and placed.y + placed.height > top
    ]  # fmt: skip
    if strange:
        picture.words += [((placed.x + placed.width / 2, placed.y - 6), times) for placed in inside]
        return
    text = f"{times}, to {block.last}"
    fits = text_width(text, TITLE) <= right - left
    picture.frames.append(Frame(left, top, right - left, bottom - top, text if fits else times))


def text_width(text: str, size: float) -> float:
    """How wide `text` is in a usual sans serif of this size; nearly."""
    ems = sum(0.3 if c in _NARROW else 0.88 if c in _WIDE else 0.68 if c.isupper() else 0.56 for c in text)
    return ems * size


def lines_of(card: Card) -> list[tuple[str, float]]:
    """The lines on a card with their heights of letters: the layer's name and what it does; one for each in place."""
    if not card.parts:
        return []
    first, *rest = card.parts
    lines = [(first.title, DETAIL if card.small else TITLE), (first.detail, DETAIL)]
    return [(text, size) for text, size in lines if text] + [
        (part.title if part.title == part.detail else f"{part.detail}   {part.title}", DETAIL) for part in rest
    ]


def _size(card: Card, flows_down: bool) -> Point:
    """Across and along."""
    lines = lines_of(card)
    if not lines:
        return 0.0, 0.0
    width = max(text_width(text, size) for text, size in lines) + 2 * _AROUND
    height = sum(size * _LINE for _, size in lines) + (2 if card.small else _AROUND)
    return (width, height) if flows_down else (height, width)


@dataclass(frozen=True, slots=True)
class Strip:
    """A line of text on a card and the ground beneath it; `kind` is empty where the ground is the card's own."""

    text: str
    size: float
    bold: bool
    kind: str
    top: float
    height: float
    baseline: float


def strips_of(placed: Placed) -> list[Strip]:
    """The lines on a card from top to bottom."""
    parts = placed.card.parts
    lines = lines_of(placed.card)
    first = len(lines) - (len(parts) - 1)
    around = (placed.height - sum(size * _LINE for _, size in lines)) / 2
    y, strips = placed.y + around, []
    for number, (text, size) in enumerate(lines):
        height = size * _LINE
        kind = parts[number - first + 1].kind if number >= first else ""
        bold = number == 0 and not placed.card.small
        strips.append(Strip(text, size, bold, kind, y, height, y + height / 2 + size * 0.36))
        y += height
    return strips


class _Page:
    """Puts columns side by side. Places are (across, along) until `_at` makes them (x, y)."""

    def __init__(self, flows_down: bool, backwards: bool) -> None:
        self.flows_down, self.backwards = flows_down, backwards
        self.picture = Picture(0, 0)
        self.length = 0.0

    def filled(self, columns: Sequence[Column]) -> Picture:
        rows = [self._rows(column) for column in columns]
        self.length = max((found.length for found in rows), default=0.0) + 2 * _MARGIN
        beside, exit = _MARGIN, None
        for column, found in zip(columns, rows, strict=True):
            found = found.moved(beside, _MARGIN)
            self._fill(column, found)
            if exit is not None and column.entry is not None:
                self._go_on(exit, found.middles[column.entry], beside - GUTTER / 2)
            exit = None if column.exit is None else (found.middles[column.exit], found.length)
            beside = found.breadth + GUTTER
        across = beside - GUTTER + _MARGIN
        picture = self.picture
        picture.width, picture.height = (across, self.length) if self.flows_down else (self.length, across)
        return picture

    def _rows(self, column: Column) -> Rows:
        sizes = [_size(card, self.flows_down) for card in column.cards]
        return place(sizes, [(link.source, link.target) for link in column.links], column.ranks())

    def _fill(self, column: Column, found: Rows) -> None:
        for link, route in zip(column.links, found.routes, strict=True):
            middles = [(b[1] + a[1]) / 2 for a, b in pairwise(route)]
            bends = zip(route, middles, route[1:], strict=False)
            pieces = [((a[0], middle), (b[0], middle), b) for a, middle, b in bends]
            self._curve(route[0], pieces, arrow=link.target != column.exit)
            if link.label:
                self.picture.words.append((self._at(((route[-2][0] + route[-1][0]) / 2, middles[-1])), link.label))
        for card, (across, along) in zip(column.cards, found.middles, strict=True):
            if card.parts:
                self._card(card, (across, along))

    def _card(self, card: Card, middle: Point) -> None:
        (x, y), (across, along) = self._at(middle), _size(card, self.flows_down)
        width, height = (across, along) if self.flows_down else (along, across)
        self.picture.cards.append(Placed(card, x - width / 2, y - height / 2, width, height))

    def _go_on(self, exit: tuple[Point, float], entry: Point, gutter: float) -> None:
        """From a column's exit, and where it ends, around to the entry of the next."""
        (across, along), end = exit
        below, above = end + _TURN, _MARGIN - _TURN
        corners = [(across, below), (gutter, below), (gutter, above), (entry[0], above)]
        pieces: list[tuple[Point, Point, Point]] = []
        here = (across, along)
        for corner, after in zip(corners, [*corners[1:], entry], strict=True):
            near, far = _towards(corner, here), _towards(corner, after)
            pieces += [(near, near, near), (corner, corner, far)]
            here = corner
        self._curve((across, along), [*pieces, (entry, entry, entry)], arrow=False)

    def _curve(self, start: Point, pieces: list[tuple[Point, Point, Point]], *, arrow: bool) -> None:
        placed = [(self._at(a), self._at(b), self._at(c)) for a, b, c in pieces]
        self.picture.curves.append(Curve(self._at(start), placed, arrow))

    def _at(self, point: Point) -> Point:
        across, along = point
        along = self.length - along if self.backwards else along
        return (across, along) if self.flows_down else (along, across)


def _towards(corner: Point, other: Point) -> Point:
    """Where a rounded corner begins on the way to `other`."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    share = min(_ROUND / max(abs(dx) + abs(dy), 1e-9), 0.5)
    return corner[0] + dx * share, corner[1] + dy * share
