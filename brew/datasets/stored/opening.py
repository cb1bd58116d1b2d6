"""Sources of entries: an LMDB, a LevelDB, an HDF5 file, a list of these, a list of images; told by their contents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from brew.data.databases.opening import open_database
from brew.data.hdf5.tables import open_table, rows
from brew.data.image_list import ImageList
from brew.data.image_source import ImageFiles
from brew.data.labels import label_names
from brew.errors import DataError
from brew.files import regular
from brew.files.paths import is_there
from brew.files.signatures import is_binary, noun_of

from .entry import Entry, file_datum

_EXPECTED = "a database, an HDF5 file, or a list of HDF5 files or images is expected"
_IMPORT = "brew data import makes databases of piles of files"
_MARKS = "data.mdb", "CURRENT"  # the files by which LMDB and LevelDB are known
_LOOKED_UP = 100  # names of a list, to find the folder they start from


class Stored(ABC):
    """Entries in a stated order.

    kind    "LMDB", "LEVELDB", "HDF5" or "images"
    names   of the classes by number; empty where there are none
    length  the number of entries
    """

    kind: str
    path: Path
    names: tuple[str, ...]
    length: int

    @abstractmethod
    def scan(self, skip: int = 0) -> Iterator[Entry]:
        """The entries from number `skip` on. DataError where one cannot be read."""

    def pick(self, numbers: Sequence[int]) -> Iterator[Entry]:
        """The entries of these numbers, which ascend."""
        for number in numbers:
            yield from islice(self.scan(number), 1)

    def find(self, key: bytes) -> Entry | None:
        """The entry of a key; None where there is none, or keys are made up as here for rows."""
        return None

    def close(self) -> None:
        """Close what is open; nothing where files are opened one by one."""
        return

    def __enter__(self) -> Stored:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Records(Stored):
    """The records of a database, in the order of their keys."""

    def __init__(self, path: Path) -> None:
        self._database = open_database(path)
        self.path, self.kind = path, self._database.backend
        self.names = label_names(path)
        self.length = self._database.length

    def scan(self, skip: int = 0) -> Iterator[Entry]:
        return (Entry(key, value) for key, value in self._database.scan(skip)) if skip < self.length else iter(())

    def pick(self, numbers: Sequence[int]) -> Iterator[Entry]:
        wanted = set(numbers)
        keys = (key for number, key in enumerate(self._database.keys()) if number in wanted)
        with closing(self._database.read(list(keys))) as found:
            for key, value in found:
                yield Entry(key, value)

    def find(self, key: bytes) -> Entry | None:
        try:
            with closing(self._database.read([key])) as found:
                return next(Entry(own, value) for own, value in found)
        except DataError:
            return None

    def close(self) -> None:
        self._database.close()


class _Rows(Stored):
    """The rows of HDF5 files; a row's key is its number, of eight digits."""

    kind = "HDF5"

    def __init__(self, path: Path) -> None:
        table = open_table(path)
        assert table is not None
        self._table = table
        self.path, self.names = path, label_names(path)
        self.length = sum(table.rows)

    def scan(self, skip: int = 0) -> Iterator[Entry]:
        for number, row in enumerate(rows(self._table, skip), skip):
            yield Entry(b"%08d" % number, None, row)


class _Images(Stored):
    """The images of a list, in its order; keys as convert_imageset makes them."""

    kind = "images"

    def __init__(self, path: Path) -> None:
        self.path = path
        listed = ImageList.read(path, what="source")
        here = any(is_there(name, Path()) for name in listed.names[:_LOOKED_UP])
        self._files = ImageFiles(listed, "" if here else f"{path.parent}/")
        self.names, self.length = label_names(path), len(listed.names)

    def scan(self, skip: int = 0) -> Iterator[Entry]:
        images = self._files.images
        for number in range(skip, self.length):
            path = self._files.path(number)
            try:
                data = regular.read_bytes(path)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise DataError(f"image {path} cannot be read: {reason}", place=images.place(number)) from None
            key = b"%08d_%s" % (number, images.names[number].encode(errors="surrogateescape"))
            yield Entry(key, file_datum(data, int(images.labels[number])))


def open_stored(path: Path) -> Stored:
    """Open what is at `path`. DataError where it is nothing of these, damaged or empty."""
    if path.is_dir():
        return _Records(_database_folder(path))
    if not path.exists():
        raise DataError(f"there is no {path}; {_EXPECTED}")
    if path.name == "data.mdb":
        raise DataError(f"{path} is the file of an LMDB; its folder is to be given")
    if open_table(path) is not None:
        return _Rows(path)
    head = _head(path)
    noun = noun_of(head)
    if noun != "a text file" and (noun is not None or is_binary(head)):
        raise DataError(f"{path} is {noun or 'a file of unknown kind'}; {_EXPECTED}", hint=_IMPORT)
    return _Images(path)


def _head(path: Path) -> bytes:
    try:
        return regular.head(path, 512)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}; {_EXPECTED}") from None


def _database_folder(path: Path) -> Path:
    """The folder itself where it is a database; DataError that names what is in it, else."""
    if any((path / name).exists() for name in _MARKS):
        return path
    try:
        inside = sorted(
            file.name for file in path.iterdir()
            if file.suffix in (".h5", ".hdf5") or (file.is_dir() and any((file / mark).exists() for mark in _MARKS))
        )  # fmt: skip
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    hint = f"it holds {', '.join(inside[:5])}: give one of them" if inside else _IMPORT
    raise DataError(f"the folder {path} is no LMDB and no LevelDB; {_EXPECTED}", hint=hint)


def paired(path: Path) -> dict[str, Path]:
    """The databases beside one that hold other values of its records, by name: {"masks": train_masks_lmdb}."""
    stem, bar, ending = path.name.rpartition("_")
    if not bar or not path.is_dir():
        return {}
    found = {}
    for other in sorted(path.parent.glob(f"{stem}_*_{ending}")) if not set(stem) & set("*?[") else ():
        name = other.name[len(stem) + 1 : -len(ending) - 1]
        if other.is_dir() and name.isidentifier():
            found[name] = other
    return found
