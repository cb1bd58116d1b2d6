"""What holds the files of a pile: a folder, a zip archive, or a tar archive that is not compressed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from brew.datasets.sources.items import Content, Item, Pile, file_stamp
from brew.errors import DataError
from brew.files import regular

from .files import Files, ZippedFiles
from .tarred import TarredFiles, is_tar

_ZIP = b"PK\x03\x04"
_HOLDERS = "a folder, a zip archive, or a tar archive that is not compressed"


@lru_cache(maxsize=1)
def _zipped(path: Path, stamp: str) -> ZippedFiles:
    """The same for every kind that is asked whether a pile is one of its own: listing a large one takes a second."""
    return ZippedFiles(path)


def files_of(path: Path) -> Files | None:
    """The files of what can hold them; None where `path` is none of them. A DataError comes later, from its use."""
    if path.is_dir():
        return Files(path)
    try:
        if regular.head(path, len(_ZIP)) == _ZIP:
            return _zipped(path, file_stamp(path))
        return TarredFiles(path) if is_tar(path) else None
    except OSError:
        return None


def held_by(path: Path) -> Files:
    """As `files_of`; DataError where `path` is nothing that holds files."""
    files = files_of(path)
    if files is None:
        raise DataError(f"{path} is not {_HOLDERS}")
    return files


class FilesPile(Pile):
    """Pictures among the files of a pile: an item's name is that of its picture."""

    _files: Files

    def stamp(self, item: Item) -> str:
        return self._files.stamp(item.name)

    def size(self, item: Item) -> int | None:
        return self._files.size(item.name)

    def read(self, item: Item) -> Content:
        return Content(self._files.read(item.name))

    def close(self) -> None:
        self._files.close()
