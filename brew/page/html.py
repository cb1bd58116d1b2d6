"""Pieces of HTML. Every text in them is escaped here, and control characters are written out."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from brew.data.images.decoding import encode_jpeg, encode_png
from brew.plain_text import one_line, plain

_SMALL = 4096  # pixels up to which a picture is written as it is, as a PNG

STYLE = """
:root{--paper:#fff;--ink:#212529;--faint:#5c636a;--line:#dee2e6;--soft:#f4f6f8;--good:#2b8a3e;--bad:#c92a2a;--hue:0,114,178}
@media(prefers-color-scheme:dark){:root{--paper:#16191d;--ink:#e9ecef;--faint:#9aa3ab;--line:#343a40;--soft:#1f2429;
--good:#69db7c;--bad:#ff8787;--hue:75,163,220}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,'Segoe UI',Helvetica,Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:26px;margin:0}h2{font-size:19px;margin:42px 0 10px;padding-top:14px;border-top:1px solid var(--line)}
h3{font-size:15px;margin:22px 0 6px}p{margin:6px 0}.faint{color:var(--faint)}.bad{color:var(--bad)}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0}
.tile{background:var(--soft);border-radius:8px;padding:10px 16px;min-width:116px}
.tile b{display:block;font-size:22px;font-weight:600}.tile span{color:var(--faint);font-size:13px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13.5px}
th{font-weight:600;color:var(--faint);border-bottom:1px solid var(--line)}
th,td{padding:3px 10px;text-align:right;white-space:nowrap}th:first-child,td:first-child{text-align:left}
td.text,th.text{text-align:left}tbody tr:hover{background:var(--soft)}
.bar{display:inline-block;height:9px;border-radius:2px;background:rgb(var(--hue));vertical-align:middle}
.wide{overflow-x:auto}
.matrix td{padding:0;width:38px;height:27px;text-align:center;border:1px solid var(--paper);font-size:12px}
.matrix td.name,.matrix th{width:auto;padding:2px 8px;text-align:right;border:0;font-size:12.5px}
.matrix th{text-align:center}
.pictures{display:flex;flex-wrap:wrap;gap:12px}
figure{margin:0;font-size:12.5px;line-height:1.35;width:116px;overflow-wrap:anywhere}
figure img,figure svg{display:block;width:116px;height:116px;object-fit:contain;background:var(--soft)}
figure img,figure svg{border-radius:5px;margin-bottom:4px}
figure img.crisp,img.crisp{image-rendering:pixelated}
.maps{max-width:768px}.key{display:inline-block;width:12px;height:12px;border-radius:3px;margin:0 5px 0 14px}
figure.right img{box-shadow:0 3px 0 var(--good)}figure.wrong img{box-shadow:0 3px 0 var(--bad)}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:18px 12px}
.curves svg{display:block}
pre{background:var(--soft);border-radius:8px;padding:12px 14px;overflow-x:auto;font-size:12.5px;line-height:1.4}
summary{cursor:pointer;margin:8px 0}
"""


def text(value: object) -> str:
    """A text in one line, escaped."""
    return escape(one_line(str(value)))


def lines(value: str) -> str:
    """A text of several lines, escaped."""
    return escape(plain(value))


def section(title: str, *pieces: str) -> str:
    """A section of the page; "" where there is nothing in it."""
    inner = "\n".join(filter(None, pieces))
    return f"<section><h2>{text(title)}</h2>\n{inner}\n</section>" if inner else ""


def note(value: object, kind: str = "faint") -> str:
    return f'<p class="{kind}">{text(value)}</p>'


def tiles(facts: Iterable[tuple[str, str]]) -> str:
    """Large figures, each with what it is."""
    made = "".join(f'<div class="tile"><b>{text(value)}</b><span>{text(name)}</span></div>' for name, value in facts)
    return f'<div class="tiles">{made}</div>' if made else ""


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Sequence[int] = ()) -> str:
    """A table of texts; columns numbered in `texts` stand at the left, and so does the first. Cells are escaped,
    but for a `Raw`."""

    def cell(number: int, value: str, tag: str) -> str:
        kind = ' class="text"' if number in texts else ""
        return f"<{tag}{kind}>{value if isinstance(value, Raw) else text(value)}</{tag}>"

    head = "".join(cell(number, title, "th") for number, title in enumerate(titles))
    body = "".join(f"<tr>{''.join(cell(n, v, 'td') for n, v in enumerate(row))}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


class Raw(str):
    """HTML that is a cell of a table as it is."""


def bar(share: float, width: int = 160) -> Raw:
    """A bar as long as `share` (0 to 1) of `width` pixels."""
    return Raw(f'<span class="bar" style="width:{max(share, 0.0) * width:.1f}px"></span>')


def folded(title: str, inner: str) -> str:
    """What is shown when it is asked for."""
    return f"<details><summary>{text(title)}</summary>{inner}</details>"


def picture(pixels: npt.NDArray[np.uint8], *, width: int | None = None) -> str:
    """An image (height, width) gray or (height, width, 3) RGB within the page; small ones keep their sharp pixels."""
    small = pixels.shape[0] * pixels.shape[1] <= _SMALL
    data, kind = (encode_png(pixels), "png") if small or width else (encode_jpeg(pixels, 85), "jpeg")
    crisp = ' class="crisp"' if small or width else ""
    size = f' style="width:{width}px;max-width:100%"' if width else ""
    return f'<img{crisp}{size} alt="" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


def key(colours: Iterable[tuple[str, Sequence[int]]]) -> str:
    """What colours (red, green, blue) stand for."""
    return (
        "<p>"
        + "".join(
            f'<span class="key" style="background:rgb({",".join(map(str, colour))})"></span>{text(name)}'
            for name, colour in colours
        )
        + "</p>"
    )


def figures(entries: Iterable[tuple[str, Sequence[str], str]], kind: str = "") -> str:
    """Pictures (HTML), each with lines of text below; the last of an entry is "", "right" or "wrong"."""
    made = "".join(
        f'<figure class="{found}">{image}{"<br>".join(map(text, captions))}</figure>\n'
        for image, captions, found in entries
    )
    return f'<div class="pictures {kind}">{made}</div>' if made else ""


def number(value: float, digits: int = 4) -> str:
    """A figure: a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.{digits}g}"
