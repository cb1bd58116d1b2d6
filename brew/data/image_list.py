"""Lists of images with labels: what ImageData reads, and `brew data check`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew.errors import DataError, Place
from brew.files.paths import find_prefix

from .list_lines import QUOTES, doubt, read_lines, shown

_LINE = re.compile(r"(?P<name>.*[^ \t])[ \t]+(?P<label>[^ \t]+)", re.DOTALL)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}(\.0*)?", re.ASCII)
_LABELLED = re.compile(r"(?P<name>.*\.\w{2,4}[\"']?)(?P<labels>([ \t,;]+[+-]?[0-9.]+)+)", re.DOTALL | re.ASCII)
_NUMBERS = re.compile(r"[+-]?[0-9.]+([,;][+-]?[0-9.]+)+", re.ASCII)
_EXPECTED = "a path, a blank and a whole number are expected"
SEVERAL = "an image of a list has one label; HDF5Data takes several, and so does a Data layer beside that of the images"


@dataclass(frozen=True, slots=True)
class ImageList:
    """The lines of a source list: the name of each image, its label, and the line it stands in."""

    file: Path
    names: list[str]
    labels: npt.NDArray[np.int64]
    lines: list[int]

    @classmethod
    def read(
        cls, file: Path, *, what: str, place: Place | None = None, wrong: dict[int, DataError] | None = None
    ) -> ImageList:
        """One image a line, its label behind the last blank or tab, as Caffe splits it; blank lines are skipped.

        DataError for a file that is no text or names no image, and for the first line whose label is missing or no
        whole number of 32 bits (Caffe makes a label of what it begins with, and 0 where there is no number). With
        `wrong` such errors are stored there, by line, and the lines left out.
        """
        names, labels, lines = [], [], []
        for line, content in read_lines(file, what=what, place=place):
            try:
                name, label = split(content)
            except ValueError as error:
                message, hint = error.args
                problem = DataError(f"{what}: {message}", place=Place(str(file), line), hint=hint)
                if wrong is None:
                    raise problem from None
                wrong[line] = problem
                continue
            names.append(name)
            labels.append(label)
            lines.append(line)
        if not names and not wrong:
            raise DataError(f"{what}: {file} names no image", place=place)
        return cls(file, names, np.array(labels, np.int64), lines)

    def place(self, number: int) -> Place:
        """The place of image `number` in the list."""
        return Place(str(self.file), self.lines[number])

    def prefix(self, root: str, folder: Path, *, what: str) -> str:
        """The prefix of every name: `root`, or `folder` and `root` where only there the first image exists.

        DataError, placed in the list, where that image is in neither place.
        """
        name, place = self.names[0], self.place(0)
        try:
            return find_prefix(root, name, folder, what=what, place=place)
        except DataError as error:
            raise DataError(error.message, place=place, hint=remedy(name)) from None


def split(line: str) -> tuple[str, int]:
    """Name and label of a line without blanks at its end.

    ValueError(message, hint or None) where there is none.

    >>> split("a b.png  3"), split("c.png\\t-1")
    (('a b.png', 3), ('c.png', -1))
    """
    match = _LINE.fullmatch(line)
    if match is None:
        comma = re.fullmatch(r".+[,;][+-]?[0-9]+", line)
        hint = "a blank stands before the label, not a comma" if comma else "write the label behind the path"
        raise ValueError(f"there is no label in {shown(line)}; {_EXPECTED}", hint)
    label = match["label"]
    if _WHOLE.fullmatch(label) is None:
        raise ValueError(f"{shown(label)} is no label in {shown(line)}; {_EXPECTED}", _hint(line, match["name"], label))
    value = int(label.partition(".")[0])
    if not -(1 << 31) <= value < 1 << 31:
        raise ValueError(f"the label {label} does not fit into 32 bits", None)
    return match["name"], value


def _hint(line: str, name: str, label: str) -> str | None:
    """A remedy for a label that is no whole number."""
    if line.startswith("#"):
        return doubt(line)
    if _LABELLED.fullmatch(name) or _NUMBERS.fullmatch(label):
        return SEVERAL
    bare = label.strip(QUOTES)
    if bare != label and _WHOLE.fullmatch(bare):
        return "labels stand without quotes"
    if _is_number(label):
        return "classes are counted from 0; labels of another kind go into HDF5Data"
    if "." in label.rpartition("/")[2][1:]:
        return "is the label missing? It stands behind the path"
    return "number the classes from 0, and write the numbers"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def remedy(name: str) -> str | None:
    """A remedy for the name of an image that does not exist; None where none is known."""
    match = _LABELLED.fullmatch(name)
    return SEVERAL if match is not None else doubt(name)


def numbered(images: ImageList, wrong: dict[int, DataError]) -> Iterator[tuple[int, int | DataError]]:
    """(line, number of its image or its error), in the order of the lines."""
    found: dict[int, int | DataError] = dict(wrong)
    found.update((line, number) for number, line in enumerate(images.lines))
    return iter(sorted(found.items(), key=lambda item: item[0]))
