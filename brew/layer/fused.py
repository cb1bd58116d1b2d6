"""Several layers in a row as one: the contract of an implementation that computes them together, and who offers one.

A `Fused` is an `Implementation` whose bottoms are those of the row that it does not make itself, whose tops are the
last layer's, and whose parameters are all parameters of the row, one layer's behind the other's. What lies between is
seldom written. The net decides where it may stand in (brew.net.run.fusion).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar, TypeVar

from .contract import Implementation, Layer

F = TypeVar("F", bound="type[Fused]")

_ROOM = "brew.layers.onednn"
_offered: dict[tuple[str, ...], type[Fused]] = {}


class Fused(Implementation[Layer]):
    """The layers `layers` together. `Unsupported`, from any of its methods, leaves them by themselves.

    stateful  backward needs what this forward kept: the layers' own backward cannot follow it
    both      it has a backward of its own; else the layers' own follows its forward
    reads     which values its backward reads, of "x" and "y"; what the layers' own backward reads they say themselves
    skips     it leaves what lies between unwritten; else that is as the layers would leave it
    source    the buffer in which it wants its first bottom, because its top overwrites that
    fed       the producer of the first bottom writes into `source`; else the row copies it there (the net says so
              before `bind`)
    """

    stateful: ClassVar[bool] = False
    both: ClassVar[bool] = True
    skips: ClassVar[bool] = True
    reads: frozenset[str] = frozenset("xy")  # `prepare` may narrow it, by what does not change with the shapes
    source: str | None = None
    fed: bool = False

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers[0])
        self.layers = list(layers)


def fuses(*types: str) -> Callable[[F], F]:
    """Decorator: the class below computes layers of these types in a row."""

    def register(cls: F) -> F:
        _offered[types] = cls
        return cls

    return register


@cache
def rows() -> tuple[tuple[str, ...], ...]:
    """Every row of types somebody computes together, the longest first."""
    return tuple(sorted(_rows(), key=lambda types: -len(types)))


def how(types: tuple[str, ...]) -> type[Fused]:
    """Who computes a row of `rows`; imported when it is asked for."""
    if types not in _offered:
        importlib.import_module(f"{_ROOM}.{_rows()[types]}")
    return _offered[types]


def _rows() -> dict[tuple[str, ...], str]:
    table: dict[tuple[str, ...], str] = importlib.import_module(f"{_ROOM}._fused").ROWS
    return table
