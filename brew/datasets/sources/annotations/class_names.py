"""The names of the classes of annotations: those of a list, in its order, or all that there are, by their bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from brew.data.labels import read_labels
from brew.datasets.sources.trees import class_order
from brew.errors import DataError, Place

from .boxes import BACKGROUND
from .files import Files

_MOST = 1 << 28  # bytes of a text
_BACKGROUNDS = frozenset({BACKGROUND, "none_of_the_above", "__background__", "_background_"})
# Names of the files that list classes, a name a line.
LISTS = "classes.txt", "labels.txt", "predefined_classes.txt", "obj.names", "names.txt", "class_names.txt"


def with_background(names: Iterable[str]) -> tuple[str, ...]:
    """`names` behind class 0, the background, which may be among them under a usual name."""
    return (BACKGROUND, *(name for name in names if name.lower() not in _BACKGROUNDS))


def listed(files: Files, option: str | None) -> tuple[str, ...] | None:
    """The names in the file `option`, or in a list at the top of the pile; None where there is none. DataError."""
    if option is not None:
        return read_labels(Path(option))
    found = next((name for name in LISTS if name in files.known), None)
    return None if found is None else lines_of(files, found)


def lines_of(files: Files, name: str) -> tuple[str, ...]:
    """The lines of a text that are not empty, without blanks at their ends; DataError."""
    return tuple(line for _, line in numbered_lines(files, name))


def numbered_lines(files: Files, name: str) -> list[tuple[int, str]]:
    """The same with their numbers, from 1."""
    try:
        text = files.read(name, _MOST).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"this is no UTF-8: {error.reason}", place=Place(files.place(name))) from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def of_objects(names: Iterable[str], known: tuple[str, ...] | None) -> tuple[str, ...]:
    """The classes, the background first: `known` ones, or else all of `names`."""
    return with_background(known if known is not None else class_order(names))
