"""What a preparation is: from a thing that a user has (a file of sound, a row, a text) to the values of a record."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

import numpy.typing as npt

from brew.errors import Place
from brew.layer import Shape

from .words import Words

# By the word `kind`: the class, whose `of_words` makes it.
PREPARATIONS = {
    "sound": "brew.datasets.features.sound.preparation:SoundPreparation",
    "table": "brew.datasets.features.table_preparation:TablePreparation",
    "series": "brew.datasets.features.series_preparation:SeriesPreparation",
    "text": "brew.datasets.features.text_preparation:TextPreparation",
}
DATA, CONT = "data", "cont"  # names of values


class Preparation(Protocol):
    """Makes values of one thing, the same in an import and for a trained net."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each value by its name; "data" is the main one."""

    @property
    def takes(self) -> str:
        """What `prepare` takes, in words."""

    def words(self) -> dict[str, Any]:
        """All of it as YAML has it; `preparation_of` makes it again."""

    def prepare(self, thing: object) -> dict[str, npt.NDArray[Any]]:
        """The values by name. UsageError for what it does not take, DataError for what cannot be read."""


def preparation_of(content: object, place: Place | None = None) -> Preparation:
    """The preparation that `words` gave, from a file at `place`. DataError for what is none."""
    words = Words(content, place)
    module, _, name = PREPARATIONS[words.choice("kind", PREPARATIONS)].partition(":")
    return cast("Preparation", getattr(importlib.import_module(module), name).of_words(words))
