"""What the parent knows of a source's records: counts, statistics of channels, hashes to compare them by."""

from __future__ import annotations

import base64
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.datasets.likeness import SIZE

DIGEST = 16  # bytes
NO_LABEL = -(1 << 62)
_MOST = 2_000_000  # records that are compared: 300 bytes are held of each


@dataclass(slots=True)
class Channels:
    """Sums over the values of each channel, of all records with so many channels."""

    records: int
    count: int
    sums: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]

    @property
    def mean(self) -> list[float]:
        means: list[float] = (self.sums / self.count).tolist()
        return means

    @property
    def deviation(self) -> list[float]:
        """The standard deviation of each channel's values."""
        variance = self.squares / self.count - (self.sums / self.count) ** 2
        deviations: list[float] = np.sqrt(np.maximum(variance, 0)).tolist()
        return deviations


@dataclass(slots=True)
class Compared:
    """Hashes of records, in few bytes: their names one behind the other, digests and signatures likewise."""

    names: bytearray = field(default_factory=bytearray)
    ends: array[int] = field(default_factory=lambda: array("Q"))
    labels: array[int] = field(default_factory=lambda: array("q"))
    digests: bytearray = field(default_factory=bytearray)
    signatures: bytearray = field(default_factory=bytearray)
    signed: array[int] = field(default_factory=lambda: array("Q"))  # the records that have a signature
    left_out: int = 0

    def add(self, name: str, label: int | None, digest: str, signature: str) -> None:
        if len(self.ends) == _MOST:
            self.left_out += 1
            return
        self.names += name.encode("utf-8", "surrogateescape")
        if signature:
            self.signed.append(len(self.ends))
            self.signatures += base64.b64decode(signature)
        self.ends.append(len(self.names))
        self.labels.append(NO_LABEL if label is None else label)
        self.digests += bytes.fromhex(digest)

    def name(self, number: int) -> str:
        start = self.ends[number - 1] if number else 0
        return self.names[start : self.ends[number]].decode("utf-8", "surrogateescape")

    def label(self, number: int) -> int | None:
        label = self.labels[number]
        return None if label == NO_LABEL else label

    def table(self) -> npt.NDArray[np.uint8]:
        """Signatures, (pictures, SIZE)."""
        return np.frombuffer(bytes(self.signatures), np.uint8).reshape(-1, SIZE)


@dataclass(slots=True)
class Facts:
    """Of one source: records by class, channels by their number, hashes; why there is no mean, where one is asked."""

    classes: Counter[int] = field(default_factory=Counter)
    channels: dict[int, Channels] = field(default_factory=dict)
    compared: Compared = field(default_factory=Compared)
    no_mean: str | None = None

    def add(self, record: str, classes: Sequence[Sequence[int]], measures: Sequence[Sequence[Any]]) -> None:
        """Take over what the child says of a record, or of the rows of a dataset."""
        for label, count in classes:
            self.classes[label] += count
        alone = classes[0][0] if len(classes) == 1 and len(measures) == 1 else None
        for name, digest, signature, count, sums, squares in measures:
            if digest:
                self.compared.add(name or record, alone, digest, signature)
            if count:
                self._add_channels(count, np.array(sums), np.array(squares))

    def _add_channels(self, count: int, sums: npt.NDArray[np.float64], squares: npt.NDArray[np.float64]) -> None:
        channels = self.channels.get(len(sums))
        if channels is None:
            self.channels[len(sums)] = Channels(1, count, sums, squares)
            return
        channels.records += 1
        channels.count += count
        channels.sums += sums
        channels.squares += squares
