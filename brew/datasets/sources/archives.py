"""Archives of class folders: zip and tar, read where they lie. Nothing of them is unpacked to disk."""

from __future__ import annotations

import lzma
import os
import re
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tarfile import EmptyHeaderError, InvalidHeaderError, TruncatedHeaderError  # type: ignore[attr-defined]
from typing import Any, BinaryIO, Self

from brew.errors import DataError
from brew.files import regular
from brew.files.signatures import noun_of

from .items import Content, Item, Pile, Problem
from .trees import class_tree, is_picture

_MOST = 1 << 30  # bytes of one member
_SUSPICIOUS, _RATIO = 16 << 20, 500  # a member of at least these bytes, so many times its size in the archive
_UNPACKED = 200  # times the size of a compressed tar, and _SUSPICIOUS more, that it may unpack to
_WINDOW = 256 << 20  # bytes of a compressed tar's members in memory
_LOOKED_AT = 10_000  # members, to recognise an archive
_TAR = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
ZIP_ERRORS = (zipfile.BadZipFile, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, RuntimeError)
_HEAD = 16  # bytes that tell a zip archive
_NAMED_TAR = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)$", re.IGNORECASE)
_ASTRAY = re.compile(r"(^|/)\.\.(/|$)|^/|^[A-Za-z]:|\\|\0")


class ZipFolders(Pile):
    """A zip archive of class folders."""

    kind = "a zip archive of class folders"

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        self._local = threading.local()
        try:
            regular.check(path)
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if not info.is_dir()]
        except ZIP_ERRORS as error:
            raise DataError(f"{path} is no zip archive that can be read: {error}") from None
        refused = {info.filename: reason for info in members if (reason := refusal_in_zip(info)) is not None}
        self.problems, names = _sorted_out(refused, [info.filename for info in members])
        tree = class_tree(names)
        if not tree.items and not self.problems:
            raise DataError(f"{path} has no pictures in class folders", hint="; ".join(tree.notes) or None)
        self.labels, self.items, self.notes = tree.labels, tree.items, tree.notes
        self._sizes = {info.filename: info.file_size for info in members}

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a zip archive with pictures in two folders or more."""
        try:
            if not path.is_file() or not zipfile.is_zipfile(path):
                return False
            with zipfile.ZipFile(path) as archive:
                return _is_classes(archive.namelist())
        except ZIP_ERRORS:
            return False

    def size(self, item: Item) -> int | None:
        return self._sizes[item.name]

    def read(self, item: Item) -> Content:
        try:
            return Content(self._archive().read(item.name))
        except ZIP_ERRORS as error:
            raise DataError(f"it cannot be read from {self.path}: {error}") from None

    def close(self) -> None:
        self._local = threading.local()

    def _archive(self) -> zipfile.ZipFile:
        """Open for this thread alone."""
        archive: zipfile.ZipFile | None = getattr(self._local, "archive", None)
        if archive is None:
            archive = self._local.archive = zipfile.ZipFile(self.path)
        return archive

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _local=threading.local())


def refusal_in_zip(info: zipfile.ZipInfo) -> str | None:
    """Why a member of a zip is not read, in words; else None."""
    if info.flag_bits & 1:
        return "it is encrypted"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link"
    return _refusal(info.filename, info.file_size, info.compress_size)


def _refusal(name: str, size: int, packed: int) -> str | None:
    """Why a member is not read, in words."""
    if _ASTRAY.search(name):
        return "its name leads out of the archive"
    if size > _MOST:
        return f"it unpacks to {size} bytes; up to {_MOST} are read"
    if size > _SUSPICIOUS and size > _RATIO * packed:
        return f"its {packed} bytes unpack to {size}: it is taken for a bomb"
    return None


def _sorted_out(refused: Mapping[str, str], names: Sequence[str]) -> tuple[list[Problem], list[str]]:
    """The pictures that are refused, and the names of the rest, each once."""
    problems = [Problem(name, reason) for name, reason in sorted(refused.items()) if is_picture(name)]
    seen: set[str] = set()
    for name in names:
        if name in seen and is_picture(name) and name not in refused:
            problems.append(Problem(name, "there are several of this name; the last one counts"))
        seen.add(name)
    return problems, [name for name in dict.fromkeys(names) if name not in refused]


def _is_classes(names: Sequence[str]) -> bool:
    tree = class_tree(names)
    return len(tree.labels) > 1


class TarFolders(Pile):
    """A tar archive of class folders, compressed or not.

    Members of a compressed one can only be read in its order: it is unpacked once for every 256 MiB, in the order in
    which `expect` says that items are going to be read.
    """

    kind = "a tar archive of class folders"

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._held: dict[str, bytes] = {}
        self._order: Sequence[Item] = ()
        try:
            regular.check(path)
            self._packed = not _is_plain(path)
            notes: list[str] = []
            members = list(_members(path, notes))
        except _TAR as error:
            raise DataError(f"{path} is no tar archive that can be read: {error}") from None
        refused = {m.name: reason for m in members if (reason := _refusal_in_tar(m)) is not None}
        self.problems, names = _sorted_out(refused, [m.name for m in members])
        tree = class_tree(names)
        if not tree.items and not self.problems:
            raise DataError(f"{path} has no pictures in class folders", hint="; ".join(tree.notes) or None)
        self.labels, self.items, self.notes = tree.labels, tree.items, [*notes, *tree.notes]
        self._places = {m.name: (m.offset_data, m.size) for m in members}

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a tar archive with pictures in two folders or more among its first members."""
        try:
            return path.is_file() and tarfile.is_tarfile(path) and _is_classes(list(_first_names(path)))
        except (*_TAR, DataError):
            return False

    def size(self, item: Item) -> int | None:
        return self._places[item.name][1]

    def expect(self, items: Sequence[Item]) -> None:
        self._order = items

    def read(self, item: Item) -> Content:
        if self._packed:
            return Content(self._unpacked(item))
        offset, size = self._places[item.name]
        try:
            with regular.opened(self.path) as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise DataError(f"it cannot be read from {self.path}: {error.strerror or error}") from None
        if len(data) < size:
            raise DataError(f"{self.path} ends within it")
        return Content(data)

    def _unpacked(self, item: Item) -> bytes:
        with self._lock:
            if item.name not in self._held:
                self._load(item)
            try:
                return self._held.pop(item.name)
            except KeyError:
                raise DataError(f"{self.path} holds it no more: was it changed?") from None

    def _load(self, item: Item) -> None:
        """Take the members of the next items, beginning with `item`, into memory."""
        names = [other.name for other in self._order]
        start = names.index(item.name) if item.name in names else len(names)
        wanted, size = {item.name}, self._places[item.name][1]
        for name in names[start + 1 :]:
            size += self._places[name][1]
            if size > _WINDOW:
                break
            wanted.add(name)
        try:
            with regular.opened(self.path) as file, _stream(file) as archive:
                for member in archive:
                    if member.name in wanted and member.isreg() and (data := archive.extractfile(member)):
                        self._held[member.name] = data.read(member.size)
        except _TAR as error:
            raise DataError(f"it cannot be read from {self.path}: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_held")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock(), _held={})


