"""`brew parse_log`: the log of a training as tables, as Caffe's parse_log.py and parse_log.sh make them."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command
from brew.tools.parts.output import echo

_log = logging.getLogger("brew")


@click.command(name="parse_log", cls=Command)
@click.argument("file", metavar="LOG", type=click.Path(path_type=Path))
@click.argument("folder", metavar="[OUTDIR]", required=False, type=click.Path(path_type=Path))
@click.option("--delimiter", default=",", metavar="CHAR", help="Stands between columns of CSV files (,).")
def verb(file: Path, folder: Path | None, delimiter: str) -> None:
    """Make tables of a training's log, Caffe's or of brew train.

    With OUTDIR, as parse_log.py: LOG.train and LOG.test there, CSV files with the columns NumIters, Seconds,
    LearningRate and every output of the net. Without it, as parse_log.sh: LOG.train (#Iters Seconds TrainingLoss
    LearningRate) and LOG.test (#Iters Seconds TestAccuracy TestLoss: the first two outputs), in the working directory.
    """
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise UsageError(f'--delimiter takes one character, not "{delimiter}"')
    from brew.reports.curves import tables

    read = tables.read_tables(file)
    if not read.started:
        _log.warning("%s: no line says Solving: seconds count from its first line", file)
    if folder is None:
        train = tables.as_columns("#Iters Seconds TrainingLoss LearningRate", read.train_lines)
        test = tables.as_columns("#Iters Seconds TestAccuracy TestLoss", read.test_lines)
        texts = [(train, len(read.train_lines)), (test, len(read.test_lines))]
    elif not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    else:
        texts = [(tables.as_csv(rows, delimiter) if rows else "", len(rows)) for rows in (read.train, read.test)]
    for ending, (text, rows) in zip(("train", "test"), texts, strict=True):
        path = (folder or Path()) / f"{file.name}.{ending}"
        if not text:
            echo(f"Not writing {path}; no lines to write")
            continue
        tables.write_table(path, text)
        echo(f"Wrote {path}: {rows} rows")
