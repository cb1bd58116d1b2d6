"""`brew data`: data sets to begin with, and checks of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from brew.tools.parts.command import Command, Group, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo


@click.group(
    name="data",
    cls=Group,
    lazy={
        "import": "brew.tools.data.import_",
        "show": "brew.tools.data.show",
        "check": "brew.tools.data.check",
        "convert": "brew.tools.data.convert",
        "split": "brew.tools.data.split",
        "merge": "brew.tools.data.merge",
        "sample": "brew.tools.data.sample",
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
