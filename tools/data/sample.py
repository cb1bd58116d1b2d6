"""`brew data sample`: some of a data set, by chance or by class."""

from __future__ import annotations

from pathlib import Path

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar

from .copies import copy_options, in_classes, print_paths, say, seed_option


@click.command(name="sample", cls=Command)
@click.argument("source", type=click.Path(path_type=Path), metavar="SRC")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option("--count", type=click.IntRange(1), metavar="N", help="So many records, every class in its share.")
@click.option("--share", type=click.FloatRange(0, 1, min_open=True), metavar="SHARE", help="The same by a share.")
@click.option("--per-class", type=click.IntRange(1), metavar="N", help="So many of each class.")
@click.option("--label", "labels", multiple=True, metavar="CLASS", help="Of this class: name or number (repeatable).")
@click.option("--relabel", is_flag=True, help="Number the classes of --label anew, from 0.")
@seed_option
@copy_options
@click.pass_obj
def verb(
    settings: Settings,
    source: Path,
    out: Path,
    count: int | None,
    share: float | None,
    per_class: int | None,
    labels: tuple[str, ...],
    relabel: bool,
    seed: int,
    to: str | None,
    overwrite: bool,
) -> None:
    """Write some records of a data set to OUT: by chance with a seed, or all of some classes.

    Records keep their keys and their order, and are copied byte for byte where the format stays.
    """
    _check(count, share, per_class, labels, relabel)
    from brew.datasets.stored.choosing import classes_of
    from brew.datasets.stored.conversions import outputs_of
    from brew.datasets.stored.dividing import Survey, counts, relabelling, sample
    from brew.datasets.stored.opening import open_stored
    from brew.datasets.stored.outputs import format_of, write_all

    with open_stored(source) as stored, bar(settings) as progress:
        format = format_of(out, to, stored)
        classes = classes_of(stored, labels)
        survey = Survey.of(stored, compare=False, progress=progress)
        numbers = sample(survey, classes=classes, count=count, share=share, per_class=per_class, seed=seed)
        changes, names = relabelling(survey, numbers, stored.names, classes) if relabel else ({}, stored.names)
        outputs = outputs_of(stored, out, format, numbers, changes)
        written = write_all(outputs, format, names, overwrite=overwrite, progress=progress)
    classes_in_words = in_classes(counts(survey, numbers), stored.names)
    say(settings, f"{len(numbers)} of {stored.length} records" + (f" ({classes_in_words})" if classes_in_words else ""))
    print_paths(written)


def _check(
    count: int | None, share: float | None, per_class: int | None, labels: tuple[str, ...], relabel: bool
) -> None:  # fmt: skip
    given = [name for name, value in (("--count", count), ("--share", share), ("--per-class", per_class)) if value]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} both say how many: one of them is enough")
    if not given and not labels:
        raise UsageError("--count, --share, --per-class or --label says which records are wanted")
    if relabel and not labels:
        raise UsageError("--relabel numbers the classes of --label anew, and there is no --label")
