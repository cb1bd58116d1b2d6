"""Cached files that one process leaves for the next; missing ones are made anew.

They lie in BREW_CACHE, else in `brew` in XDG_CACHE_HOME or ~/.cache, in a folder for each purpose. A file begins with a
digest of its name and its content, so that a damaged file, or one copied over another, is never used. Where no file
can be written, only time is lost.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

from . import regular

log = logging.getLogger("brew")

VARIABLE = "BREW_CACHE"
_DIGEST = hashlib.sha256().digest_size


def read(folder: str, name: str) -> bytes | None:
    """The content kept under this name; None where there is none, or it is not whole."""
    try:
        content = regular.read_bytes(_path(folder, name))
    except OSError:
        return None
    kept = content[_DIGEST:]
    return kept if _digest(folder, name, kept) == content[:_DIGEST] else None


def keep(folder: str, name: str, content: bytes) -> None:
    """Write it whole or not at all: several processes may write at once."""
    try:
        path = _path(folder, name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(folder, name, content) + content)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        log.debug("cache: %s/%s cannot be kept: %s", folder, name, error)


def _digest(folder: str, name: str, content: bytes) -> bytes:
    return hashlib.sha256(f"{folder}/{name}\0".encode() + content).digest()


def _path(folder: str, name: str) -> Path:
    """The path of a cached file; OSError where there is no home folder."""
    own = os.environ.get(VARIABLE)
    try:
        root = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "brew"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error
    return root / folder / name
