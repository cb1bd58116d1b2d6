"""The options that `test` and `time` share: which net, in which state, with which weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option("--model", required=True, metavar="FILE", help="The net's prototxt."),
    click.option("--iterations", type=click.IntRange(min=1), default=50, metavar="N", help="Batches to run (50)."),
    click.option("--level", type=int, metavar="N", help="Level of the net's layer rules."),
    click.option("--stage", default="", metavar="NAME[,NAME...]", help="Stages of the net's layer rules."),
)


def net_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--model`, `--iterations`, `--level` and `--stage` to a verb."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def names(text: str) -> list[str]:
    """The parts of a comma-separated option.

    >>> names("a,b, c"), names("")
    (['a', 'b', 'c'], [])
    """
    return [part.strip() for part in text.split(",") if part.strip()]
