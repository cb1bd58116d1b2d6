"""A picture as SVG."""

from __future__ import annotations

from html import escape

from brew.plain_text import one_line

from .colours import FAINT, FILL_AND_EDGE, FRAME_EDGE, FRAME_FILL, INK, LINE, PAPER
from .picture import DETAIL, TITLE, Curve, Frame, Picture, Placed, strips_of
from .rows import Point

END = "brew-end"  # of a link, by which files of our own are known
_FONT = "Helvetica, Arial, sans-serif"


def svg(picture: Picture, title: str = "") -> str:
    """The text of an SVG file; `title` is what a browser calls it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width:.0f}" height="{picture.height:.0f}" '
        f'viewBox="0 0 {picture.width:.0f} {picture.height:.0f}" font-family="{_FONT}" font-size="{DETAIL:g}" '
        f'text-anchor="middle" fill="{FAINT}">\n<title>{escape(one_line(title))}</title>\n'
        f'<defs><marker id="{END}" markerWidth="8" markerHeight="8" refX="6.5" refY="4" orient="auto">'
        f'<path d="M0,1 L7,4 L0,7 z" fill="{LINE}"/></marker></defs>\n'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    )
    halo = f'stroke="{PAPER}" stroke-width="4" paint-order="stroke"'
    words = [f'<text x="{x:.1f}" y="{y + 3:.1f}" {halo}>{escape(text)}</text>' for (x, y), text in picture.words]
    bold = f'text-anchor="start" font-size="{TITLE:g}" font-weight="bold" fill="{INK}" {halo}'
    words += [f'<text x="{f.x + 4:.1f}" y="{f.y - 4:.1f}" {bold}>{escape(f.text)}</text>' for f in picture.frames]
    return "\n".join(
        [
            head,
            *map(_frame, picture.frames),
            *map(_curve, picture.curves),
            *words,
            *map(_card, picture.cards),
            "</svg>\n",
        ]
    )


def _frame(frame: Frame) -> str:
    box = f'x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}"'
    return f'<rect {box} rx="9" fill="{FRAME_FILL}" stroke="{FRAME_EDGE}" stroke-width="1.2" stroke-dasharray="5 3"/>'


def _curve(curve: Curve) -> str:
    pieces = " ".join("C" + " ".join(map(_point, piece)) for piece in curve.pieces)
    end = f' marker-end="url(#{END})"' if curve.arrow else ""
    return f'<path d="M{_point(curve.start)} {pieces}" fill="none" stroke="{LINE}" stroke-width="1.3"{end}/>'


def _point(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _card(placed: Placed) -> str:
    fill, edge = FILL_AND_EDGE[placed.card.parts[0].kind]
    x, y, width, height = placed.x, placed.y, placed.width, placed.height
    made = [f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5" fill="{fill}"/>']
    for strip in strips_of(placed):
        if strip.kind:
            made.append(
                f'<rect x="{x:.1f}" y="{strip.top:.1f}" width="{width:.1f}" height="{strip.height:.1f}" '
                f'fill="{FILL_AND_EDGE[strip.kind][0]}"/>'
            )
        bold = f' font-weight="bold" fill="{INK}"' if strip.bold else ""
        at = f'x="{x + width / 2:.1f}" y="{strip.baseline:.1f}" font-size="{strip.size:g}"'
        made.append(f"<text {at}{bold}>{escape(strip.text)}</text>")
    outline = f'width="{width:.1f}" height="{height:.1f}" rx="5" fill="none" stroke="{edge}" stroke-width="1.2"'
    return "".join([*made, f'<rect x="{x:.1f}" y="{y:.1f}" {outline}/>'])
