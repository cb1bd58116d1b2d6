"""`brew plot`: trainings as curves, in a picture or on the terminal."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brew.errors import UsageError
from brew.tools.parts.command import Choice, Command
from brew.tools.parts.net_options import names
from brew.tools.parts.output import echo
from brew.tools.parts.table import render

if TYPE_CHECKING:
    from brew.reports.curves.series import Run


@click.command(name="plot", cls=Command)
@click.argument("files", metavar="RUN...", nargs=-1, required=True)
@click.option("--out", metavar="FILE", help="The picture: .svg, .png or another image.")
@click.option(
    "--what", default="", metavar="NAME[,NAME...]", help="loss, accuracy, lr, speed, all, or names of series."
)
@click.option("--x", type=Choice(("iter", "time", "epoch")), default="iter", help="What curves run over (iter).")
@click.option("--epoch", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Iterations in an epoch.")
@click.option("--log", is_flag=True, help="Logarithmic values.")
@click.option(
    "--smooth", type=click.FloatRange(min=0), metavar="N", help="Smooth training curves over N points (0: not)."
)
@click.option("--title", default="", metavar="TEXT", help="What a browser calls the picture.")
@click.option("--overwrite", is_flag=True, help="Replace a picture that Brew did not draw.")
def verb(
    files: tuple[str, ...],
    out: str | None,
    what: str,
    x: str,
    epoch: float | None,
    log: bool,
    smooth: float | None,
    title: str,
    overwrite: bool,
) -> None:
    """Draw the curves of trainings.

    RUN is a metrics.jsonl (brew train --metrics), a log of brew train or of Caffe, a TensorBoard event file, or a
    folder with one of them; NAME=RUN names it in the legend. --out draws a picture, with a panel for each thing of
    --what; without it a table with small curves is printed. Curves of training are smoothed, over the faint raw ones.
    """
    from brew.reports.curves import files as pictures
    from brew.reports.curves.chart import draw

    if out is not None:
        pictures.ending_of(out)
    runs = read_runs(files)
    asked = names(what)
    if out is None:
        for line in _table(runs, asked, x=x, epoch=epoch, log=log):
            echo(line)
        return
    pictures.write(draw(runs, asked, x=x, log=log, smooth=smooth, epoch=epoch, title=title), out, overwrite=overwrite)


def read_runs(files: tuple[str, ...]) -> list[Run]:
    """The trainings, each with a name of its own; `NAME=RUN` gives one."""
    from brew.reports.curves.reading import distinct, read_run

    given = [("", file) if Path(file).exists() else _split(file) for file in files]
    own = distinct([Path(path) for _, path in given])
    called = [name or default for (name, _), default in zip(given, own, strict=True)]
    twice = next((name for name in called if called.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f'two runs are called "{twice}"', hint="NAME=RUN gives a run another name")
    return [read_run(path, name) for name, (_, path) in zip(called, given, strict=True)]


def _split(file: str) -> tuple[str, str]:
    name, equals, path = file.partition("=")
    return (name, path) if equals and name and path else ("", file)


def _table(runs: list[Run], what: list[str], *, x: str, epoch: float | None, log: bool) -> list[str]:
    """The rows, with curves as wide as the terminal leaves room for."""
    from brew.reports.curves.lines import ASCII, BLOCKS, TITLES, rows

    encoding = sys.stdout.encoding or "ascii"
    heights = BLOCKS if BLOCKS.encode(encoding, "replace").decode(encoding) == BLOCKS else ASCII
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
    made = rows(runs, what, width=8, heights=heights, x=x, epoch=epoch, log=log)
    taken = sum(max(len(row[i]) for row in (TITLES, *made)) + 2 for i in range(len(TITLES) - 1))
    width = min(max(columns - taken, 8), 60)
    return render(TITLES, rows(runs, what, width=width, heights=heights, x=x, epoch=epoch, log=log), right=(1, 2, 3, 4))
