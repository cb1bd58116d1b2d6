"""What one process leaves for the next: files that are made anew wherever they are missing.

They lie in BREW_CACHE, else in `brew` in XDG_CACHE_HOME or ~/.cache, in a folder for each purpose. A file begins with a
digest of its name and of itself, so that nothing damaged is ever used, and no file that was copied over another. Where
none can be written, that costs only time.
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
    """What was last kept under this name; None where nothing was, or not whole."""
    try:
        content = regular.read_bytes(_path(folder, name))
    except OSError:
        return None
    kept = content[_DIGEST:]
    return kept if _digest(folder, name, kept) == content[:_DIGEST] else None


def keep(folder: str, name: str, content: bytes) -> None:
    """Write it whole or not at all: several processes may be at it."""
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
    """OSError where nobody knows a home."""
    own = os.environ.get(VARIABLE)
    try:
        root = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "brew"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error
    return root / folder / name
