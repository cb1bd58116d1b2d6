"""A chart as SVG, for light and dark pages: a browser that is set to dark draws it so."""

from __future__ import annotations

from html import escape
from itertools import groupby

from brew.plain_text import one_line

from .marks import DARK, DARK_CURVES, LIGHT, LIGHT_CURVES, Chart, Colour, Dot, Line, Mark, Point, Text, light

PAPER = "brew-paper"  # the class of a file's ground, by which our own are known
_FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"


def svg(chart: Chart, *, inside: bool = False) -> str:
    """The text of an SVG file, or of an element `inside` a page, whose style sheet then has `style()`."""
    size = f'viewBox="0 0 {chart.width:g} {chart.height:g}"'
    size = f'{size} style="width:100%;max-width:{chart.width:g}px"' if inside else (
        f'width="{chart.width:g}" height="{chart.height:g}" {size}'
    )  # fmt: skip
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}" role="img">\n'
        f"<title>{escape(one_line(chart.title))}</title>\n"
    )
    if not inside:
        head += f"<style>{style()}</style>\n"
        head += f'<rect width="100%" height="100%" fill="{LIGHT["paper"]}" class="{PAPER}"/>\n'
    return head + "\n".join(map(_mark, chart.marks)) + "\n</svg>\n"


def style() -> str:
    """The rules for dark pages; without them a chart has the colours for white paper."""
    names = [*LIGHT, *map(str, range(len(LIGHT_CURVES)))]
    rules = "".join(
        f".brew-{name}{{fill:{dark}}}.brew-{name}-line{{stroke:{dark}}}"
        for name, dark in zip(names, [*(DARK[name] for name in LIGHT), *DARK_CURVES], strict=True)
    )
    return f"@media(prefers-color-scheme:dark){{{rules}}}"


def _mark(mark: Mark) -> str:
    if isinstance(mark, Line):
        dash = f' stroke-dasharray="{",".join(f"{part:g}" for part in mark.dash)}"' if mark.dash else ""
        faint = f' opacity="{mark.opacity:g}"' if mark.opacity < 1 else ""
        return (
            f'<path d="{_path(mark.points)}" fill="none" stroke="{light(mark.colour)}" '
            f'class="brew-{_name(mark.colour)}-line" stroke-width="{mark.width:g}" '
            f'stroke-linejoin="round"{dash}{faint}/>'
        )
    fill = f'fill="{light(mark.colour)}" class="brew-{_name(mark.colour)}"'
    if isinstance(mark, Dot):
        return f'<circle cx="{_short(mark.at[0])}" cy="{_short(mark.at[1])}" r="{mark.radius:g}" {fill}/>'
    return _text(mark, fill)


def _text(mark: Text, fill: str) -> str:
    anchor = f' text-anchor="{mark.anchor}"' if mark.anchor != "start" else ""
    bold = ' font-weight="600"' if mark.bold else ""
    at = f'x="{_short(mark.at[0])}" y="{_short(mark.at[1])}"'
    return f'<text {at} font-size="{mark.size:g}"{anchor}{bold} {fill}>{escape(one_line(mark.text))}</text>'


def _path(points: list[Point]) -> str:
    """Points that follow one another at one height or one place need no more than their ends."""
    places = [(_short(x), _short(y)) for x, y in points]
    distinct = [place for place, _ in groupby(places)]
    return "M" + "L".join(f"{x} {y}" for x, y in distinct)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _name(colour: Colour) -> str:
    return str(colour % len(LIGHT_CURVES)) if isinstance(colour, int) else colour
