"""Texts for a net: characters or words as whole numbers, of one length."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from brew.errors import DataError, UsageError
from brew.files import regular
from brew.files.paths import expanded
from brew.layer import Shape

from .preparation import CONT, DATA
from .words import Words

Array = npt.NDArray[Any]
CHARACTERS, WORDS = "characters", "words"
START, END = "start", "end"
PADDING, UNKNOWN, FIRST = 0, 1, 2  # numbers
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")  # noqa: RUF001 (the apostrophe of printed English)
_MOST = 1 << 20


def tokens_of(text: str, units: str, *, lower: bool) -> Sequence[str]:
    """The characters of a text, or its words: letters and digits with apostrophes between them, and each other sign.

    >>> tokens_of("Don't stop, 2 go!", WORDS, lower=True)
    ["don't", 'stop', ',', '2', 'go', '!']
    """
    text = text.lower() if lower else text
    return _WORD.findall(text) if units == WORDS else text


@dataclass(frozen=True)
class TextPreparation:
    """What becomes of a text.

    units       "characters" or "words"
    vocabulary  the units by number, from 2 on; 0 is padding, 1 any other unit
    length      of a record; `pad` says where a shorter text is filled, `crop` where a longer one is cut
    """

    kind: ClassVar[str] = "text"

    units: str
    lower: bool
    vocabulary: tuple[str, ...]
    length: int
    pad: str
    crop: str

    takes: ClassVar[str] = "a text, or the Path of a file of one"

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Of the numbers, and of cont."""
        return {DATA: (self.length,), CONT: (self.length,)}

    def words(self) -> dict[str, Any]:
        """The vocabulary is one text: characters without anything between them, words with blanks."""
        vocabulary = ("" if self.units == CHARACTERS else " ").join(self.vocabulary)
        return {"kind": self.kind, "units": self.units, "lower": self.lower, "length": self.length, "pad": self.pad,
                "crop": self.crop, "vocabulary": vocabulary}  # fmt: skip

    @classmethod
    def of_words(cls, words: Words) -> TextPreparation:
        """What `words` gave; DataError."""
        units, text = words.choice("units", (CHARACTERS, WORDS)), words.text("vocabulary")
        vocabulary = tuple(text) if units == CHARACTERS else tuple(text.split())
        if len(set(vocabulary)) < len(vocabulary):
            words.wrong(text, "every unit once", "vocabulary")
        return cls(
            units, words.flag("lower"), vocabulary, words.whole("length", 1, _MOST),
            words.choice("pad", (START, END)), words.choice("crop", (START, END)),
        )  # fmt: skip

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {unit: number for number, unit in enumerate(self.vocabulary, FIRST)}

    def prepare(self, thing: object) -> dict[str, Array]:
        if isinstance(thing, os.PathLike):
            thing = _read(Path(thing))
        if not isinstance(thing, str):
            raise UsageError(f"a {type(thing).__name__} is no text", hint=f"it takes {self.takes}")
        values = self.values(tokens_of(thing, self.units, lower=self.lower))
        return {name: values[name] for name in (DATA, CONT)}

    def values(self, tokens: Sequence[str], *, following: bool = False) -> dict[str, Array]:
        """The values of a text by its units; with `following`, "next" is the unit behind each, -1 where there is none.

        cont is 1 where the text goes on, 0 where it begins and in padding.
        """
        length = self.length + following
        cut = tokens[:length] if self.crop == END else tokens[-length:]
        numbers = np.fromiter((self._numbers.get(token, UNKNOWN) for token in cut), np.int32, len(cut))
        shown = numbers[:-1] if following else numbers
        before = self.length - len(shown) if self.pad == START else 0
        place = slice(before, before + len(shown))
        data, cont = np.full(self.length, PADDING, np.int32), np.zeros(self.length, np.float32)
        data[place] = shown
        cont[before + 1 : before + len(shown)] = 1
        values = {DATA: data, CONT: cont}
        if following:
            values["next"] = np.full(self.length, -1, np.int32)
            values["next"][place] = numbers[1:]
        return values


def _read(path: Path) -> str:
    try:
        return regular.read_text(expanded(path), "utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
