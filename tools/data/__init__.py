"""`brew data`: data sets to begin with, and checks of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from brew.tools.parts.command import Command, Group, Listed, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo


@click.group(
    name="data",
    cls=Group,
    lazy={
        "import": Listed("brew.tools.data.import_", help="Make databases of a pile of files."),
        "show": Listed("brew.tools.data.show", help="Show records: a table, or with --out a contact sheet."),
        "check": Listed("brew.tools.data.check", help="Read every record once, and name the bad ones."),
        "convert": Listed(
            "brew.tools.data.convert",
            help="Write a data set anew as an LMDB, a LevelDB, an HDF5 file, or a folder of pictures.",
        ),
        "split": Listed(
            "brew.tools.data.split",
            help="Divide a data set into parts: DIR/train_lmdb, DIR/val_lmdb, DIR/test_lmdb "
            "(or .h5 and so on, as SRC is).",
        ),
        "merge": Listed(
            "brew.tools.data.merge", help="Join data sets: the records of every SRC, one after the other, in OUT."
        ),
        "sample": Listed(
            "brew.tools.data.sample",
            help="Write some records of a data set to OUT: by chance with a seed, or all of some classes.",
        ),
    },
)
def verb() -> None:
    """Fetch, write and check data sets."""


@verb.command(name="get", cls=Command)
@click.argument("name", metavar="mnist|digits")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option(
    "--from", "from_folder", type=click.Path(path_type=Path), metavar="FOLDER", help="Take the files from here."
)
@click.option("--overwrite", is_flag=True, help="Replace databases that are there (no other files).")
@click.pass_obj
def get(settings: Settings, name: str, folder: Path, from_folder: Path | None, overwrite: bool) -> None:
    """Write a data set into DIR as two LMDBs, for training and testing.

    mnist is downloaded (or taken from the four files in --from). digits comes with Brew, and with a net and a solver:
    "brew train --solver DIR/solver.prototxt" trains it. The paths of what was written go to stdout.
    """
    from brew.data.sets import known, recipes

    with (
        bar(settings) as progress,
        known.getting(name, folder, from_folder=from_folder, overwrite=overwrite, progress=progress) as databases,
    ):
        nets = recipes.write(name, folder)
    for path in [*databases, *nets]:
        echo(path)
