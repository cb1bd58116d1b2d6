"""A graph on a device: parameters, forward, backward, weights in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .net import Net as Net


def __getattr__(name: str) -> object:
    """`Net` is imported on first use, so that importing another module of this room does not load it."""
    if name == "Net":
        from .net import Net

        return Net
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
