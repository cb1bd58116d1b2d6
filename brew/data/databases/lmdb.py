"""LMDB, read-only, as Caffe's tools write it: a folder with data.mdb, records in key order.

LMDB trusts its file: a page that is not there kills the process (SIGBUS), a page of another kind stops it in an
assertion. So the tree is checked before LMDB walks it (lmdb_pages).
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from brew.errors import DataError
from brew.files import regular

from .database import Database, Reading, Record
from .lmdb_pages import check_pages

T = TypeVar("T")

_AT_ONCE = 1 << 17  # bytes of values that are read at once: some 20 microseconds
_KEYS = 64  # likewise keys
_SETTLED = 2.0  # seconds: a later write may leave the same time stamp


class _Environments:
    """The environments open in this process: LMDB allows one per folder, which all nets share.

    The collector gives environments back, too, and it may run wherever this thread or another has the lock: nothing
    waits for it there. What is given back goes to `returned`, and a call that has the lock closes it.

    A thread holds `inside` while it is in LMDB's code, and the process while it forks: in the child, an environment
    that another thread was in could not be closed.
    """

    lock = threading.Lock()
    inside = threading.RLock()
    open: ClassVar[dict[tuple[int, Path], tuple[Any, int]]] = {}  # by process: a child's are its own
    returned: ClassVar[deque[tuple[int, Path]]] = deque()
    checked: ClassVar[set[tuple[int, ...]]] = set()  # files found whole: a net opens its source more than once

    @classmethod
    def borrow(cls, path: Path) -> Any:
        import lmdb

        key = os.getpid(), path.resolve()
        try:
            with cls.lock:
                cls._take_back()
                environment, users = cls.open.get(key, (None, 0))
                if environment is None:
                    cls._check(path / "data.mdb")
                    try:
                        with cls.inside:
                            environment = lmdb.open(
                                str(path), readonly=True, create=False, lock=False, readahead=False, max_spare_txns=1
                            )
                    except (lmdb.Error, OSError) as error:
                        raise DataError(f"LMDB {path} cannot be opened: {error}") from None
                cls.open[key] = environment, users + 1
                return environment
        finally:
            cls._settle()

    @classmethod
    def _check(cls, file: Path) -> None:
        try:
            regular.check(file)
            facts = file.stat()
        except OSError as error:
            raise DataError(f"LMDB {file} cannot be read: {error.strerror}") from None
        state = facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
        if state not in cls.checked:
            check_pages(file)
            if time.time() - facts.st_mtime > _SETTLED:
                cls.checked.add(state)

    @classmethod
    def give_back(cls, key: tuple[int, Path]) -> None:
        if key[0] == os.getpid():  # else the parent's, in a child made by fork
            cls.returned.append(key)
            cls._settle()

    @classmethod
    def _settle(cls) -> None:
        """See to what was given back, unless another call has the lock: that one does, then."""
        while cls.returned and cls.lock.acquire(blocking=False):
            try:
                cls._take_back()
            finally:
                cls.lock.release()

    @classmethod
    def _take_back(cls) -> None:
        """Close what was given back and has no user left; the caller has the lock."""
        while cls.returned:
            key = cls.returned.popleft()
            environment, users = cls.open.pop(key)
            if users > 1:
                cls.open[key] = environment, users - 1
            else:
                environment.close()


def _few(record: Record) -> int:
    """How many records like this one are read at once."""
    return min(_KEYS, max(1, _AT_ONCE // max(1, len(record[1]))))


def _forget() -> None:
    """In a child made by fork: LMDB allows no environment of the parent's, nor a second one beside it.

    Another thread may have held the lock. Nothing of the parent's is changed: readers have no lock file.
    """
    _Environments.lock, _Environments.inside = threading.Lock(), threading.RLock()
    for environment, _ in _Environments.open.values():
        environment.close()
    _Environments.open.clear()
    _Environments.returned.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _Environments.inside.acquire(),  # looked up then: a child has a lock of its own
        after_in_parent=lambda: _Environments.inside.release(),
        after_in_child=_forget,
    )


class LMDB(Database):
    """The records of the LMDB in folder `path`; needs no write access, not even for a lock file."""

    backend = "LMDB"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._environment: Any = _Environments.borrow(path)
        self._give_back = weakref.finalize(self, _Environments.give_back, (os.getpid(), path.resolve()))
        facts = self._environment.stat()
        self._length: int = facts["entries"]
        self._file = str(path / "data.mdb")
        self._whole: int = (self._environment.info()["last_pgno"] + 1) * facts["psize"]  # bytes
        if self._length == 0:
            self.close()
            raise DataError(f"LMDB {path} is empty: it has no record")

    @property
    def length(self) -> int:
        return self._length

    def scan(self, skip: int) -> Reading:
        return Reading(self._scan(skip))

    def _scan(self, skip: int) -> Generator[list[Record], None, None]:
        import lmdb

        last: list[bytes] = []
        try:
            with self._transaction() as transaction:
                self._check_size()
                with _Environments.inside:
                    cursor = transaction.cursor()
                    cursor.first()
                    keys = cursor.iternext(keys=True, values=False)
                for _ in self._watched(islice(keys, skip)):  # leaves the cursor on the last one skipped
                    pass
                if skip:
                    with _Environments.inside:
                        cursor.next()

                def few(record: Record) -> int:
                    last[:] = record[:1]
                    return _few(record)

                yield from self._watched(cursor.iternext(keys=True, values=True), few)
        except lmdb.Error as error:
            where = f"behind the record {last[0].decode(errors='replace')!r}" if last else "at its first record"
            raise self._damaged(where, error) from None

    def keys(self) -> Iterator[bytes]:
        import lmdb

        try:
            with self._transaction() as transaction:
                for few in self._watched(transaction.cursor().iternext(keys=True, values=False)):
                    yield from few
        except lmdb.Error as error:
            raise self._damaged("among its keys", error) from None

    def read(self, keys: Iterable[bytes]) -> Reading:
        """All in one transaction: writes of other processes are not seen."""
        return Reading(self._read(keys))

    def _read(self, keys: Iterable[bytes]) -> Generator[list[Record], None, None]:
        import lmdb

        wanted, number = iter(keys), 1
        with self._transaction() as transaction:
            while few := list(islice(wanted, number)):
                self._check_size()
                try:
                    with _Environments.inside:
                        records: list[Record] = transaction.cursor().getmulti(few)
                except lmdb.Error as error:
                    raise self._damaged(f"at the record {few[0].decode(errors='replace')!r}", error) from None
                if len(records) < len(few):
                    there = {key for key, _ in records}
                    raise self.gone(next(key for key in few if key not in there))
                yield records
                number = _few(records[-1])

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A transaction for reading."""
        with _Environments.inside:
            transaction = self._environment.begin(buffers=False)
        try:
            yield transaction
        finally:
            with _Environments.inside:
                transaction.abort()

    def _watched(self, items: Iterable[T], many: Callable[[T], int] = lambda _: _KEYS) -> Iterator[list[T]]:
        """A cursor's items, a few at a time. The file is measured before: reading a missing page kills the process
        (SIGBUS). `many` says by the last one how many are a few; those in front of an error come before it."""
        iterator, number = iter(items), 1
        while True:
            few: list[T] = []
            self._check_size()
            try:
                with _Environments.inside:
                    few.extend(islice(iterator, number))
            finally:
                then = many(few[-1]) if few else 1
                if few:
                    yield few
            if len(few) < number:
                return
            number = then

    def _check_size(self) -> None:
        """Takes a microsecond a record. Pages can still go missing between the check and the reading."""
        try:
            size = os.stat(self._file).st_size  # noqa: PTH116 (a third of the time)
        except OSError as error:
            raise DataError(f"LMDB {self._file} cannot be read any more: {error.strerror or error}") from None
        if size < self._whole:
            text = f"LMDB {self._file} has been truncated since it was opened: {size} bytes of {self._whole} are there"
            raise DataError(text, hint="nothing may write to the database of a training; copy it again")

    def last(self) -> Record:
        import lmdb

        try:
            self._check_size()
            with self._transaction() as transaction, _Environments.inside:
                cursor = transaction.cursor()
                cursor.last()
                record: Record = cursor.item()
                return record
        except lmdb.Error as error:
            raise self._damaged("at its last record", error) from None

    def _damaged(self, where: str, error: Exception) -> DataError:
        return DataError(f"LMDB {self.path} is damaged {where}: {error}")

    def close(self) -> None:
        self._give_back()
