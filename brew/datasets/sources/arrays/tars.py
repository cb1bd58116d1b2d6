"""Members of tar archives that lie on disk unpacked, and which of them are read."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from brew.datasets.sources.items import Problem
from brew.errors import DataError

from .stored import Stored

_BROKEN = (tarfile.TarError, OSError, EOFError, ValueError)
_MOST = 1 << 30  # bytes of a member


def members(stored: Stored, shard: Path, problems: list[Problem]) -> Iterator[tarfile.TarInfo]:
    """All members; a problem where something else than the end stands behind them, at which tarfile stops silently."""
    try:
        with stored.file() as file, tarfile.open(fileobj=file, mode="r:") as archive:
            yield from archive
            file.seek(archive.offset)
            if any(file.read(tarfile.BLOCKSIZE)):
                reason = f"what stands from byte {archive.offset} on is no member: was the archive cut?"
                problems.append(Problem(shard.name, reason))
    except _BROKEN as error:
        raise DataError(f"{shard} is no tar archive that can be read: {error}") from None


def refusal(member: tarfile.TarInfo, end: int) -> str | None:
    """Why a member is not read, in words."""
    if not member.isreg():
        return "it is a link" if member.islnk() or member.issym() else "it is no regular file"
    if member.size > _MOST:
        return f"it has {member.size} bytes; up to {_MOST} are read"
    return "the archive ends within it" if member.offset_data + member.size > end else None
