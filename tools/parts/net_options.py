"""The options that verbs share: which net, in which state, with which shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from brew.errors import UsageError

from .command import Choice

_SHAPE = re.compile(r"(?P<blob>[^:=]+)[:=](?P<dims>\d+([x,]\d+)*)")

_MOST_DIGITS = 20  # of a number that is too large in any case

_STATE = (
    click.option("--level", type=int, metavar="N", help="Level of the net's layer rules."),
    click.option("--stage", default="", metavar="NAME[,NAME...]", help="Stages of the net's layer rules."),
)
_OPTIONS = (
    click.option("--model", required=True, metavar="FILE", help="The net's prototxt."),
    click.option("--iterations", type=click.IntRange(min=1), default=50, metavar="N", help="Batches to run (50)."),
    *_STATE,
)


def net_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--model`, `--iterations`, `--level` and `--stage` to a verb."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def state_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--level` and `--stage` to a verb."""
    for option in reversed(_STATE):
        command = option(command)
    return command


def threads_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--threads` to a verb; what it says holds for the process before the verb runs."""

    def hold(_: click.Context, __: click.Parameter, number: int | None) -> None:
        from brew.cpu import threads

        threads.use(number)

    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        expose_value=False,
        callback=hold,
        help="Threads to compute with (BREW_THREADS, or the cores there are).",
    )(command)


def engine_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--engine` to a verb; it holds for every net the verb makes."""

    def hold(context: click.Context, _: click.Parameter, name: str | None) -> None:
        if name is not None:
            from brew.net import mode

            context.call_on_close(partial(mode.set_engine, mode.default_engine()))
            mode.set_engine(name)

    return click.option(
        "--engine", type=Choice(("default", "caffe", "onednn")), expose_value=False, callback=hold,
        help="What computes on the CPU: oneDNN, or NumPy (caffe).",
    )(command)  # fmt: skip


def fuse_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--no-fuse` to a verb; it holds for every net the verb makes."""

    def hold(context: click.Context, _: click.Parameter, off: bool) -> None:
        if off:
            from brew.net import mode

            context.call_on_close(partial(mode.set_fuse, mode.default_fuse()))
            mode.set_fuse(False)

    return click.option(
        "--no-fuse", is_flag=True, expose_value=False, callback=hold, help="Run every layer by itself (to compare)."
    )(command)


def shape_option(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: add `--shape`, whose texts `parse_shapes` reads, to a verb."""
    return click.option("--shape", "shapes", multiple=True, metavar="BLOB:NxCxHxW", help=meaning)


def parse_shapes(texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """`data:64x3x227x227` as {"data": (64, 3, 227, 227)}; UsageError for another form.

    >>> parse_shapes(("data:64x1x28x28", "label=64,1"))
    {'data': (64, 1, 28, 28), 'label': (64, 1)}
    """
    shapes = {}
    for text in texts:
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise UsageError(f'--shape takes BLOB:NxCxHxW, not "{text}"', hint="for example data:64x3x227x227")
        shape = tuple(int(dim[:_MOST_DIGITS]) for dim in re.split("[x,]", match["dims"]))
        from brew.layer import sizes  # brings NumPy, which --help does without

        if fault := sizes.fault(shape):
            raise UsageError(f'--shape "{text}": {fault}')
        shapes[match["blob"]] = shape
    return shapes


def names(text: str) -> list[str]:
    """The parts of a comma-separated option.

    >>> names("a,b, c"), names("")
    (['a', 'b', 'c'], [])
    """
    return [part.strip() for part in text.split(",") if part.strip()]
