"""What holds the files of a pile: a folder, a zip archive, or a tar archive that is not compressed."""

from __future__ import annotations

from pathlib import Path

from brew.files import regular

from .files import Files, ZippedFiles
from .tarred import TarredFiles, is_tar

_ZIP = b"PK\x03\x04"
HOLDERS = "a folder, a zip archive, or a tar archive that is not compressed"


def files_of(path: Path) -> Files | None:
    """The files of HOLDERS; None where `path` is none of them. A DataError comes later, from its use."""
    if path.is_dir():
        return Files(path)
    try:
        if regular.head(path, len(_ZIP)) == _ZIP:
            return ZippedFiles(path)
        return TarredFiles(path) if is_tar(path) else None
    except OSError:
        return None
