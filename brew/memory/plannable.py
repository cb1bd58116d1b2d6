"""A net's steps and fused groups, as far as the memory plan knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from brew.layer import Layer, Wanted
from brew.layer.layout import Layouts, View

from .arena import Lease
from .blob import Blob
from .keys import Key


class PlannableStep(Protocol):
    """One layer, or several as one, prepared for its present shapes.

    leases         the step's own pieces; the plan sets them
    views          for each top, whether it is a bottom's memory
    layouts        how it wants its bottoms and gives its tops
    reads          which values backward reads, of "x" and "y"
    over           pairs (bottom, top): one's gradient may lie where the other's does
    wanted         which gradients it is asked for
    runs_backward  whether its backward has anything to do
    once           forward may not run twice in a pass
    """

    leases: dict[Key, Lease]

    @property
    def layer(self) -> Layer: ...
    @property
    def bottoms(self) -> Sequence[Blob]: ...
    @property
    def tops(self) -> Sequence[Blob]: ...
    @property
    def views(self) -> Sequence[View | None]: ...
    @property
    def layouts(self) -> Layouts: ...
    @property
    def reads(self) -> frozenset[str]: ...
    @property
    def over(self) -> Sequence[tuple[int, int]]: ...
    @property
    def wanted(self) -> Wanted: ...
    @property
    def runs_backward(self) -> bool: ...
    @property
    def once(self) -> bool: ...

    def scratch_elements(self) -> Mapping[np.dtype[Any], int]:
        """How many elements of each type it needs within one call."""

    def saved_elements(self) -> Iterable[tuple[str, np.dtype[Any], int]]:
        """Name, type and number of what forward leaves for backward."""


class PlannableGroup(Protocol):
    """Steps `first` to `last` that run as `step`; forward begins with step `start`, at or before `first`."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def step(self) -> PlannableStep: ...
    @property
    def runs_backward(self) -> bool:
        """Whether backward runs as `step` too."""
