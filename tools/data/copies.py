"""What the verbs that copy data sets share: options, and what they print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from brew.tools.parts.command import Choice, Settings
from brew.tools.parts.output import echo

_MOST_CLASSES = 12  # counted in a line


def copy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--to` and `--overwrite` to a verb."""
    command = click.option("--overwrite", is_flag=True, help="Replace a database or HDF5 file that is there.")(command)
    to = Choice(["lmdb", "leveldb", "hdf5", "images"])
    return click.option("--to", type=to, default=None, help="What is written (told from OUT's name).")(command)


def seed_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--seed` to a verb."""
    return click.option(
        "--seed", type=click.IntRange(0), default=1701, metavar="N", help="Of the choice by chance (1701)."
    )(command)


def say(settings: Settings, text: str) -> None:
    """A line for the user, beside what is printed for programs; none with --quiet."""
    if settings.verbosity >= 0:
        echo(text, err=True)


def print_paths(paths: Iterable[Path]) -> None:
    for path in paths:
        echo(path)


def in_classes(counts: Any, names: Sequence[str]) -> str:
    """Counts by class in words: "3 cat, 4 dog"."""
    shown = [
        f"{count} {names[label] if 0 <= label < len(names) else f'of class {label}'}"
        for label, count in sorted(counts.items())
    ]
    more = f" and {len(shown) - _MOST_CLASSES} classes more" if len(shown) > _MOST_CLASSES else ""
    return ", ".join(shown[:_MOST_CLASSES]) + more
