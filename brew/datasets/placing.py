"""How a complete import comes to its place: at once where nothing is there, else file by file, its description last."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from brew.data.databases.new import check_target
from brew.errors import DataError
from brew.files import regular
from brew.files.atomic import sync_folder

from .description import FILE, MARK, written_names
from .staging import Staging

_REPLACE = "--overwrite replaces it (overwrite=True from Python)"


def check_place(out: Path, names: Iterable[str], *, overwrite: bool) -> None:
    """DataError where `out` is a file, or something in it is in the way of `names`."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; a folder is to be written there")
    ours = is_import(out)
    for name in names:
        target = out / name
        if not os.path.lexists(target):
            continue
        if not ours:
            raise DataError(f"{target} is there, and is of no import: it is not replaced", hint="choose another folder")
        if not overwrite:
            raise DataError(f"{target} is already there", hint=_REPLACE)
        if name.endswith("_lmdb"):
            check_target(target, overwrite=True)
        elif not target.is_file():
            raise DataError(f"{target} is no file: it is not replaced", hint="choose another folder")


def is_import(out: Path) -> bool:
    """Whether the description of an import stands in `out`."""
    try:
        return regular.head(out / FILE, len(MARK)) == MARK.encode()
    except OSError:
        return False


def put_in_place(staging: Staging, out: Path) -> tuple[str, ...]:
    """Move all that is ready to `out`; the names of all of it there. After a kill, the call goes on; OSError."""
    if staging.ready.exists():
        if not os.path.lexists(out) and not staging.is_placing:
            staging.ready.replace(out)
        else:
            _move(staging, out)
    sync_folder(out)
    sync_folder(out.parent)
    return tuple(written_names(out / FILE))


def _move(staging: Staging, out: Path) -> None:
    """First everything old goes, the description ahead; then the new comes, the description last."""
    out.mkdir(exist_ok=True)
    staging.replaced.mkdir(exist_ok=True)
    gone = staging.replaced / ".gone"
    names = sorted(staging.names(), key=lambda name: (name == FILE, name))
    if not gone.exists():
        described = out if is_import(out) else staging.replaced
        for name in dict.fromkeys([FILE, *written_names(described / FILE), *names]):
            if os.path.lexists(out / name):
                (out / name).replace(staging.replaced / name)
        sync_folder(out)
        gone.touch()
    for name in names:
        (staging.ready / name).replace(out / name)
    staging.ready.rmdir()
