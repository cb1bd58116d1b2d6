"""Window files: images, and in each of them boxes with a class and an overlap; the source of WindowData.

# 0                     for every image: a number that is not read,
/images/000005.jpg      the path,
3                       channels, height and width,
375
500
2                       and how many windows follow:
9 0.94 240 193 298 330  class, overlap, x1, y1, x2, y2; both corners belong to the box
0 0.10 5 244 67 374
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew.errors import DataError, Place

from .list_lines import BLANKS, read_lines

_HEADER = "#", "path", "channels", "height", "width", "number of windows"
_FIELDS = 6  # numbers in a window's line
_MOST = 1 << 31  # no class and no corner is beyond


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one kind: the number of the image, the class, x1, y1, x2, y2 and the line, each row one window."""

    image: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    box: npt.NDArray[np.int64]
    line: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True, slots=True)
class WindowList:
    """The images of a window file, the lines that name them, and the windows that are background and objects."""

    file: Path
    names: list[str]
    lines: list[int]
    background: Windows
    foreground: Windows

    @classmethod
    def read(
        cls, file: Path, *, fg_threshold: float, bg_threshold: float, what: str, place: Place | None = None
    ) -> WindowList:
        """An object overlaps by `fg_threshold` or more, background by less than `bg_threshold`; its class becomes 0.

        DataError, placed in the file, for anything that is not as above, and for an object of class 0.
        """
        reader = _Reader(file, read_lines(file, what=what, place=place), what)
        names, name_lines, tables, lines = [], [], [], []
        while not reader.done:
            name, line, windows = reader.header()
            names.append(name)
            name_lines.append(line)
            lines.append(reader.numbers(windows))
            tables.append(reader.windows(windows))
        if not names:
            raise DataError(f"{what}: {file} names no image", place=place)
        table, line_of = np.concatenate(tables), np.concatenate(lines)
        image = np.repeat(np.arange(len(names)), [len(t) for t in tables])
        overlap = table[:, 1].astype(np.float32)
        is_object = overlap >= fg_threshold
        unlabelled = np.flatnonzero(is_object & (table[:, 0] < 1))
        if unlabelled.size:
            where = Place(str(file), int(line_of[unlabelled[0]]))
            raise DataError(f"{what}: an object of class {table[unlabelled[0], 0]:g}; classes begin at 1", place=where)
        integers = table.astype(np.int64)
        integers[~is_object, 0] = 0

        def chosen(which: npt.NDArray[np.bool_]) -> Windows:
            return Windows(image[which], integers[which, 0], integers[which, 2:], line_of[which])

        return cls(file, names, name_lines, chosen(~is_object & (overlap < bg_threshold)), chosen(is_object))

    def place(self, line: int) -> Place:
        return Place(str(self.file), line)


class _Reader:
    """The lines of a window file that are not blank, one after the other."""

    def __init__(self, file: Path, lines: list[tuple[int, str]], what: str) -> None:
        self._file = file
        self._what = what
        self._numbers = np.array([number for number, _ in lines], np.int64)
        self._lines = [line.lstrip(BLANKS) for _, line in lines]
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._lines)

    def header(self) -> tuple[str, int, int]:
        """(path, its line, number of windows) of the image that begins here."""
        mark, name, *sizes = self._take(len(_HEADER), "an image's " + ", ".join(_HEADER[1:]))
        start = self._at - len(_HEADER)
        if not mark.startswith("#"):
            raise self._error(start, f'"#" and a number begin an image, here stands "{mark}"')
        for number, (value, field) in enumerate(zip(sizes, _HEADER[2:], strict=True), 2):
            if not (value.isascii() and value.isdecimal() and len(value) < 10):
                raise self._error(start + number, f'{field} must be a number, here stands "{value}"')
        return name, int(self._numbers[start + 1]), int(sizes[-1])

    def numbers(self, count: int) -> npt.NDArray[np.int64]:
        """The line numbers of the coming `count` windows."""
        return self._numbers[self._at : self._at + count]

    def windows(self, count: int) -> npt.NDArray[np.float64]:
        """The coming `count` lines as a table of six columns, all whole numbers but the overlap."""
        lines = self._take(count, f"{count} windows")
        try:
            table = np.array(" ".join(lines).split(), np.float64).reshape(count, _FIELDS)
            whole = np.delete(table, 1, axis=1)
            if np.array_equal(whole, np.rint(whole)) and np.isfinite(table).all() and (np.abs(whole) < _MOST).all():
                return table
        except ValueError:
            pass
        wrong = next((i for i, line in enumerate(lines) if not _is_window(line)), 0)
        expected = "class, overlap, x1, y1, x2, y2 are expected (whole numbers but for the overlap)"
        raise self._error(self._at - count + wrong, expected)

    def _take(self, count: int, expected: str) -> list[str]:
        taken = self._lines[self._at : self._at + count]
        if len(taken) < count:
            raise self._error(len(self._lines) - 1, f"the file ends here; {expected} are expected")
        self._at += count
        return taken

    def _error(self, number: int, message: str) -> DataError:
        return DataError(f"{self._what}: {message}", place=Place(str(self._file), int(self._numbers[number])))


def _is_window(line: str) -> bool:
    try:
        values = [float(field) for field in line.split()]
    except ValueError:
        return False
    whole = values[:1] + values[2:]
    return len(values) == _FIELDS and all(v.is_integer() and abs(v) < _MOST for v in whole) and np.isfinite(values[1])
