"""A chart as a file of the kind that the name says. A file that Brew drew is replaced, another only when asked."""

from __future__ import annotations

from pathlib import Path

from brew.errors import UsageError
from brew.files import regular
from brew.files.atomic import replacing
from brew.files.overwriting import Kind
from brew.reports.drawing.png import KINDS

from .marks import Chart
from .png import SOFTWARE, image
from .svg import PAPER, svg

_HEAD = 4096  # bytes in which a file says that Brew drew it


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


def _holds_svg(path: Path) -> bool:
    return b"<svg" in regular.head(path, _HEAD)


_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")

_SVG = Kind("an SVG picture", _holds_svg, lambda path: PAPER.encode() in regular.head(path, _HEAD))
_IMAGE = Kind(
    "an image",
    lambda path: regular.head(path, 16).startswith(_IMAGES),
    lambda path: SOFTWARE.encode() in regular.head(path, _HEAD),
)
