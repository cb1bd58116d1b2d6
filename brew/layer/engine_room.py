"""What the room of an engine, `brew.layers.<engine>`, offers beside implementations of single layers: its `ROOM`.

The table of fused rows stands apart from the modules that it names: these are imported only for nets with such rows.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from .fused import Fused

Row: TypeAlias = tuple[str, ...]  # types of layers, one behind the other


@dataclass(frozen=True)
class EngineRoom:
    """The room of one engine.

    package  what its modules stand in, "brew.layers.onednn"
    fused    every row of types that the engine computes together, and who does: "module:Class"
    """

    package: str
    fused: Mapping[Row, str]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows of `fused`, the longest first."""
        return tuple(sorted(self.fused, key=lambda types: -len(types)))

    def fused_class(self, row: Row) -> type[Fused]:
        """Who computes a row of `rows`; imported when it is asked for."""
        module, name = self.fused[row].split(":")
        cls: type[Fused] = getattr(importlib.import_module(f"{self.package}.{module}"), name)
        return cls
