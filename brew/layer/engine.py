"""What an engine is beside its implementations of single layers: `brew.layers.<engine>` has one, its `ENGINE`.

The table of fused groups stands apart from the modules that it names: these are imported only for nets with such
groups.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from ctypes import CDLL
from functools import cached_property
from typing import TypeAlias

import numpy.typing as npt

from .contract import Layer
from .fused import Fused

Types: TypeAlias = tuple[str, ...]  # of the layers of a group, one behind the other


class Engine:
    """One engine.

    name     the engine's, and that of its folder in `brew.layers`
    device   where it computes
    dtype    of the nets that it computes; others are left to the implementations in the layers' own files
    library  loads the C library that it calls, whose threads are to be held
    fused    the types of every group of layers that it computes as one, and the class that does: "module:Class"
    """

    def __init__(
        self, name: str, device: str, dtype: npt.DTypeLike, library: Callable[[], CDLL], fused: Mapping[Types, str]
    ) -> None:  # fmt: skip
        self.name, self.device, self.dtype, self.library, self.fused = name, device, dtype, library, fused

    def takes(self, layer: Layer) -> bool:
        """Whether the engine may compute it."""
        return layer.context.dtype == self.dtype

    @cached_property
    def groups(self) -> tuple[Types, ...]:
        """The groups of `fused`, the longest first."""
        return tuple(sorted(self.fused, key=lambda types: -len(types)))

    def fused_class(self, types: Types) -> type[Fused]:
        """The class that computes one of `groups`; imported when it is asked for."""
        module, name = self.fused[types].split(":")
        cls: type[Fused] = getattr(importlib.import_module(f"brew.layers.{self.name}.{module}"), name)
        cls.engine = self.name
        return cls
