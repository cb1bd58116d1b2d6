"""A chart as an image file, through Pillow."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from brew.plain_text import one_line
from brew.reports.drawing.png import encoded

from .marks import Chart, Colour, Dot, Line, Point, Text, light

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SOFTWARE = "Brew, curves of a training"  # stands in files, by which our own are known
_SCALE = 2  # pixels of the file for one of the chart
_FINE = 2  # pixels drawn for one of the file, along each axis, so that edges are smooth
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}  # Pillow's names


def image(chart: Chart, ending: str = "png") -> bytes:
    """The bytes of a file of the kind that `ending` is the usual one of, two pixels a side for one of the chart."""
    from PIL import Image, ImageDraw

    scale = _SCALE * _FINE
    drawn = Image.new("RGB", (round(chart.width * scale), round(chart.height * scale)), light("paper"))
    _Pen(ImageDraw.Draw(drawn), scale).draw(chart)
    smooth = drawn.resize((drawn.width // _FINE, drawn.height // _FINE), Image.Resampling.BOX)
    return encoded(smooth, ending, SOFTWARE)


class _Pen:
    def __init__(self, canvas: ImageDraw, scale: int) -> None:
        self.canvas, self.scale = canvas, scale

    def draw(self, chart: Chart) -> None:
        for mark in chart.marks:
            match mark:
                case Line():
                    self._line(mark)
                case Dot():
                    x, y = self._at(mark.at)
                    radius = mark.radius * self.scale
                    self.canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=light(mark.colour))
                case Text():
                    self._text(mark)

    def _line(self, line: Line) -> None:
        fill, width = _over_paper(line.colour, line.opacity), max(1, round(line.width * self.scale))
        for piece in _dashes(line.points, line.dash) if line.dash else [line.points]:
            self.canvas.line([self._at(point) for point in piece], fill=fill, width=width, joint="curve")

    def _text(self, text: Text) -> None:
        from PIL import ImageFont

        font = ImageFont.load_default(text.size * self.scale)
        stroke = round(0.15 * self.scale) if text.bold else 0
        fill = light(text.colour)
        self.canvas.text(
            self._at(text.at), one_line(text.text), fill, font, _ANCHORS[text.anchor], stroke_width=stroke,
            stroke_fill=fill,
        )  # fmt: skip

    def _at(self, point: Point) -> Point:
        return point[0] * self.scale, point[1] * self.scale


def _over_paper(colour: Colour, opacity: float) -> tuple[int, int, int]:
    """What a colour that lets the paper through looks like."""
    own, paper = (bytes.fromhex(light(each)[1:]) for each in (colour, "paper"))
    red, green, blue = (round(opacity * a + (1 - opacity) * b) for a, b in zip(own, paper, strict=True))
    return red, green, blue


def _dashes(points: list[Point], dash: tuple[float, ...]) -> list[list[Point]]:
    """The pieces of a line that are drawn."""
    pieces: list[list[Point]] = [[points[0]]]
    number, left = 0, dash[0]
    for (x, y), (to_x, to_y) in pairwise(points):
        length = max(((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5, 1e-9)
        done = 0.0
        while length - done > left:
            done += left
            turn = (x + (to_x - x) * done / length, y + (to_y - y) * done / length)
            if number % 2 == 0:
                pieces[-1].append(turn)
            else:
                pieces.append([turn])
            number += 1
            left = dash[number % len(dash)]
        left -= length - done
        if number % 2 == 0:
            pieces[-1].append((to_x, to_y))
    return [piece for piece in pieces if len(piece) > 1]
