"""`brew data merge`: several data sets as one."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar

from .copies import copy_options, print_paths, say


@click.command(name="merge", cls=Command)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SRC... OUT")
@copy_options
@click.pass_obj
def verb(settings: Settings, paths: tuple[Path, ...], to: str | None, overwrite: bool) -> None:
    """Join data sets: the records of every SRC, one after the other, in OUT.

    Classes are joined by their names (labels.txt): a class that has another number in a later SRC gets that of the
    first. Without names, numbers stay. Keys stay where they are in order and unique; else all get new numbers, which is
    told.
    """
    from brew.datasets.stored.conversions import names_beside
    from brew.datasets.stored.merging import Merger
    from brew.datasets.stored.opening import open_stored
    from brew.datasets.stored.outputs import Output, format_of, write_all

    *sources, out = paths
    if len(sources) < 2:
        raise UsageError("at least two sources and the place of the result are needed")
    with ExitStack() as stack:
        opened = [stack.enter_context(open_stored(source)) for source in sources]
        format = format_of(out, to, opened[0])
        merger = Merger.of(opened)
        outputs = [Output(out, merger.length, merger.entries)]
        with bar(settings) as progress:
            written = write_all(outputs, format, merger.names, overwrite=overwrite, progress=progress)
        if merger.renumber and format != "hdf5":
            say(settings, "the keys of the sources overlap: all records were numbered anew")
        for stored in opened if format != "hdf5" or opened[0].kind != "HDF5" else ():
            if others := names_beside(stored):
                say(settings, f"{stored.path}: values beside its records are left out: {', '.join(others)}")
        for stored in merger.relabelled:
            say(settings, f"{stored.path}: its classes got the numbers of those of the same name before")
        if not merger.names:
            say(settings, "the sources have no labels.txt: the numbers of their classes were taken for the same")
    print_paths(written)
