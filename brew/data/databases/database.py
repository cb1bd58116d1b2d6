"""Key-value databases of records, read in key order: the interface of LMDB and LevelDB."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias

from brew.errors import DataError

Record: TypeAlias = tuple[bytes, bytes]  # key, value


class Records(Protocol):
    """Records one after the other; `close` ends the reading."""

    def __iter__(self) -> Iterator[Record]: ...
    def __next__(self) -> Record: ...
    def close(self) -> None: ...


class Reading:
    """Records that `parts` brings some at a time. For each one of them no Python code runs: there are many."""

    def __init__(self, parts: Generator[Iterable[Record], None, None]) -> None:
        self._parts = parts
        self._records = chain.from_iterable(parts)

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def __next__(self) -> Record:
        return next(self._records)

    def close(self) -> None:
        self._parts.close()


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
    def scan(self, skip: int) -> Records:
        """The records from number `skip` (less than `length`) to the last."""

    @abstractmethod
    def keys(self) -> Iterator[bytes]:
        """The keys of all records, in order; values are not read."""

    @abstractmethod
    def read(self, keys: Iterable[bytes]) -> Records:
        """The records of `keys`, in the order given; DataError where one is not there."""

    @abstractmethod
    def last(self) -> Record:
        """The record of the last key."""

    @abstractmethod
    def close(self) -> None:
        """Close the files; iterators made before must not be used any more."""

    def records(self, start: int = 0) -> Records:
        """All records for ever, in key order, from number `start` (taken modulo the length) on.

        The length is not asked for where `start` is 0: it may have to be counted.
        """
        return Reading(self._epochs(start))

    def _epochs(self, start: int) -> Generator[Records, None, None]:
        skip = start % self.length if start else 0
        while True:
            with closing(self.scan(skip)) as records:
                yield records
            skip = 0

    def first(self) -> Record:
        """The first record."""
        return next(self.scan(0))

    def gone(self, key: bytes) -> DataError:
        """The error for a key that is not there (any more)."""
        name = key.decode(errors="replace")
        return DataError(f"{self.path} has no record {name!r} any more: was it written to during the training?")