class _Member(tarfile.TarInfo):
    """A member. What is none, behind others, is an error: tarfile takes it for the end, and the rest would be lost."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except EmptyHeaderError:
            archive.ends_bare = True  # type: ignore[attr-defined]
            raise
        except (InvalidHeaderError, TruncatedHeaderError) as error:
            if archive.offset == 0:
                raise
            text = f"at byte {archive.offset} a member is expected ({error}): was it cut or damaged?"
            raise tarfile.ReadError(text) from None


def _is_plain(path: Path) -> bool:
    """Whether a tar is not compressed: its first header has tar's mark, or its checksum."""
    try:
        with regular.opened(path) as file, tarfile.open(fileobj=file, mode="r:"):
            return True
    except tarfile.ReadError:
        return False


def _stream(file: BinaryIO) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="r|*", errorlevel=1, tarinfo=_Member)


def damage(path: Path) -> str | None:
    """What a file is that begins or is called as an archive and cannot be read as one, in words; else None."""
    try:
        if noun_of(regular.head(path, _HEAD)) == "a zip archive":
            return None if zipfile.is_zipfile(path) else "a zip archive without an end: it was cut, or is damaged"
        if not (_NAMED_TAR.search(path.name) or tarfile.is_tarfile(path)):
            return None
        notes: list[str] = []
        for _ in _members(path, notes):
            pass
        if notes:
            return "a tar archive without an end: it may have been cut"
    except (*_TAR, *ZIP_ERRORS) as error:
        return f"a tar archive that was cut, or is damaged: {error or type(error).__name__}"
    return None


def _first_names(path: Path) -> Iterator[str]:
    """The names of the first members; of a damaged archive as many as there are, so that its reading tells."""
    try:
        for member in islice(_members(path), _LOOKED_AT):
            yield member.name
    except (*_TAR, DataError):
        return


def _members(path: Path, notes: list[str] | None = None) -> Iterator[tarfile.TarInfo]:
    """All that is no folder; hard links stand for what they lead to. `notes` gets a remark. DataError for a bomb."""
    plain = _is_plain(path)
    with regular.opened(path) as file:
        limit = _UNPACKED * os.fstat(file.fileno()).st_size + _SUSPICIOUS
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_Member) if plain else _stream(file) as archive:
            for member in archive:
                if not plain and member.offset_data + member.size > limit:
                    raise DataError(f"{path} unpacks to more than {_UNPACKED} times its size: it is taken for a bomb")
                if not member.isdir():
                    yield member
            if notes is not None and getattr(archive, "ends_bare", False):
                notes.append("the archive ends without tar's mark of an end: it may have been cut")


def _refusal_in_tar(member: tarfile.TarInfo) -> str | None:
    if member.islnk() or member.issym():
        return "it is a link"
    if not member.isreg():
        return "it is no regular file"
    return _refusal(member.name.removeprefix("./"), member.size, member.size)
