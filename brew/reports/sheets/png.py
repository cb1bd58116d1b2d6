"""A contact sheet as a PNG file, drawn by Pillow."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

from .cards import Card, Frame, Sheet, legend_colour
from .colours import CARD, EDGE, FAINT, GROUND, INK, PAPER, class_colour
from .encoding import scaled
from .layout import HEADING, LINE, MARGIN, PAD, SMALL, TEXT, Layout, cut, on_frame
from .marks import MARK

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_MOST = 80e6  # pixels of a file
_SHARPEST = 2  # pixels of the file for one of the layout


def png(sheet: Sheet, *, side: int | None = None, columns: int | None = None) -> bytes:
    """The bytes of the file: two pixels for one of the layout, fewer where it would have over eighty million."""
    from PIL import Image, ImageDraw, PngImagePlugin

    layout = Layout.of(sheet, side=side, columns=columns)
    scale = min(_SHARPEST, (_MOST / (layout.width * layout.height)) ** 0.5)
    canvas = Image.new("RGB", (round(layout.width * scale), round(layout.height * scale)), PAPER)
    _Pen(canvas, ImageDraw.Draw(canvas), layout, scale).draw()
    out = io.BytesIO()
    facts = PngImagePlugin.PngInfo()
    facts.add_text("Software", MARK)
    canvas.save(out, "PNG", optimize=True, pnginfo=facts)
    return out.getvalue()


class _Pen:
    def __init__(self, canvas: Image, pen: ImageDraw, layout: Layout, scale: float) -> None:
        self.canvas, self.pen, self.layout, self.scale = canvas, pen, layout, scale

    def draw(self) -> None:
        sheet = self.layout.sheet
        right = self.layout.width - MARGIN
        self._text(MARGIN, MARGIN + HEADING - 4, sheet.title, HEADING, INK, right=right, bold=True)
        y = MARGIN + HEADING + 6
        for note in sheet.notes:
            self._text(MARGIN, y + 11, note, SMALL, FAINT, right=right)
            y += LINE
        for row in self.layout.legend_rows() if sheet.legend else ():
            for x, label, words in row:
                self._square(MARGIN + x, y + 2, 10, legend_colour(label))
                self._text(MARGIN + x + 16, y + 11, words, SMALL, INK, right=right)
            y += LINE
        for spot in self.layout.spots():
            self._card(spot.x, spot.y, spot.card)

    def _card(self, x: float, y: float, card: Card) -> None:
        layout = self.layout
        self._box(x, y, layout.card_width, layout.card_height, 6, fill=CARD, outline=EDGE)
        for number, frame in enumerate(card.frames):
            self._frame(x + PAD + layout.frame_x(number), y + PAD, card, frame)
        line = y + PAD + layout.high + 4
        left = x + PAD
        if card.label is not None:
            self._dot(left, line + 3.5, 9, class_colour(card.label))
            left += 14
        right = x + layout.card_width - PAD
        self._text(left, line + 12, card.title, TEXT, INK, right=right, bold=True)
        self._text(x + PAD, line + LINE + 11, card.key, SMALL, FAINT, right=right)
        self._text(x + PAD, line + 2 * LINE + 11, card.facts, SMALL, FAINT, right=right)

    def _frame(self, x: float, y: float, card: Card, frame: Frame) -> None:
        side = self.layout.side
        self._box(x, y, side, self.layout.high, 0, fill=GROUND)
        place = self.layout.fitted(card, frame)
        left, top, wide, high = place
        size = max(1, round(wide * self.scale)), max(1, round(high * self.scale))
        self.canvas.paste(scaled(frame.pixels, *size), (round((x + left) * self.scale), round((y + top) * self.scale)))
        for box in frame.boxes:
            bx, by, bw, bh = on_frame(box, place)
            colour = class_colour(box.label)
            self._box(x + bx, y + by, bw, bh, 0, outline=colour, width=1.5)
            self._tag(x + bx, y + by, box.words, colour, bw)

    def _tag(self, x: float, y: float, words: str, colour: str, width: float) -> None:
        """Words on the colour of their box, in its upper left corner, where the box has room for them."""
        wide = _font(9 * self.scale).getlength(words) / self.scale + 5
        if wide <= width:
            self._box(x, y, wide, 11.5, 0, fill=colour)
            self._text(x + 2.5, y + 9, words, 9, "#ffffff", right=x + width)

    def _box(self, x: float, y: float, wide: float, high: float, radius: float, *, fill: str | None = None,
             outline: str | None = None, width: float = 1) -> None:  # fmt: skip
        s = self.scale
        corners = (x * s, y * s, max(x * s, (x + wide) * s - 1), max(y * s, (y + high) * s - 1))
        self.pen.rounded_rectangle(corners, radius * s, fill=fill, outline=outline, width=max(1, round(width * s)))

    def _square(self, x: float, y: float, side: float, colour: str) -> None:
        self._box(x, y, side, side, 2, fill=colour, outline=EDGE)

    def _dot(self, x: float, y: float, size: float, colour: str) -> None:
        s = self.scale
        self.pen.ellipse((x * s, y * s, (x + size) * s, (y + size) * s), fill=colour)

    def _text(self, x: float, y: float, text: str, size: float, fill: str, *, right: float, bold: bool = False) -> None:
        """One line that ends before `right`."""
        s = self.scale
        around = 0.25 * s if bold else 0
        self.pen.text(
            (x * s, y * s), self._fitting(text, size, right - x), fill, _font(size * s), "ls",
            stroke_width=around, stroke_fill=fill,
        )  # fmt: skip

    def _fitting(self, text: str, size: float, width: float) -> str:
        """The text without its middle where it is wider than this."""
        font, letters, shown = _font(size * self.scale), len(text), text
        while letters > 1 and font.getlength(shown) > width * self.scale:
            letters = min(letters - 1, int(letters * width * self.scale / font.getlength(shown)) + 1)
            shown = cut(text, letters)
        return shown if font.getlength(shown) <= width * self.scale else ""


@cache
def _font(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
