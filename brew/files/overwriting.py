"""Which existing files may be replaced: one rule for every verb, every layer and `Net.save`.

A file that exists is replaced only if it is of the kind being written; for kinds that users write by hand, only if Brew
wrote it or `--overwrite` is given. Nothing else is replaced: no net by a log, no weights by a net, no folder, no
device. Empty files may always be replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from brew.errors import BrewError, ResourceError

from . import regular
from .signatures import noun_of


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that Brew writes. What any file is, in words, files.weights.recognising says: its noun.

    name    what a message calls it: "weights", "a net"
    holds   whether the file at a path, which is regular and not empty, is one; it may raise BrewError for "no"
    wrote   whether Brew wrote such a file itself; None for kinds that may always be replaced
    """

    name: str
    holds: Callable[[Path], bool]
    wrote: Callable[[Path], bool] | None = None


def check(path: str | Path, kind: Kind, *, overwrite: bool | None = None) -> None:
    """ResourceError where a file of this kind may not replace the one at `path`.

    `overwrite`: the user allows to replace a file of the same kind; None where the user cannot be asked (a layer that
    writes).
    """
    path = Path(path)
    try:
        if not os.path.lexists(path) or regular.check(path) == 0:
            return
        found = _described(path)
        same = is_of(path, kind)
    except FileNotFoundError:
        return  # a link to nothing
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error
    if not same:
        raise ResourceError(
            f"cannot write {kind.name} to {path}: {found}, which is not replaced",
            hint="choose another name, or remove the file first",
        )
    if kind.wrote is not None and not overwrite and not _asked(kind.wrote, path):
        remedy = "remove it first" if overwrite is None else "replace it with --overwrite"
        raise ResourceError(
            f"cannot write {kind.name} to {path}: it exists, and Brew did not write it",
            hint=f"choose another name, or {remedy}",
        )


def is_of(path: Path, kind: Kind) -> bool:
    """Whether the regular file at `path` is one of `kind`."""
    return _asked(kind.holds, path)


def _asked(question: Callable[[Path], bool], path: Path) -> bool:
    try:
        return question(path)
    except BrewError:
        return False


def _described(path: Path) -> str:
    known = noun_of(regular.head(path, 512))
    return f"it is {known}" if known else "it is a file of another kind"
