"""The files of contact sheets: what they are by their endings, and which of them may be replaced."""

from __future__ import annotations

from pathlib import Path

from brew.files import regular
from brew.files.overwriting import Kind
from brew.files.signatures import noun_of

from .cards import Sheet
from .html import html
from .marks import MARK
from .png import png
from .svg import svg


def _head(path: Path) -> bytes:
    return regular.head(path, 512)


def _wrote(path: Path) -> bool:
    return MARK.encode() in _head(path)


SHEET_KINDS = {
    ".png": Kind("a PNG image", lambda path: noun_of(_head(path)) == "a PNG image", _wrote),
    ".svg": Kind("an SVG image", lambda path: b"<svg" in _head(path), _wrote),
    ".html": Kind("an HTML page", lambda path: noun_of(_head(path)) == "an HTML page", _wrote),
}


def content(sheet: Sheet, ending: str, *, side: int | None, columns: int | None) -> bytes:
    """The bytes of a file of one of SHEET_KINDS."""
    if ending == ".png":
        return png(sheet, side=side, columns=columns)
    text = svg(sheet, side=side, columns=columns) if ending == ".svg" else html(sheet, side=side, columns=columns)
    return text.encode("utf-8", "backslashreplace")
