"""Several layers in a row as one: the contract of an implementation that computes them together, and who offers one.

A `Fused` is an `Implementation` whose bottoms are those of the row that it does not make itself, whose tops are the
last layer's, and whose parameters are all parameters of the row, one layer's behind the other's. What lies between is
never written. The net decides where it may stand in (brew.fusion).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar, TypeVar

from brew.layer import Implementation, Layer

F = TypeVar("F", bound="type[Fused]")

_offered: dict[tuple[str, ...], type[Fused]] = {}


class Fused(Implementation[Layer]):
    """The layers `layers` together. `Unsupported`, from any of its methods, leaves them by themselves.

    stateful  backward needs what this forward kept: the layers' own backward cannot follow it
    both      it has a backward of its own; else the layers' own follows its forward
    source    the buffer in which it wants its first bottom, because its top overwrites that; whoever makes the bottom
              then writes there
    """

    stateful: ClassVar[bool] = False
    both: ClassVar[bool] = True
    source: str | None = None

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
def offered() -> tuple[tuple[tuple[str, ...], type[Fused]], ...]:
    """Every row of types somebody computes together, longest first, with who does."""
    importlib.import_module("brew.layers.onednn._fused")
    return tuple(sorted(_offered.items(), key=lambda item: -len(item[0])))
