"""A picture as an image file, through Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from brew.errors import UsageError

from .colours import FAINT, FILL_AND_EDGE, FRAME_EDGE, FRAME_FILL, INK, LINE, PAPER
from .picture import DETAIL, TITLE, Curve, Frame, Picture, Placed, strips_of
from .rows import Point

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

KINDS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "webp": "WEBP"}

SOFTWARE = "Brew, drawing of a net"  # stands in files, by which our own are known
_SCALE = 1.5  # pixels of the file for one of the picture
_FINE = 2  # pixels drawn for one of the file, along each axis, so that edges are smooth
_MOST = 60e6  # pixels drawn
_STEPS = 12  # straight pieces of a curve


def image(picture: Picture, ending: str = "png") -> bytes:
    """The bytes of an image file of the kind that `ending` is the usual one of; UsageError where it is none of KINDS.

    A file has 1.5 pixels a side for one of the picture, fewer where it would have over fifteen million.
    """
    from PIL import Image as images
    from PIL import ImageDraw

    if ending.lower() not in KINDS:
        raise UsageError(f'no image is written as ".{ending}"; known are {", ".join(KINDS)}')
    scale = min(_SCALE * _FINE, (_MOST / (picture.width * picture.height)) ** 0.5)
    drawn = images.new("RGB", (round(picture.width * scale), round(picture.height * scale)), PAPER)
    _Pen(ImageDraw.Draw(drawn), scale).draw(picture)
    smooth = drawn.resize((drawn.width // _FINE, drawn.height // _FINE), images.Resampling.BOX)
    return encoded(smooth, ending, SOFTWARE)


def encoded(drawn: Image, ending: str, mark: str) -> bytes:
    """The bytes of an image file of one of KINDS. Those of PNG, JPEG and GIF say `mark`, by which our own are known."""
    from PIL.PngImagePlugin import PngInfo

    file, kind = io.BytesIO(), KINDS[ending.lower()]
    notes: dict[str, Any] = {"comment": mark} if kind in ("JPEG", "GIF") else {}
    if kind == "PNG":
        notes["pnginfo"] = PngInfo()
        notes["pnginfo"].add_text("Software", mark)
    drawn.save(file, kind, **notes)
    return file.getvalue()


class _Pen:
    def __init__(self, canvas: ImageDraw, scale: float) -> None:
        self.canvas, self.scale = canvas, scale
        self._fonts: dict[float, FreeTypeFont | ImageFont] = {}

    def draw(self, picture: Picture) -> None:
        for frame in picture.frames:
            self._frame(frame)
        for curve in picture.curves:
            self._curve(curve)
        for frame in picture.frames:
            self._text(frame.x + 4, frame.y - 4, frame.text, TITLE, INK, halo=True, anchor="ls")
        for (x, y), text in picture.words:
            self._text(x, y + 3, text, DETAIL, FAINT, halo=True)
        for placed in picture.cards:
            self._card(placed)

    def _frame(self, frame: Frame) -> None:
        scale = self.scale
        box = (frame.x * scale, frame.y * scale, (frame.x + frame.width) * scale, (frame.y + frame.height) * scale)
        width = round(1.2 * scale)
        self.canvas.rounded_rectangle(box, 9 * scale, fill=FRAME_FILL, outline=FRAME_EDGE, width=width)

    def _curve(self, curve: Curve) -> None:
        points, start = [curve.start], curve.start
        for a, b, end in curve.pieces:
            points += [_bezier(start, a, b, end, step / _STEPS) for step in range(1, _STEPS + 1)]
            start = end
        if curve.arrow:
            points.append(self._arrow(points[-2], points.pop()))
        line = [(x * self.scale, y * self.scale) for x, y in points]
        self.canvas.line(line, fill=LINE, width=round(1.3 * self.scale), joint="curve")

    def _arrow(self, before: Point, tip: Point) -> Point:
        """Draw the head of an arrow to `tip`; where its line ends."""
        dx, dy = tip[0] - before[0], tip[1] - before[1]
        size = max((dx * dx + dy * dy) ** 0.5, 1e-9)
        dx, dy = dx / size, dy / size
        end = tip[0] - 7 * dx, tip[1] - 7 * dy
        corners = [tip, (end[0] - 3 * dy, end[1] + 3 * dx), (end[0] + 3 * dy, end[1] - 3 * dx)]
        self.canvas.polygon([(x * self.scale, y * self.scale) for x, y in corners], fill=LINE)
        return end

    def _card(self, placed: Placed) -> None:
        fill, edge = FILL_AND_EDGE[placed.card.parts[0].kind]
        scale = self.scale
        left, top = placed.x * scale, placed.y * scale
        right, bottom = left + placed.width * scale, top + placed.height * scale
        self.canvas.rounded_rectangle((left, top, right, bottom), 5 * scale, fill=fill)
        for strip in strips_of(placed):
            if strip.kind:
                upper = strip.top * scale
                box = (left, upper, right, upper + strip.height * scale)
                self.canvas.rectangle(box, fill=FILL_AND_EDGE[strip.kind][0])
            middle = placed.x + placed.width / 2
            self._text(middle, strip.baseline, strip.text, strip.size, INK if strip.bold else FAINT, bold=strip.bold)
        outline = round(1.2 * scale)
        self.canvas.rounded_rectangle((left, top, right, bottom), 5 * scale, outline=edge, width=outline)

    def _text(
        self, x: float, y: float, text: str, size: float, fill: str,
        *, bold: bool = False, halo: bool = False, anchor: str = "ms",
    ) -> None:  # fmt: skip
        from PIL import ImageFont

        if size not in self._fonts:
            self._fonts[size] = ImageFont.load_default(size * self.scale)
        around = round(2 * self.scale) if halo else round(0.25 * self.scale) if bold else 0
        self.canvas.text(
            (x * self.scale, y * self.scale), text, fill, self._fonts[size], anchor,
            stroke_width=around, stroke_fill=PAPER if halo else fill,
        )  # fmt: skip


def _bezier(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    u = 1 - t
    x, y = (u**3 * a[i] + 3 * u * u * t * b[i] + 3 * u * t * t * c[i] + t**3 * d[i] for i in (0, 1))
    return x, y
