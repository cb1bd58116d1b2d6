"""Where a path written in a file is looked up: the working directory first, as Caffe does, then the file's folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from brew.errors import DataError, Place

log = logging.getLogger("brew")


def find(written: str, folder: Path, *, what: str, place: Place | None = None, hint: str | None = None) -> Path:
    """The existing file or folder that `written` names.

    `folder` is the second place a relative path is looked up in; a log line says when it is taken. `what` names the
    thing in messages ('layer "mnist": source'). Raises DataError with both places, and `hint`, when there is nothing.
    """
    if not written:
        raise DataError(f"{what} is empty: a path is expected", place=place)
    first = Path(written).expanduser()
    if first.exists():
        return first
    if first.is_absolute():
        raise DataError(f"{what}: there is no {first}", place=place, hint=hint)
    second = folder / first
    if second.exists():
        log.info("%s: %s is taken from %s", what, written, folder)
        return second
    tried = [first.absolute(), second.absolute()] if second.absolute() != first.absolute() else [first.absolute()]
    text = f"{what}: there is no {written}; looked for {' and '.join(map(str, tried))}"
    raise DataError(text, place=place, hint=hint)


def find_prefix(root: str, name: str, folder: Path, *, what: str, place: Place | None = None) -> str:
    """What stands before every name of a list: `root`, or `folder` and `root` where only that leads to `name`.

    No separator is put behind `root`. Raises DataError when `name` is in neither place.
    """
    found = find(root + name, folder, what=what, place=place)
    return root if found == Path(root + name).expanduser() else f"{folder}{os.sep}{root}"
