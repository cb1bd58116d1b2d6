"""`brew plot_training_log`: a chart of trainings, as Caffe's script of that name draws them."""

from __future__ import annotations

from pathlib import Path

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command


@click.command(name="plot_training_log", cls=Command)
@click.argument("number", metavar="TYPE", type=int)
@click.argument("out", metavar="OUT")
@click.argument("files", metavar="LOG...", nargs=-1, required=True)
@click.option("--overwrite", is_flag=True, help="Replace a picture that Brew did not draw.")
def verb(number: int, out: str, files: tuple[str, ...], overwrite: bool) -> None:
    """Draw one number of each training in a picture, OUT: .png, .svg or another image.

    LOG is a log of Caffe or of brew train, or whatever brew plot reads. TYPE is the number of a chart:

    \b
    0  Test accuracy vs. Iters         4  Train learning rate vs. Iters
    1  Test accuracy vs. Seconds       5  Train learning rate vs. Seconds
    2  Test loss vs. Iters             6  Train loss vs. Iters
    3  Test loss vs. Seconds           7  Train loss vs. Seconds

    brew plot draws more.
    """
    from brew.reports.curves import files as pictures
    from brew.reports.curves.reading import distinct, read_run
    from brew.reports.curves.training_log import CHARTS, charted

    if number not in range(len(CHARTS)):
        known = ", ".join(f"{i}: {field} vs. {over}" for i, (field, over) in enumerate(CHARTS))
        raise UsageError(f"there is no chart {number}", hint=known)
    pictures.ending_of(out)
    names = distinct([Path(file) for file in files])
    runs = [read_run(file, name) for file, name in zip(files, names, strict=True)]
    pictures.write(charted(number, runs), out, overwrite=overwrite)
