"""The parameters that a forward pass changes (BatchNorm's averages), copied so that the change can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from brew import cuda
from brew.layer import Array

from .parameters import Parameters


class Statistics:
    """The `parameters` that are not learned. The first `keep` allocates copies of them on their device."""

    def __init__(self, parameters: Parameters) -> None:
        graph, slots = parameters.graph, parameters.slots
        self.parameters = parameters
        self._blobs = [slots[i] for i in parameters.owners if not graph.params[i].declared.learned]
        self._kept: list[Array] = []
        self._aside: list[Array] = []

    def keep(self) -> None:
        """Copy them as they are now."""
        if not self._kept:
            self._kept, self._aside = self._empty(), self._empty()
        self._copy(self._kept)

    def put_back(self) -> None:
        """Set them to the copies of the last `keep`."""
        self._write(self._kept)

    @contextmanager
    def as_kept(self) -> Iterator[None]:
        """A context in which they have the values of the last `keep`."""
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
            blob.data_memory.upload()  # with what was written to the host view
            self._move(value, blob.data_memory.array(blob.shape))

    def _write(self, values: Sequence[Array]) -> None:
        for blob, value in zip(self._blobs, values, strict=True):
            self._move(blob.data_memory.array(blob.shape), value)
            blob.data_memory.download()
        self.parameters.changes.number += 1

    def _move(self, target: Array, source: Array) -> None:
        (np.copyto if self.parameters.device == "cpu" else cuda.copy)(target, source)
