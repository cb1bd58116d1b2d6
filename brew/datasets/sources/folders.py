"""A folder with a folder of pictures for each class; these may lie in folders of parts (train, val, test)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from brew.errors import DataError
from brew.files import regular

from .items import Content, Item, Pile, file_stamp
from .trees import class_tree, in_bytes_order, is_picture

_LOOKED_AT = 10_000  # files, to recognise a folder


class FolderPile(Pile):
    """Pictures that are files below the folder `path`: an item's name is that of its file."""

    def stamp(self, item: Item) -> str:
        return file_stamp(self.path / item.name)

    def size(self, item: Item) -> int | None:
        return (self.path / item.name).stat().st_size

    def read(self, item: Item) -> Content:
        return Content(read_file(self.path / item.name))


class ClassFolders(FolderPile):
    """The pictures in a folder of class folders. A class is everything below its folder."""

    kind = "class folders"

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        try:
            tree = class_tree(files_below(path))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        if not tree.items:
            raise DataError(f"{path} has no pictures in class folders", hint="; ".join(tree.notes) or None)
        self.labels, self.items, self.notes = tree.labels, tree.items, tree.notes

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there is a picture in a folder of the folder."""
        if not path.is_dir():
            return False
        try:
            return any("/" in name and is_picture(name) for name in islice(files_below(path), _LOOKED_AT))
        except OSError:
            return False


def read_file(path: Path) -> bytes:
    """The content of a regular file; DataError."""
    try:
        return regular.read_bytes(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def files_below(folder: Path) -> Iterator[str]:
    """The names of all that is in a folder and its folders and is no folder, relative to it, by bytes; OSError.

    Links are followed, but not to a folder around themselves. Hidden folders are passed over.
    """
    yield from _walk(os.fspath(folder), "", ())


def _walk(folder: str, prefix: str, around: tuple[tuple[int, int], ...]) -> Iterator[str]:
    facts = os.stat(folder)  # noqa: PTH116 (for names of any bytes, a million times)
    here = facts.st_dev, facts.st_ino
    if here in around:
        return
    with os.scandir(folder) as entries:
        kinds = {entry.name: _is_folder(entry) for entry in entries}
    for name in in_bytes_order(kinds):
        if not kinds[name]:
            yield prefix + name
        elif not name.startswith("."):
            yield from _walk(f"{folder}/{name}", f"{prefix}{name}/", (*around, here))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """False for links that lead round in a circle: they are told when their file is read."""
    try:
        return entry.is_dir()
    except OSError:
        return False
