"""`brew data check`: every record read once, and every bad one named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from brew.plain_text import one_line
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.checks.records.check import Report

_BAD, _UNUSABLE = 1, 3
_SHAPES = 5  # shown of one source


@click.command(name="check", cls=Command)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--classes", type=click.IntRange(1), metavar="N", help="Labels must be from 0 to N - 1.")
@click.option("--root-folder", metavar="PREFIX", help="Stands before every path of an image list.")
@click.option("--top", "tops", multiple=True, metavar="NAME", help="A dataset to read of HDF5 files (repeatable; all).")
@click.option("--limit", type=click.IntRange(0), default=20, metavar="N", help="Bad records listed per source (20).")
@click.option(
    "--timeout", type=click.FloatRange(1), default=60, metavar="N", help="Seconds that one record may take (60)."
)
@click.option(
    "--max-memory", type=click.IntRange(64), default=4096, metavar="N", help="MiB that reading may take (4096)."
)
@click.pass_obj
def verb(
    settings: Settings,
    sources: tuple[str, ...],
    classes: int | None,
    root_folder: str | None,
    tops: tuple[str, ...],
    limit: int,
    timeout: float,
    max_memory: int,
) -> int:
    """Read every record once, and name the bad ones.

    SOURCE is the folder of an LMDB or LevelDB, an HDF5 file, a list of HDF5 files, or a list of images with labels. A
    process of its own reads, so that a damaged or hostile file can do no harm. Exit code 1 says that records are
    bad, 3 that a source cannot be read at all, or not to its end.
    """
    from brew.checks.records.check import Limits, check

    limits = Limits(classes, root_folder, tops, timeout, max_memory << 20)
    code = 0
    with bar(settings) as progress:
        for report in check(sources, limits, listed=limit, progress=progress):
            echo(describe(report), lines=True)
            code = max(code, _UNUSABLE if not report.usable else _BAD if report.bad else 0)
    return code


def describe(report: Report) -> str:
    """A line on the source, one for each bad record, then shapes and labels of the records."""
    noun = "datasets" if report.kind == "HDF5" else "images" if report.kind == "images" else "records"
    kind = f"{report.kind}, " if report.kind not in ("", "images") else ""
    lines = [f"{report.source}: {kind}{report.checked} {noun} read, {report.bad} bad"]
    if report.problem is not None:
        lines = [f"{report.source}: {report.problem}", *([lines[0]] if report.kind else [])]
    shown = report.shapes.most_common(_SHAPES)
    shapes = [shape if report.kind == "HDF5" else f"{shape} ({number})" for shape, number in shown]
    if shapes:
        rest = len(report.shapes) - len(shapes)
        lines.append(f"  shapes: {', '.join(shapes)}" + (f" and {rest} more" if rest else ""))
    if report.labels is not None:
        low, high = report.labels
        lines.append(f"  labels: {low} to {high}")
    lines += [f"  {bad.record}: {bad.reason}" for bad in report.bad_records]
    unlisted = report.bad - len(report.bad_records)
    if unlisted:
        lines.append(f"  and {unlisted} more")
    return "\n".join(map(one_line, lines))
