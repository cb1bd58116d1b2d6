"""What the room of an engine, `brew.layers.<engine>`, offers beside implementations of single layers: its `ROOM`.

The table of fused rows stands apart from the modules that it names: these are imported only for nets with such rows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from ctypes import CDLL
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy.typing as npt

from .contract import Layer
from .fused import Fused

Row: TypeAlias = tuple[str, ...]  # types of layers, one behind the other


@dataclass(frozen=True)
class EngineRoom:
    """The room of one engine.

    name     the engine's, and the room's in `brew.layers`
    device   where it computes
    dtype    of the nets that it computes; others are left to the implementations in the layers' own files
    library  loads the C library that it calls, whose threads are to be held
    fused    every row of types that the engine computes together, and who does: "module:Class"
    """

    name: str
    device: str
    dtype: npt.DTypeLike
    library: Callable[[], CDLL]
    fused: Mapping[Row, str]

    def takes(self, layer: Layer) -> bool:
        """Whether the engine may compute it."""
        return layer.context.dtype == self.dtype

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows of `fused`, the longest first."""
        return tuple(sorted(self.fused, key=lambda types: -len(types)))

    def fused_class(self, row: Row) -> type[Fused]:
        """Who computes a row of `rows`; imported when it is asked for."""
        module, name = self.fused[row].split(":")
        cls: type[Fused] = getattr(importlib.import_module(f"brew.layers.{self.name}.{module}"), name)
        cls.engine = self.name
        return cls
