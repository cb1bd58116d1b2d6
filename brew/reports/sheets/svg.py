"""A contact sheet as SVG, with its pictures in it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .cards import Card, Frame, Sheet, legend_colour
from .colours import CARD, EDGE, FAINT, GROUND, INK, PAPER, class_colour
from .encoding import data_uri, is_whole
from .layout import HEADING, LINE, MARGIN, PAD, SMALL, TEXT, Layout, cut, on_frame, width_of
from .marks import MARK

FONT = "Helvetica, Arial, sans-serif"
_SHARP = 2  # pixels that are kept of a picture for one of the layout


def svg(sheet: Sheet, *, side: int | None = None, columns: int | None = None) -> str:
    """The text of the file."""
    layout = Layout.of(sheet, side=side, columns=columns)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{layout.width}" height="{layout.height}" '
        f'viewBox="0 0 {layout.width} {layout.height}" font-family="{FONT}" font-size="{SMALL}" fill="{FAINT}">\n'
        f"<!-- {MARK} -->\n<title>{escape(sheet.title)}</title>\n"
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    )
    return "\n".join([head, *_heading(layout), *(_card(layout, s.x, s.y, s.card) for s in layout.spots()), "</svg>\n"])


def _heading(layout: Layout) -> Iterator[str]:
    sheet = layout.sheet
    most = int((layout.width - 2 * MARGIN) / (SMALL * 0.5))
    yield _text(MARGIN, MARGIN + HEADING - 4, sheet.title, f'font-size="{HEADING}" font-weight="bold" fill="{INK}"')
    y = MARGIN + HEADING + 6
    for note in sheet.notes:
        yield _text(MARGIN, y + 11, cut(note, most))
        y += LINE
    for row in layout.legend_rows() if sheet.legend else ():
        for x, label, words in row:
            yield (
                f'<rect x="{MARGIN + x:.1f}" y="{y + 2}" width="10" height="10" rx="2" fill="{legend_colour(label)}" '
                f'stroke="{EDGE}"/>'
            )
            yield _text(MARGIN + x + 16, y + 11, words, f'fill="{INK}"')
        y += LINE


def _card(layout: Layout, x: float, y: float, card: Card) -> str:
    made = [
        f'<g transform="translate({x:g},{y:g})"><title>{escape(f"{card.title} {card.key}".strip())}</title>'
        f'<rect x="0.5" y="0.5" width="{layout.card_width - 1}" height="{layout.card_height - 1}" rx="6" '
        f'fill="{CARD}" stroke="{EDGE}"/>'
    ]
    for number, frame in enumerate(card.frames):
        made.append(
            f'<g transform="translate({PAD + layout.frame_x(number)},{PAD})">{frame_svg(layout, card, frame)}</g>'
        )
    line, left = PAD + layout.high + 4, PAD
    if card.label is not None:
        made.append(f'<circle cx="{left + 4.5}" cy="{line + 8}" r="4.5" fill="{class_colour(card.label)}"/>')
        left += 14
    bold = f'font-size="{TEXT}" font-weight="bold" fill="{INK}"'
    made.append(_text(left, line + 12, cut(card.title, layout.title_letters), bold))
    made.append(_text(PAD, line + LINE + 11, cut(card.key, layout.letters)))
    made.append(_text(PAD, line + 2 * LINE + 11, cut(card.facts, layout.letters)))
    return "".join([*made, "</g>"])


def frame_svg(layout: Layout, card: Card, frame: Frame) -> str:
    """A frame's picture and its boxes, from (0, 0) on."""
    place = layout.fitted(card, frame)
    left, top, wide, high = place
    sharp = ' style="image-rendering:pixelated"' if is_whole(frame.pixels, wide) else ""
    made = [
        f'<rect width="{layout.side}" height="{layout.high}" fill="{GROUND}"/>',
        f'<image x="{left:g}" y="{top:g}" width="{wide:g}" height="{high:g}" preserveAspectRatio="none"{sharp} '
        f'href="{data_uri(frame.pixels, _SHARP * layout.side)}"/>',
    ]
    for box in frame.boxes:
        bx, by, bw, bh = on_frame(box, place)
        colour, wide = class_colour(box.label), width_of(box.words, 9) + 5
        made.append(
            f'<rect x="{bx:.1f}" y="{by:.1f}" width="{bw:.1f}" height="{bh:.1f}" fill="none" stroke="{colour}" '
            f'stroke-width="1.5"/>'
        )
        if wide <= bw:
            made.append(f'<rect x="{bx:.1f}" y="{by:.1f}" width="{wide:.1f}" height="11.5" fill="{colour}"/>')
            made.append(_text(bx + 2.5, by + 9, box.words, 'font-size="9" fill="#ffffff"'))
    return "".join(made)


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(text)}</text>'
