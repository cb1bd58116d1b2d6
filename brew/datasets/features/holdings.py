"""Where files that become records lie: a folder, a zip archive, a list with labels; each gives names and bytes."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from brew.datasets.sources.archives import ZIP_ERRORS, refusal_in_zip
from brew.datasets.sources.folders import files_below, read_file
from brew.datasets.sources.items import Item, Problem, file_stamp
from brew.datasets.sources.lists import FileList
from brew.datasets.sources.tables import read_table
from brew.datasets.sources.trees import in_bytes_order
from brew.errors import DataError
from brew.files import regular

Wanted = Callable[[str], bool]  # whether a file of this name is of the kind
HOLDING_OPTIONS = {
    name: f"of a list: {text}" for name, text in FileList.OPTIONS.items() if name not in ("group", "weight")
}
_LOOKED_AT = 10_000  # files, to recognise a pile
_FIRST = 50  # lines of a list


class Holding(Protocol):
    """Files by name. `names` are those of the kind, by their bytes or as `listed`; `others`: how many more."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def others(self) -> int: ...
    @property
    def problems(self) -> Sequence[Problem]: ...
    @property
    def listed(self) -> FileList | None: ...

    def head(self, name: str, size: int) -> tuple[bytes, int]:
        """The first bytes of a file, and the size of all of it; DataError."""

    def read(self, name: str) -> bytes:
        """All of a file; DataError."""

    def stamp(self, name: str) -> str:
        """Size and time of the file that holds it; OSError."""

    def close(self) -> None:
        """Close what was opened."""


def holding(path: Path, wanted: Wanted, options: Mapping[str, str]) -> Holding:
    """The files at `path` that are `wanted`; `options` are those of a list. DataError where none can be read."""
    if path.is_dir():
        return _Folder(path, wanted)
    if zipfile.is_zipfile(path):
        return _Zip(path, wanted)
    return _List(path, options)


def holds(path: Path, wanted: Wanted) -> bool:
    """Whether there is a wanted file in the folder, the zip archive or the list; cheap."""
    try:
        if path.is_dir():
            return any(map(wanted, islice(files_below(path), _LOOKED_AT)))
        if not path.is_file():
            return False
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(map(wanted, archive.namelist()))
        if b"\0" in regular.head(path, 4096):
            return False
        return any(wanted(cell) for row in read_table(path, first=_FIRST).rows for cell in row.cells)
    except (*ZIP_ERRORS, DataError):
        return False


class _Folder:
    listed = None

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        try:
            names = list(files_below(path))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        self.names = [name for name in names if wanted(name)]
        self.others = len(names) - len(self.names)
        self.problems: list[Problem] = []

    def head(self, name: str, size: int) -> tuple[bytes, int]:
        return _head(self._path / name, size)

    def read(self, name: str) -> bytes:
        return read_file(self._path / name)

    def stamp(self, name: str) -> str:
        return file_stamp(self._path / name)

    def close(self) -> None:
        pass


class _Zip:
    listed = None

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        self._local = threading.local()
        try:
            regular.check(path)
            with zipfile.ZipFile(path) as archive:
                members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        except ZIP_ERRORS as error:
            raise DataError(f"{path} is no zip archive that can be read: {error}") from None
        refused = {name: reason for name, info in members.items() if (reason := refusal_in_zip(info))}
        self.problems = [Problem(name, reason) for name, reason in sorted(refused.items()) if wanted(name)]
        self.names = in_bytes_order(name for name in members if wanted(name) and name not in refused)
        self.others = len(members) - len(self.names) - len(self.problems)
        self._sizes = {name: members[name].file_size for name in self.names}

    def head(self, name: str, size: int) -> tuple[bytes, int]:
        try:
            with self._archive().open(name) as member:
                return member.read(size), self._sizes[name]
        except ZIP_ERRORS as error:
            raise DataError(f"it cannot be read from {self._path}: {error}") from None

    def read(self, name: str) -> bytes:
        try:
            return self._archive().read(name)
        except ZIP_ERRORS as error:
            raise DataError(f"it cannot be read from {self._path}: {error}") from None

    def stamp(self, name: str) -> str:
        return file_stamp(self._path)

    def close(self) -> None:
        self._local = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _local=threading.local())

    def _archive(self) -> zipfile.ZipFile:
        """Open for this thread alone."""
        archive: zipfile.ZipFile | None = getattr(self._local, "archive", None)
        if archive is None:
            archive = self._local.archive = zipfile.ZipFile(self._path)
        return archive


class _List:
    others = 0

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        known = {name: value for name, value in options.items() if name in FileList.OPTIONS}
        self.listed: FileList = FileList(path, known)
        self.names = [item.name for item in self.listed.items]
        self.problems = list(self.listed.problems)
        self._root = self.listed.root

    def head(self, name: str, size: int) -> tuple[bytes, int]:
        return _head(self._root / name, size)

    def read(self, name: str) -> bytes:
        return read_file(self._root / name)

    def stamp(self, name: str) -> str:
        return file_stamp(self._root / name)

    def close(self) -> None:
        pass


def _head(path: Path, size: int) -> tuple[bytes, int]:
    try:
        return regular.head(path, size), path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def items_of(files: Holding) -> dict[str, Item]:
    """The items of a list by the name of their file; empty for other holdings."""
    return {} if files.listed is None else {item.name: item for item in files.listed.items}
