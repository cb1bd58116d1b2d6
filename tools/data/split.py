"""`brew data split`: a data set in parts."""

from __future__ import annotations

from pathlib import Path

import click

from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar

from .copies import copy_options, in_classes, print_paths, say, seed_option

_SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(name="split", cls=Command)
@click.argument("source", type=click.Path(path_type=Path), metavar="SRC")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--val", type=_SHARE, default=0, metavar="SHARE", help="The share of the items for val (0).")
@click.option("--test", type=_SHARE, default=0, metavar="SHARE", help="The share of the items for test (0).")
@click.option("--compare/--no-compare", default=True, help="Pictures that are nearly the same stay together (they do).")
@seed_option
@copy_options
@click.pass_obj
def verb(
    settings: Settings,
    source: Path,
    out: Path,
    val: float,
    test: float,
    compare: bool,
    seed: int,
    to: str | None,
    overwrite: bool,
) -> None:
    """Divide a data set into parts: DIR/train_lmdb, DIR/val_lmdb, DIR/test_lmdb (or .h5 and so on, as SRC is).

    Every class is divided in the same shares. Records keep their keys and their order, and are copied byte for byte
    where the format stays. Databases beside SRC with other values of its records (x_masks_lmdb) are divided alike.
    """
    from brew.datasets.stored.conversions import outputs_of
    from brew.datasets.stored.dividing import Survey, counts, parts
    from brew.datasets.stored.opening import open_stored
    from brew.datasets.stored.outputs import format_of, place_in, write_all

    with open_stored(source) as stored, bar(settings) as progress:
        format = format_of(Path(), to, stored)
        survey = Survey.of(stored, compare=compare, progress=progress)
        divided = parts(survey, val=val, test=test, seed=seed)
        outputs = [
            output
            for part, numbers in divided.items()
            for output in outputs_of(stored, place_in(out, part, format), format, numbers)
        ]
        written = write_all(outputs, format, stored.names, overwrite=overwrite, progress=progress)
    for part, numbers in divided.items():
        classes = in_classes(counts(survey, numbers), stored.names)
        say(settings, f"{part}: {len(numbers)} records" + (f" ({classes})" if classes else ""))
    if survey.alike:
        say(settings, f"{len(survey.alike)} pairs of pictures that are nearly the same stayed together")
    print_paths(written)
