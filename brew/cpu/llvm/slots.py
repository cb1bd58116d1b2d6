"""Tables of whole numbers that functions read: named slots, the same for the function and its caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiler import Function
from .values import Int
from .writer import Writer

Table = npt.NDArray[np.int64]


def address(array: npt.NDArray[Any]) -> int:
    """Where the array's first value lies (`array.ctypes.data`, in half the time)."""
    place: int = array.__array_interface__["data"][0]
    return place


class _Calling(np.ndarray[Any, np.dtype[np.int64]]):
    """A table with addresses of functions: it keeps them in memory."""

    functions: tuple[Function, ...] = ()


class Slots:
    """The names of a table's numbers, in their order."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def read(self, writer: Writer, table: Int) -> dict[str, Int]:
        """All of the table at this address."""
        return {name: writer.load_int(table + 8 * i) for i, name in enumerate(self.names)}

    def table(self, values: Mapping[str, int | Function]) -> Table:
        """A table; every slot must be given. Functions stand in it by their addresses, and live as long as it does."""
        if unknown := values.keys() - set(self.names):
            raise KeyError(f"no slot {', '.join(sorted(unknown))}")
        ordered = [values[name] for name in self.names]
        numbers = [value.address if isinstance(value, Function) else value for value in ordered]
        table = np.array(numbers, np.int64).view(_Calling)
        table.functions = tuple(value for value in ordered if isinstance(value, Function))
        return table
