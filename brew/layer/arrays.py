"""What an implementation asks for, and what it works on: buffers, arrays, wanted gradients, shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

from .layout import Layout, Layouts, Shape, plain

# A NumPy array on the CPU, a CuPy array of the same surface on CUDA. Always C-contiguous.
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory an implementation asks for in `prepare`.

    `kept` buffers belong to the layer, begin as zeros and keep their content from call to call. `carried` says of a
    kept one that the next batch goes on from it: snapshots hold it, so its shape is the same on every device. `saved`
    ones hold what forward leaves for backward (a pooling mask, say). The others are scratch: valid within one call.
    Saved ones and scratch are never zeroed, and others use their memory before and after.
    """

    shape: Shape
    dtype: npt.DTypeLike | None = None  # None: the net's
    kept: bool = False
    carried: bool = False
    saved: bool = False


@dataclass(slots=True)
class ChangeCount:
    """How often something has been changed: what was derived from it is derived anew where the number is another."""

    number: int = 0


@dataclass(slots=True)
class Arrays:
    """What forward and backward work on; made once per shape, handed over at every call.

    x, y     bottoms and tops
    w        parameters
    dx       gradients of bottoms, to be *written*; None where not wanted (or where a View makes it no work)
    dy       gradients of tops; a loss's is its loss weight
    dw       gradients of parameters, to be *added to*; None where not wanted
    work     the buffers `prepare` asked for, by name
    passes   uint64 array of one element on the net's device: how many forward passes came before this one
    changes  grows whenever parameters may have changed: what was derived from them is then derived anew
    """

    x: list[Array]
    y: list[Array]
    w: list[Array]
    dx: list[Array | None]
    dy: list[Array]
    dw: list[Array | None]
    work: dict[str, Array]
    passes: Array
    changes: ChangeCount = field(default_factory=lambda: ChangeCount())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which gradients the net will ask for: per bottom, per parameter; none in nets that only run forward."""

    bottoms: tuple[bool, ...]
    params: tuple[bool, ...]

    @property
    def backward(self) -> bool:
        return any(self.bottoms) or any(self.params)


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of a layer's bottoms, tops and parameters."""

    x: tuple[Shape, ...]
    y: tuple[Shape, ...]
    w: tuple[Shape, ...] = ()


class Prepared(NamedTuple):
    """What an implementation that is prepared asks of the net: how its blobs are to lie, and its buffers, by name."""

    layouts: Layouts
    buffers: Mapping[str, Buffer]


def following(bottoms: Sequence[Layout], shapes: Shapes) -> Layouts:
    """All blobs as the first bottom lies, where they are of one shape; else plain."""
    if bottoms and all(shape == shapes.x[0] for shape in (*shapes.x, *shapes.y)):
        return Layouts((bottoms[0],) * len(shapes.x), (bottoms[0],) * len(shapes.y))
    return plain(shapes.x, shapes.y)
