"""pycaffe's `net.set_input_arrays`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy.typing as npt

from brew.errors import UsageError

if TYPE_CHECKING:
    from brew.net import Net


@runtime_checkable
class TakesArrays(Protocol):
    """A layer whose data the program hands over: MemoryData."""

    def reset(self, data: npt.ArrayLike, labels: npt.ArrayLike) -> None: ...


def set_input_arrays(net: Net, data: npt.ArrayLike, labels: npt.ArrayLike) -> None:
    """Give the net's first MemoryData layer its data (n x channels x height x width) and n labels.

    UsageError when the net has no such layer, and where the arrays do not fit it.
    """
    for layer in net.data_layers:
        if isinstance(layer, TakesArrays):
            layer.reset(data, labels)
            return
    raise UsageError(f'net "{net.name}" has no MemoryData layer: set_input_arrays has nothing to fill')
