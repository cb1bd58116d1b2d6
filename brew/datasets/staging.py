"""Where an import grows: a folder beside its place, with a journal, so that a killed import goes on.

`.OUT.importing` beside OUT holds `lock`, which one process at a time has; `journal`, a line of JSON for each piece that
is settled on disk; `ready`, what becomes OUT; and what is needed on the way. What lies behind the last whole line of
the journal never counts.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from brew.errors import ResourceError, UsageError
from brew.files import lock
from brew.files.atomic import reason

log = logging.getLogger("brew")

Entry = dict[str, Any]


class Staging:
    """The folder beside `out`, locked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ready = folder / "ready"
        self.rows = folder / "rows"
        self.signatures = folder / "signatures"
        self.replaced = folder / "replaced"
        self.bad = folder / "bad.txt"
        self._journal = folder / "journal"

    def entries(self) -> list[Entry]:
        """What the journal tells, up to its first line that is not whole; the rest is cut off."""
        try:
            content = self._journal.read_bytes()
        except FileNotFoundError:
            return []
        entries: list[Entry] = []
        whole = 0
        for line in content.splitlines(keepends=True):
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(entry, dict):
                break
            entries.append(entry)
            whole += len(line)
        if whole < len(content):
            os.truncate(self._journal, whole)
        return entries

    def note(self, entry: Entry) -> None:
        """Append an entry, on disk when this returns."""
        with self._journal.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def begin(self, header: Entry) -> None:
        """Forget whatever was here, and begin a journal."""
        for path in (self._journal, self.signatures, self.bad):
            path.unlink(missing_ok=True)
        for folder in (self.ready, self.rows, self.replaced):
            if folder.exists():
                shutil.rmtree(folder)
        self.ready.mkdir()
        self.note(header)

    @property
    def is_placing(self) -> bool:
        """Whether what is ready is on its way to a place where something stood: it must arrive."""
        return self.replaced.exists()

    def names(self) -> list[str]:
        """Of what is ready."""
        return sorted(path.name for path in self.ready.iterdir()) if self.ready.exists() else []

    def remove(self) -> None:
        """Remove the folder, the journal last but the lock; what cannot be removed is left, with a warning."""
        try:
            for folder in (self.ready, self.rows, self.replaced):
                if folder.exists():
                    shutil.rmtree(folder)
            for path in (self.signatures, self.bad, self._journal):
                path.unlink(missing_ok=True)
            shutil.rmtree(self.folder)
        except OSError as error:
            log.warning("%s is left behind: %s", self.folder, reason(error))


def beside(out: Path) -> Path:
    """The folder in which an import to `out` grows."""
    out = out.resolve()
    return out.with_name(f".{out.name}.importing")


@contextmanager
def staged(out: Path) -> Iterator[Staging]:
    """The staging folder of `out`, locked for the length of a `with`; it stays, unless it is removed or was not used.

    UsageError that names the process where another import has it; ResourceError where it cannot be made or written.
    """
    if not out.resolve().name:
        raise UsageError(f"{out} has no folder around it: an import is written beside its place first")
    folder = beside(out)
    try:
        file = _locked(folder)
    except OSError as error:
        raise ResourceError(f"cannot write to {folder.parent}: {reason(error)}") from error
    try:
        yield Staging(folder)
    finally:
        if file is not None:
            file.close()
        with suppress(OSError):  # it is gone, or holds what a later import goes on with
            if [path.name for path in folder.iterdir()] == ["lock"]:
                shutil.rmtree(folder)


def _locked(folder: Path) -> Any:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "lock"
        try:
            file = lock.take(path)
        except FileNotFoundError:
            continue  # the import that had it ended, and removed the folder
        except OSError as error:
            if not folder.is_dir() or not os.access(folder, os.W_OK):
                raise
            log.warning("%s cannot be locked (%s): nothing keeps a second import from writing there", path,
                        reason(error))  # fmt: skip
            return None
        if file is None:
            place = folder.name.removeprefix(".").removesuffix(".importing")
            raise UsageError(
                f"another import writes to {folder.with_name(place)}: {lock.holder(path)}",
                hint="wait for its end, or import to another folder",
            )
        lock.sign(file)
        return file
