"""A folder of images made into squares, in a folder of the same form."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from brew.data.images.decoding import BadImage, decode_image
from brew.data.images.encoding import encode
from brew.data.images.squares import square, thumbnail
from brew.data.list_lines import read_lines
from brew.errors import DataError, ResourceError, UsageError
from brew.files import regular
from brew.files.atomic import reason

from .reading import in_order
from .sources.trees import in_bytes_order, is_picture

log = logging.getLogger("brew")

Library: TypeAlias = Literal["opencv", "pil"]
_PIECE = 4  # images that a thread takes at a time
_TOLD = 20  # images that cannot be used, one by one


class Squared(NamedTuple):
    """How many images were written, were there already, and cannot be used."""

    written: int
    kept: int
    bad: int


@dataclass(frozen=True, slots=True)
class Squares:
    """Images of `source` as squares of `side` pixels in `target`.

    library    which one's way of resizing: "opencv", whose files are of the kind that their names say, or "pil", whose
               files are JPEG
    overwrite  write what is there already anew; else it is kept
    """

    source: Path
    target: Path
    side: int = 256
    library: Library = "opencv"
    overwrite: bool = False

    def check(self) -> None:
        """UsageError where the folders do not fit."""
        if not self.source.is_dir():
            raise UsageError(f"{self.source} is no folder")
        if self.target.exists() and not self.target.is_dir():
            raise UsageError(f"{self.target} is no folder")
        if os.path.realpath(self.target) == os.path.realpath(self.source):
            raise UsageError(f"{self.target} holds the images themselves: another folder is needed for the squares")

    def make(self, names: list[str], workers: int, progress: Callable[[str, int, int | None], None]) -> Squared:
        """Write the squares of these names within `source`. What cannot be used is told, one by one at first."""
        written = kept = bad = 0
        for number, found in enumerate(in_order(partial(_one, self), names, workers=workers, piece=_PIECE), 1):
            if isinstance(found, DataError):
                bad += 1
                if bad <= _TOLD:
                    log.warning("%s%s", found, "; more of them are counted only" if bad == _TOLD else "")
            else:
                written, kept = written + found, kept + (not found)
            progress("images", number, len(names))
        return Squared(written, kept, bad)


def names_in(folder: Path, apart: Path) -> list[str]:
    """The images in a folder and in those within it, but for the folder `apart`, in the order of their names.

    DataError where there are none, and for a folder that cannot be read.
    """
    own = os.path.realpath(apart)
    found: list[str] = []
    for inside, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if os.path.realpath(Path(inside, name)) != own]
        found += [Path(inside, name).relative_to(folder).as_posix() for name in files if is_picture(name)]
    if not found:
        raise DataError(f"{folder} holds no image")
    return in_bytes_order(found)


def _refuse(error: OSError) -> None:
    """os.walk would pass over a folder that cannot be read."""
    raise DataError(f"{error.filename} cannot be read: {reason(error)}") from None


def names_of_list(file: Path, folder: Path) -> list[str]:
    """The images that a list names, within `folder`: a line each, with what stands behind a blank left out.

    Names may have blanks in them, and `folder` before them.
    """
    names = []
    for _, line in read_lines(file, what="the list"):
        name = line.strip()
        if name.startswith(f"{folder}/"):
            name = name.removeprefix(f"{folder}/").lstrip("/")
        first = name
        while not _is_there(folder / name) and " " in name.replace("\t", " "):
            name = name.replace("\t", " ").rpartition(" ")[0].rstrip()
        names.append(name if _is_there(folder / name) else first)
    if not names:
        raise DataError(f"{file} names no image")
    return names


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _one(squares: Squares, name: str) -> bool | DataError:
    """Whether the square was written: False where it was there. ResourceError where it cannot be."""
    target = squares.target / name
    try:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            return DataError(f"image {name} lies outside of the folder")
        if not squares.overwrite and os.path.lexists(target):
            return False
        pixels = decode_image(regular.read_bytes(squares.source / name), color=squares.library == "opencv")
        if squares.library == "opencv":
            file = encode(square(pixels, squares.side), target.suffix.removeprefix("."))
        else:
            file = thumbnail(pixels, squares.side)
    except BadImage as error:
        return DataError(f"image {squares.source / name} {error}")
    except UsageError as error:
        return DataError(f"image {squares.source / name}: {error}")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        return DataError(f"image {squares.source / name}: {why}")
    _write(target, file)
    return True


def _write(target: Path, file: bytes) -> None:
    """At once: a kill leaves no half of a file under its name."""
    growing = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            growing.write_bytes(file)
            growing.replace(target)
        finally:
            growing.unlink(missing_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot write {target}: {reason(error)}") from error
