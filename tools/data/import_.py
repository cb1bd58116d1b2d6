"""`brew data import`: from a pile of files to databases."""

from __future__ import annotations

from pathlib import Path

import click

from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo


@click.command(name="import", cls=Command)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--kind", metavar="KIND", help="What SOURCE is, where that is not told by its contents.")
@click.option("--overwrite", is_flag=True, help="Replace databases that are there (no other files).")
@click.pass_obj
def verb(settings: Settings, source: Path, out: Path, kind: str | None, overwrite: bool) -> None:
    """Make databases of a pile of files."""
    from brew.datasets.importing import import_data
    from brew.datasets.settings import ImportSettings
    from brew.datasets.sources.kinds import open_source

    pile = open_source(source, kind)
    try:
        with bar(settings) as progress:
            imported = import_data(pile, out, ImportSettings(overwrite=overwrite), progress)
    finally:
        pile.close()
    for folder, records in imported.databases:
        echo(f"{folder}: {records} records")
