"""What a forward pass changes of a net's parameters (BatchNorm's averages), kept aside so that it can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from brew.net import Net

Values = list[npt.NDArray[np.generic]]


class Statistics:
    """The parameters of `net` that are not learned."""

    def __init__(self, net: Net) -> None:
        graph, slots = net.graph, net.parameters.slots
        self.net = net
        self._blobs = [slots[i] for i in net.parameters.owners if not graph.params[i].declared.learned]
        self._kept: Values = []

    def keep(self) -> None:
        """Remember them as they are now."""
        self._kept = self._now()

    def put_back(self) -> None:
        """Make them again what they were at the last `keep`."""
        self._write(self._kept)

    @contextmanager
    def as_kept(self) -> Iterator[None]:
        """For the length of a `with` they are what they were at the last `keep`."""
        now = self._now()
        self.put_back()
        try:
            yield
        finally:
            self._write(now)

    def _now(self) -> Values:
        return [np.array(b.data_memory.host(b.shape)) for b in self._blobs]

    def _write(self, values: Values) -> None:
        for blob, value in zip(self._blobs, values, strict=True):
            self.net.parameters.write(blob, value)
