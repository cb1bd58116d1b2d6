"""`brew compute_image_mean`: the mean image of a database, as Caffe's program computes it."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo

_log = logging.getLogger("brew")


@click.command(name="compute_image_mean", cls=Command)
@click.argument("source", metavar="DB", type=click.Path(path_type=Path))
@click.argument("out", metavar="[OUT]", required=False, type=click.Path(path_type=Path))
@click.option("--backend", type=Choice(("lmdb", "leveldb")), help="What DB is taken for; its contents tell, too.")
@click.pass_obj
def verb(settings: Settings, source: Path, out: Path | None, backend: str | None) -> None:
    """Compute the mean image of DB, and print the mean of each channel.

    DB is a database, an HDF5 file or a list of images. OUT is a mean file for transform_param (mean_file), or with the
    ending .npy an array (channels, height, width). All records have one size; encoded ones are decoded, and floats
    taken as they are.
    """
    from brew.datasets.stored.mean_image import check_out, mean_image

    if out is not None:
        check_out(out)
    with bar(settings) as progress:
        mean = mean_image(source, progress, backend=backend and backend.upper())
    if out is not None:
        mean.write(out)
    lines = [f"Number of channels: {len(mean.pixels)}"]
    lines += [f"mean_value channel [{number}]: {value:.6g}" for number, value in enumerate(mean.channels)]
    for number, line in enumerate(lines):
        _log.info("%s", line, extra={"glog": f"compute_image_mean.cpp:{119 if number else 114}"})
        echo(line)
