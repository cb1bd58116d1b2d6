"""Files from public mirrors: checked, resumed where they broke off, from the next mirror where one fails."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import logging
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Literal, TypeAlias

from brew.errors import DataError, ResourceError

from . import regular
from .atomic import reason

log = logging.getLogger("brew")

# (what is being done, amount done, total or None)
Progress: TypeAlias = Callable[[str, int, int | None], None]

_CHUNK = 1 << 16
_TRIES = 3  # per mirror, each going on where the last one broke off
_TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected content of a file, unpacked."""

    name: str
    size: int
    sha256: str


def unpack(path: Path, expected: Expected) -> bytes:
    """The content of `path`, gzipped or not; DataError unless it is the expected one."""
    raw = regular.read_bytes(path)
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as stream:
                raw = stream.read(expected.size + 1)  # not more: a small file may unpack to anything
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be unpacked: {error}") from None
    elif raw[:1] == b"<":
        raise DataError(f"{path} is a web page, not the file {expected.name}")
    if len(raw) != expected.size:
        more = "more than " if len(raw) > expected.size else ""
        came = f"{more}{min(len(raw), expected.size)}"
        raise DataError(f"{path} holds {came} bytes, {expected.size} are expected")
    came = hashlib.sha256(raw).hexdigest()
    if came != expected.sha256:
        raise DataError(f"{path} has the SHA-256 {came}, {expected.sha256} is expected")
    return raw


def download(mirrors: Sequence[str], expected: Expected, folder: Path, progress: Progress | None = None) -> bytes:
    """The content of `expected.name`.gz from the first mirror that has the expected file.

    The downloaded part is kept in `folder` as NAME.gz.part, and as NAME.gz once it is checked; a later call goes on
    from there. Raises DataError with every mirror's failure, ResourceError where the part cannot be written.
    """
    target = _arrived(folder, expected)
    if target.exists():
        return unpack(target, expected)
    part = _part(target)
    failures = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + target.name
        try:
            content = _from_mirror(url, part, expected, progress)
        except (DataError, OSError, http.client.HTTPException) as error:
            failures.append(f"{url}: {_reason(error)}")
            log.info("%s", failures[-1])
            continue
        part.replace(target)
        return content
    raise DataError(
        f"{target.name} could not be downloaded: {'; '.join(failures)}",
        hint="fetch the files by other means, and name their folder with --from",
    )


def forget(folder: Path, expected: Expected) -> None:
    """Delete what `download` has kept in `folder`."""
    for path in (target := _arrived(folder, expected)), _part(target):
        path.unlink(missing_ok=True)


def _arrived(folder: Path, expected: Expected) -> Path:
    return folder / f"{expected.name}.gz"


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _from_mirror(url: str, part: Path, expected: Expected, progress: Progress | None) -> bytes:
    """Download and check; begins anew once where the kept part, of another mirror or another day, does not fit."""
    resumed = part.exists()
    for attempt in range(_TRIES):
        try:
            _fetch(url, part, expected.name, progress)
            break
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            if attempt == _TRIES - 1:
                raise
            log.info("%s broke off (%s); going on", url, _reason(error))
    try:
        return unpack(part, expected)
    except DataError:
        part.unlink()
        if not resumed:
            raise
        return _from_mirror(url, part, expected, progress)


def _fetch(url: str, part: Path, name: str, progress: Progress | None) -> None:
    """Append what is missing to `part`, or write it anew where the server sends it all."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "brew"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # nothing is missing; the check decides
                return
            raise
    with response:
        if response.status != 206:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with _opened(part, "ab" if have else "wb") as stream:
            while chunk := response.read(_CHUNK):
                _write(stream, chunk)
                have += len(chunk)
                if progress is not None:
                    progress(f"{name}.gz", have, total)
    if total is not None and have < total:
        raise http.client.IncompleteRead(b"", total - have)


def _opened(path: Path, mode: Literal["ab", "wb"]) -> FileIO:
    """Unbuffered: closing it writes nothing more."""
    try:
        return path.open(mode, buffering=0)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(stream: FileIO, chunk: bytes) -> None:
    """All of it. A disk that is full is no failure of a mirror."""
    left = memoryview(chunk)
    try:
        while left:
            left = left[stream.write(left) :]
    except OSError as error:
        raise _unwritable(stream.name, error) from error


def _unwritable(path: object, error: OSError) -> ResourceError:
    return ResourceError(f"cannot write {path}: {reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return f"{error.expected} bytes are missing"
    return error.message if isinstance(error, DataError) else str(error) or type(error).__name__
