"""Key-value databases of records, read in key order: the interface of LMDB and LevelDB."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, TypeAlias

from brew.errors import DataError

Record: TypeAlias = tuple[bytes, bytes]  # key, value


class Database(ABC):
    """One open database. Reading never changes it; any number may be open on the same folder."""

    backend: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def length(self) -> int:
        """The number of records, at least 1."""

    @abstractmethod
    def scan(self, skip: int) -> Iterator[Record]:
        """The records from number `skip` (less than `length`) to the last."""

    @abstractmethod
    def keys(self) -> Iterator[bytes]:
        """The keys of all records, in order; values are not read."""

    @abstractmethod
    def read(self, keys: Iterable[bytes]) -> Generator[Record, None, None]:
        """The records of `keys`, in the order given; DataError where one is not there."""

    @abstractmethod
    def last(self) -> Record:
        """The record of the last key."""

    @abstractmethod
    def close(self) -> None:
        """Close the files; iterators made before must not be used any more."""

    def records(self, start: int = 0) -> Generator[Record, None, None]:
        """All records for ever, in key order, from number `start` (taken modulo the length) on."""
        skip = start % self.length
        while True:
            yield from self.scan(skip)
            skip = 0

    def first(self) -> Record:
        """The first record."""
        return next(self.scan(0))

    def gone(self, key: bytes) -> DataError:
        """The error for a key that is not there (any more)."""
        name = key.decode(errors="replace")
        return DataError(f"{self.path} has no record {name!r} any more: was it written to during the training?")
