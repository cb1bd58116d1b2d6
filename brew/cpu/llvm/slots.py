"""Tables of whole numbers that functions read: named slots, the same for the function and its caller."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .values import Int
from .writer import Writer

Table = npt.NDArray[np.int64]


class Slots:
    """The names of a table's numbers, in their order."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def read(self, writer: Writer, table: Int) -> dict[str, Int]:
        """All of the table at this address."""
        return {name: writer.load_int(table + 8 * i) for i, name in enumerate(self.names)}

    def table(self, values: Mapping[str, int]) -> Table:
        """A table; every slot must be given."""
        if unknown := values.keys() - set(self.names):
            raise KeyError(f"no slot {', '.join(sorted(unknown))}")
        return np.array([values[name] for name in self.names], np.int64)
