"""Masks in colours: which colour is which class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brew.errors import DataError, Place

# Names of files with a colour and a name a line, at the top of a pile.
LISTS = "class_dict.csv", "label_colors.txt", "colors.txt", "colormap.txt", "labelmap.txt", "color_map.csv"
_MOST_CLASSES = 255


@dataclass(frozen=True, slots=True)
class Colors:
    """The classes of a list of colours: names by number; colours in order, and the number of each."""

    names: tuple[str, ...]
    _codes: npt.NDArray[np.uint32]
    _numbers: npt.NDArray[np.uint8]

    def numbers(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The classes (height, width) of pixels (3, height, width), BGR; DataError for a colour not in the list."""
        codes = np.zeros(pixels.shape[1:], np.uint32)
        for channel in pixels[2], pixels[1], pixels[0]:
            codes = codes << np.uint32(8) | channel
        at = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        strange = self._codes[at] != codes
        if strange.any():
            code = int(codes[strange][0])
            color = f"{code >> 16} {code >> 8 & 255} {code & 255}"
            raise DataError(f"has {int(strange.sum())} pixels of colours that are not listed, the first is {color}")
        return self._numbers[at]


def read_colors(lines: Sequence[tuple[int, str]], path: str) -> Colors:
    """The classes in lines with three numbers and a name, in any order: "128 0 0 aeroplane", "Sky,128,128,128",
    "road:128,64,128::". A line numbered by a fourth number before them has that class. DataError with the line.
    """
    names: dict[int, str] = {}
    numbers: dict[int, int] = {}
    for line, text in lines:
        if text.startswith("#"):
            continue
        words = [word for word in re.split(r"[\s,;:]+", text) if word]
        values = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 4]
        name = " ".join(word for word in words if not word.isdigit())
        if not values and not names:
            continue  # the heading of a table
        if len(values) not in (3, 4) or max(values[-3:]) > _MOST_CLASSES:
            raise DataError(
                f'"{text[:60]}" is no colour: red, green, blue (0 to 255) and a name', place=Place(path, line)
            )
        code = values[-3] << 16 | values[-2] << 8 | values[-1]
        number = values[0] if len(values) == 4 else len(names)
        if code in numbers or number in names or number > _MOST_CLASSES:
            raise DataError("the colour or the number was there before, or is beyond 255", place=Place(path, line))
        numbers[code], names[number] = number, name or str(number)
    if not numbers:
        raise DataError("there is no colour in it", place=Place(path))
    codes = np.array(sorted(numbers), np.uint32)
    ordered = tuple(names.get(number, str(number)) for number in range(max(names) + 1))
    return Colors(ordered, codes, np.array([numbers[code] for code in codes.tolist()], np.uint8))
