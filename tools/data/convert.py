"""`brew data convert`: between LMDB, LevelDB and HDF5, and back to files."""

from __future__ import annotations

from pathlib import Path

import click

from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar

from .copies import copy_options, print_paths


@click.command(name="convert", cls=Command)
@click.argument("source", type=click.Path(path_type=Path), metavar="SRC")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@copy_options
@click.pass_obj
def verb(settings: Settings, source: Path, out: Path, to: str | None, overwrite: bool) -> None:
    """Write a data set anew as an LMDB, a LevelDB, an HDF5 file, or a folder of pictures.

    SRC is the folder of an LMDB or LevelDB, an HDF5 file or a list of them, or a list of images. OUT's name says
    what is written (x_lmdb, x_leveldb, x.h5) unless --to does; "images" makes a folder of pictures for each class.
    Records are copied byte for byte between LMDB and LevelDB. The paths of what was written go to stdout.
    """
    from brew.datasets.stored.conversions import outputs_of
    from brew.datasets.stored.opening import open_stored
    from brew.datasets.stored.outputs import format_of, write_all

    format = format_of(out, to)
    with open_stored(source) as stored, bar(settings) as progress:
        outputs = outputs_of(stored, out, format)
        print_paths(write_all(outputs, format, stored.names, overwrite=overwrite, progress=progress))
