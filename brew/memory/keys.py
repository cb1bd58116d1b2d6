"""The names of what the memory plan gives a step for itself: scratch, what it saves, its arrays in other layouts."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias

from brew.layer.layout import Layout

from .blob import Memory

SCRATCH, SAVED = "scratch", "saved"  # followed by an element type, and by a buffer's name

Key: TypeAlias = tuple[Hashable, ...]


def conversion(what: str, memory: Memory, layout: Layout) -> Key:
    """The name of a step's array that has "values" or "gradients" of a memory in another layout."""
    return what, memory, layout
