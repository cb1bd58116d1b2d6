"""A graph on a device: parameters, forward, backward, weights in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .net import Net as Net


def __getattr__(name: str) -> object:
    """`Net` is imported when it is asked for: the other modules of this room cost no more than themselves."""
    if name == "Net":
        from .net import Net

        return Net
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
