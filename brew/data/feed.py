"""The one implementation of all data layers: a host batch goes into the tops, whatever the device."""

from __future__ import annotations

from brew import cuda
from brew.layer import Arrays, Implementation
from brew.layer.data_layer import DataLayer


class CPUFeed(Implementation[DataLayer]):
    """Writes the next batch into the tops."""

    def forward(self, io: Arrays) -> None:
        self.layer.write_batch(io.y)


class CUDAFeed(Implementation[DataLayer]):
    """Uploads the next batch into the tops."""

    def forward(self, io: Arrays) -> None:
        for top, batch in zip(io.y, self.layer.next_batch(), strict=True):
            cuda.upload(top, batch)


def feeds(cls: type[DataLayer]) -> None:
    """Register both implementations for a data layer."""
    cls.runs_on("cpu")(CPUFeed)
    cls.runs_on("cuda")(CUDAFeed)
