"""A training: the loop, displays, tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .solver import Solver as Solver


def __getattr__(name: str) -> object:
    """`Solver` is imported on first use, so that importing another module of this room does not load it."""
    if name == "Solver":
        from .solver import Solver

        return Solver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
