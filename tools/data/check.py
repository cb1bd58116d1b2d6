"""`brew data check`: every record read once, every bad one named; what is in the data, and what is there twice."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.checks.records.check import Report

_BAD, _UNUSABLE = 1, 3


@click.command(name="check", cls=Command)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--classes", type=click.IntRange(1), metavar="N", help="Labels must be from 0 to N - 1.")
@click.option("--net", type=click.Path(path_type=Path), metavar="FILE", help="Labels must be classes of this net.")
@click.option("--compare/--no-compare", default=True, help="Look for records that are there twice (it does).")
@click.option("--write-mean", type=click.Path(path_type=Path), metavar="FILE", help="The mean image (.npy: an array).")
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
    net: Path | None,
    compare: bool,
    write_mean: Path | None,
    root_folder: str | None,
    tops: tuple[str, ...],
    limit: int,
    timeout: float,
    max_memory: int,
) -> int:
    """Read every record once, and name the bad ones.

    SOURCE is the folder of an LMDB or LevelDB, an HDF5 file, a list of HDF5 files, or a list of images with labels. A
    process of its own reads, so that a damaged or hostile file can do no harm. Then come shapes, means of channels and
    counts of classes, and pictures that are there twice, or nearly, also in two SOURCEs (train and test). Exit code 1
    says that records are bad, 3 that a source cannot be read at all, or not to its end.
    """
    ignored = None
    if net is not None:
        classes, ignored = _classes_of(net, classes)
    if write_mean is not None:
        _check_mean(write_mean, sources)
    from brew.checks.records.check import Limits, check

    from .described import describe, told_twice

    code = 0
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="brew-check-") as folder, bar(settings) as progress:
        mean = f"{folder}/mean.npy" if write_mean is not None else None
        limits = Limits(classes, root_folder, tops, timeout, max_memory << 20, ignored, compare, mean)
        for report in check(sources, limits, listed=limit, progress=progress):
            echo(describe(report), lines=True)
            code = max(code, _UNUSABLE if not report.usable else _BAD if report.bad else 0)
            reports.append(report)
        if compare:
            for line in told_twice(reports, limit):
                echo(line)
        if write_mean is not None and mean is not None:
            _write_mean(reports[0], Path(mean), write_mean)
    return code


def _classes_of(net: Path, classes: int | None) -> tuple[int, int | None]:
    """How many classes the net tells apart, and the label that does not count."""
    from brew.checks.net_classes import classes_of

    found = classes_of(net)
    if classes is not None:
        raise UsageError("--classes and --net both say how many classes there are: one of them is enough")
    return found.number, found.ignored


def _check_mean(out: Path, sources: Sequence[str]) -> None:
    from brew.datasets.stored.mean_image import check_out

    if len(sources) > 1:
        raise UsageError("--write-mean writes the mean of one source", hint="give one; that of the training data")
    check_out(out)


def _write_mean(report: Report, mean: Path, out: Path) -> None:
    """Put the mean that the child wrote where it is wanted."""
    from brew.datasets.stored.mean_image import read_mean
    from brew.errors import DataError

    if report.facts.no_mean is not None or not mean.exists():
        raise DataError(
            f"{report.source}: no mean image: {report.facts.no_mean or report.problem or 'it has no good record'}",
            hint="mean_value takes a mean of channels, whatever the sizes",
        )
    read_mean(mean, report.checked - report.bad).write(out)
    echo(out)
