"""The lookup of paths written in files: in the working directory first, as in Caffe, then in the file's folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from brew.errors import DataError, Place

log = logging.getLogger("brew")

_SHOWN = 200  # characters of a path in a message


def expanded(name: str | os.PathLike[str]) -> Path:
    """The path, with the home folder for ~ or ~user. The name of no user stays as it is: no such file will be there."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 (Path.expanduser raises RuntimeError for it)


def find(written: str, folder: Path, *, what: str, place: Place | None = None, hint: str | None = None) -> Path:
    """The existing file or folder that `written` names.

    `folder` is the second place a relative path is looked up in; a log line says when it is taken. `what` names the
    thing in messages ('layer "mnist": source'). Raises DataError with both places, and `hint`, when neither exists.
    """
    if not written:
        raise DataError(f"{what} is empty: a path is expected", place=place, hint=hint)
    try:
        first = expanded(written)
        second = folder / first
        first_is_there, second_is_there = first.exists(), second.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        reason = error.strerror or str(error)
        raise DataError(f"{what}: {written[:_SHOWN]} cannot be looked up: {reason}", place=place) from None
    if first_is_there:
        return first
    if first.is_absolute():
        raise DataError(f"{what}: there is no {first}", place=place, hint=hint)
    if second_is_there:
        log.info("%s: %s is taken from %s", what, written, folder)
        return second
    tried = [first.absolute(), second.absolute()] if second.absolute() != first.absolute() else [first.absolute()]
    text = f"{what}: there is no {written}; looked for {' and '.join(map(str, tried))}"
    raise DataError(text, place=place, hint=hint)


def find_prefix(root: str, name: str, folder: Path, *, what: str, place: Place | None = None) -> str:
    """The prefix of every name of a list: `root`, or `folder`/`root` where `name` exists only under that.

    No separator is put behind `root`. Raises DataError when `name` is in neither place.
    """
    found = find(root + name, folder, what=what, place=place)
    return root if found == expanded(root + name) else f"{folder}{os.sep}{root}"


def is_there(name: str, folder: Path) -> bool:
    """Whether `find` would find `name`."""
    try:
        path = expanded(name)
        return path.exists() or (folder / path).exists()
    except (OSError, ValueError):
        return False
