"""A chart as a file of the kind that the name says. A file that Brew drew is replaced, another only when asked."""

from __future__ import annotations

from pathlib import Path

from brew.errors import UsageError
from brew.files.atomic import replacing
from brew.reports.drawing.files import picture_kind
from brew.reports.drawing.png import KINDS

from .marks import Chart
from .png import SOFTWARE, image
from .svg import PAPER, svg


def write(chart: Chart, path: str | Path, *, overwrite: bool = False) -> None:
    """Draw `chart` into the file `path`: SVG, PNG or another image by its ending. UsageError for an ending that is
    neither; ResourceError where the file cannot be written, or is not ours and `overwrite` is false."""
    path = Path(path)
    ending = ending_of(path)
    data = svg(chart).encode() if ending == "svg" else image(chart, ending)
    with replacing(path, _SVG if ending == "svg" else _IMAGE, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def ending_of(path: str | Path) -> str:
    """svg, png, ... of a file's name; UsageError for what cannot be drawn."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending != "svg" and ending not in KINDS:
        raise UsageError(
            f"{path}: a chart is written as .svg, .{', .'.join(KINDS)}", hint="choose one of these endings"
        )
    return ending


_SVG, _IMAGE = picture_kind("svg", PAPER), picture_kind("png", SOFTWARE)
