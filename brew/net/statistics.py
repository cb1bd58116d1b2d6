"""What a forward pass changes of a net's parameters (BatchNorm's averages), kept aside so that it can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from brew import cuda
from brew.layer import Array

from .parameters import Parameters


class Statistics:
    """Those of the `parameters` that are not learned. Copies of them lie on their device from the first `keep` on."""

    def __init__(self, parameters: Parameters) -> None:
        graph, slots = parameters.graph, parameters.slots
        self.parameters = parameters
        self._blobs = [slots[i] for i in parameters.owners if not graph.params[i].declared.learned]
        self._kept: list[Array] = []
        self._aside: list[Array] = []

    def keep(self) -> None:
        """Remember them as they are now."""
        if not self._kept:
            self._kept, self._aside = self._empty(), self._empty()
        self._copy(self._kept)

    def put_back(self) -> None:
        """Make them again what they were at the last `keep`."""
        self._write(self._kept)

    @contextmanager
    def as_kept(self) -> Iterator[None]:
        """For the length of a `with` they are what they were at the last `keep`."""
        self._copy(self._aside)
        self.put_back()
        try:
            yield
        finally:
            self._write(self._aside)

    def _empty(self) -> list[Array]:
        make = np.empty if self.parameters.device == "cpu" else cuda.empty
        return [make(blob.shape, self.parameters.dtype) for blob in self._blobs]

    def _copy(self, values: Sequence[Array]) -> None:
        for blob, value in zip(self._blobs, values, strict=True):
            blob.data_memory.upload()  # what was written to the host view counts
            self._move(value, blob.data_memory.array(blob.shape))

    def _write(self, values: Sequence[Array]) -> None:
        for blob, value in zip(self._blobs, values, strict=True):
            self._move(blob.data_memory.array(blob.shape), value)
            blob.data_memory.download()
        self.parameters.version.number += 1

    def _move(self, target: Array, source: Array) -> None:
        (np.copyto if self.parameters.device == "cpu" else cuda.copy)(target, source)
