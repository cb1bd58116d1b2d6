"""A fused group, several layers as one: the contract of an implementation that computes them together.

A `Fused` is an `Implementation` whose bottoms are those of the group that no layer of it makes, whose tops are the last
layer's, and whose parameters are all parameters of the group, one layer's behind the other's. What lies between is
seldom written. An engine says which groups it computes (brew.layer.engine), the net where a `Fused` may stand in
(brew.net.run.fusion).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .contract import Implementation, Layer


class Fused(Implementation[Layer]):
    """The layers `layers` together. `Unsupported`, from any of its methods, leaves them by themselves.

    stateful  backward needs what this forward kept: the layers' own backward cannot follow it
    both      it has a backward of its own; else the layers' own follows its forward
    reads     which values its backward reads, of "x" and "y"; what the layers' own backward reads they say themselves
    skips     it leaves what lies between unwritten; else that is as the layers would leave it
    source    the buffer in which it wants its first bottom, because its top overwrites that
    fed       the producer of the first bottom writes into `source`; else the group copies it there (the net says so
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
