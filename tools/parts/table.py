"""Tables of plain text, as wide as their content or as the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from brew.plain_text import one_line

_GAP = "  "
_LEAST = 12  # columns of text are not cut below this width


def render(titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """The lines of a table; the columns numbered in `right` stand at the right.

    On a terminal, the first column is cut in its middle where a line would be too long.
    """
    titles, *rows = [[one_line(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]
    if sys.stdout.isatty():
        excess = sum(widths) + len(_GAP) * (len(widths) - 1) - shutil.get_terminal_size().columns
        widths[0] = max(widths[0] - max(excess, 0), min(widths[0], _LEAST))
    rule = ["-" * width for width in widths]
    return [_line(row, widths, right) for row in (titles, rule, *rows)]


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    first, *rest = cells
    padded = (
        cell.rjust(width) if i in right else cell.ljust(width)
        for i, (cell, width) in enumerate(zip((shortened(first, widths[0]), *rest), widths, strict=True))
    )
    return _GAP.join(padded).rstrip()


def shortened(text: str, width: int) -> str:
    """`text` in `width` characters, without its middle where it is longer.

    >>> shortened("inception_3a/5x5_reduce", 15), shortened("conv1", 15)
    ('incepti..reduce', 'conv1')
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}..{text[len(text) - (width - 2 - head) :]}"


def quantity(number: float) -> str:
    """A number with the letter of its thousands, as papers write multiply-adds.

    >>> quantity(724_406_816), quantity(15_470_264_320), quantity(12_345), quantity(0), quantity(999)
    ('724 M', '15.5 G', '12.3 K', '0', '999')
    >>> quantity(999_900), quantity(27e9)
    ('1.00 M', '27.0 G')
    """
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if number >= 0.9995 * factor:
            return f"{number / factor:#.3g}".rstrip(".") + f" {letter}" if number < 999.5e12 else f"{number:.3g}"
    return f"{number:.0f}"


def size(number: int) -> str:
    """Bytes in the unit that leaves a readable figure.

    >>> size(500), size(3000), size(5 * 2**20), size(3 * 2**30)
    ('500 B', '2.9 KiB', '5.0 MiB', '3.0 GiB')
    """
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 999.95:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
