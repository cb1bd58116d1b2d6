"""Where everything of a contact sheet lies: cards in a grid, as many columns as a page is wide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .cards import Box, Card, Frame, Sheet

PAGE = 1120  # the width that a page is filled up to
MARGIN, GAP, PAD = 24, 12, 8
BETWEEN, BEHIND = 4, 10  # between frames; behind the first of several, which is as it is stored
HEADING, SMALL, TEXT = 20, 11, 13  # sizes of letters
LINE = 16
LETTER = 0.53  # width of a letter, as a share of its size
SMALLEST, SMALL_SIDE, LARGE_SIDE, DETAILED = 96, 128, 176, 256  # sides of frames, by what they show
_WHOLE = 2.5  # from which on pictures grow by whole numbers, and pixels are seen
_FEW_PIXELS = 64  # of a side, up to which a picture needs no large frame


@dataclass(frozen=True, slots=True)
class Spot:
    """A card's upper left corner."""

    x: float
    y: float
    card: Card


@dataclass(frozen=True, slots=True)
class Layout:
    """A sheet's geometry; a frame is `side` wide and `high`, as its highest picture, which are centred in it."""

    sheet: Sheet
    side: int
    high: int
    columns: int

    @classmethod
    def of(cls, sheet: Sheet, *, side: int | None = None, columns: int | None = None) -> Layout:
        """A `side` that suits what is shown, and as many `columns` as fill a page, unless they are given."""
        side = side or suitable(sheet)
        high = max((fitted_size(side, card, frame)[1] for card in sheet.cards for frame in card.frames), default=side)
        made = cls(sheet, side, high, 1)
        fitting = int((PAGE - 2 * MARGIN + GAP) // (made.card_width + GAP))
        return cls(sheet, side, high, max(1, min(columns or fitting, len(sheet.cards))))

    @property
    def card_width(self) -> int:
        return 2 * PAD + self.frame_x(self.sheet.frames - 1) + self.side

    @property
    def card_height(self) -> int:
        return 2 * PAD + self.high + 4 + 3 * LINE

    @property
    def width(self) -> int:
        grid = self.columns * (self.card_width + GAP) - GAP
        least = max((width_of(line, SMALL) for line in self.sheet.notes), default=0.0)
        least = min(max(least, width_of(self.sheet.title, HEADING)), PAGE - 2 * MARGIN)
        return round(2 * MARGIN + max(grid, least))

    @property
    def height(self) -> int:
        rows = -(-len(self.sheet.cards) // self.columns)
        return round(self.top + rows * (self.card_height + GAP) - GAP + MARGIN)

    @property
    def top(self) -> float:
        """Of the grid."""
        lines = len(self.sheet.notes) + (len(self.legend_rows()) if self.sheet.legend else 0)
        return MARGIN + HEADING + 6 + lines * LINE + GAP

    @property
    def letters(self) -> int:
        """Letters of size SMALL that go below a card's frames."""
        return int((self.card_width - 2 * PAD) / (SMALL * LETTER))

    @property
    def title_letters(self) -> int:
        return int((self.card_width - 2 * PAD - 14) / (TEXT * LETTER))

    def frame_x(self, number: int) -> int:
        """The left side of a frame within its card, from behind the pad."""
        return number * (self.side + BETWEEN) + (BEHIND if number else 0)

    def spots(self) -> Iterator[Spot]:
        for number, card in enumerate(self.sheet.cards):
            row, column = divmod(number, self.columns)
            yield Spot(MARGIN + column * (self.card_width + GAP), self.top + row * (self.card_height + GAP), card)

    def fitted(self, card: Card, frame: Frame) -> tuple[float, float, float, float]:
        """Where in a frame its picture lies: left, top, width, height."""
        wide, high = fitted_size(self.side, card, frame)
        return (self.side - wide) // 2, (self.high - high) // 2, wide, high

    def legend_rows(self) -> list[list[tuple[float, int, str]]]:
        """The legend in lines: (x, class, words)."""
        rows: list[list[tuple[float, int, str]]] = [[]]
        x = 0.0
        for label, words in self.sheet.legend:
            wide = 16 + width_of(words, SMALL) + 14
            if rows[-1] and x + wide > PAGE - 2 * MARGIN:
                rows.append([])
                x = 0.0
            rows[-1].append((x, label, words))
            x += wide
        return rows


def suitable(sheet: Sheet) -> int:
    """The side of frames: large for boxes and masks, small where there are many in a card."""
    pixels = max((max(frame.pixels.shape[:2]) for card in sheet.cards for frame in card.frames), default=0)
    if sheet.frames > 3:
        return SMALLEST if pixels <= _FEW_PIXELS else LARGE_SIDE
    if pixels <= _FEW_PIXELS:
        return SMALL_SIDE
    return DETAILED if sheet.legend else LARGE_SIDE


def fitted_size(side: int, card: Card, frame: Frame) -> tuple[int, int]:
    """(width, height) of a picture in a frame: all of a card grow alike, so that a crop looks smaller than the whole.

    Pictures of few pixels grow by a whole number.
    """
    scale = side / max(max(other.pixels.shape[:2]) for other in card.frames)
    scale = float(int(scale)) if scale >= _WHOLE else scale
    height, width = frame.pixels.shape[:2]
    return max(1, round(width * scale)), max(1, round(height * scale))


def width_of(text: str, size: float) -> float:
    """About how wide a text is."""
    return len(text) * size * LETTER


def cut(text: str, letters: int) -> str:
    """A text of at most so many letters: its middle gives way.

    >>> cut("00000012_class/file.png", 15), cut("short", 15)
    ('0000001…ile.png', 'short')
    """
    if len(text) <= letters:
        return text
    head = letters // 2
    return f"{text[:head]}…{text[len(text) - (letters - head - 1) :]}"


def on_frame(box: Box, place: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box's left, top, width and height in a frame whose picture lies at `place`, cut at its edges."""
    left, top, wide, high = place
    x0, y0, x1, y1 = (min(max(side, 0.0), 1.0) for side in box.at)
    return left + x0 * wide, top + y0 * high, max(x1 - x0, 0) * wide, max(y1 - y0, 0) * high
