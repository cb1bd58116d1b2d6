"""Windows of a time series for a net: steps x columns, each column standardised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError
from brew.layer import Shape, shape_text

from .preparation import CONT, DATA
from .standard import Standard
from .table_preparation import is_absent
from .words import Words

Array = npt.NDArray[Any]
SKIP, PREVIOUS = "skip", "previous"
_MOST = 1 << 24


@dataclass(frozen=True, slots=True)
class SeriesPreparation:
    """What becomes of a window.

    window    its steps
    titles    of its columns, which `standard` standardises
    missing   values: windows with any are left out ("skip"), or they are as in the step before within the window
              ("previous"; the mean where there is none)
    targets   titles of what is predicted, `horizon` steps behind the window's last one
    scaling   of the targets: what is predicted is (value - mean) / std
    """

    kind: ClassVar[str] = "series"

    window: int
    titles: tuple[str, ...]
    standard: Standard
    missing: str
    targets: tuple[str, ...]
    horizon: int
    scaling: Standard

    takes: ClassVar[str] = (
        "an array of steps x columns, or a mapping from the titles of columns to their values by step"
    )

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """1 x steps x columns; cont, which begins with 0 and goes on with 1."""
        return {DATA: (1, self.window, len(self.titles)), CONT: (self.window,)}

    def words(self) -> dict[str, Any]:
        return {"kind": self.kind, "window": self.window, "columns": list(self.titles), **self.standard.words(),
                "missing": self.missing, "targets": list(self.targets), "horizon": self.horizon,
                "target_scaling": self.scaling.words()}  # fmt: skip

    @classmethod
    def of_words(cls, words: Words) -> SeriesPreparation:
        """What `words` gave; DataError."""
        titles, targets = words.texts("columns"), words.texts("targets")
        scaling = Words(words.value("target_scaling"), words.place, "preparation: target_scaling")
        return cls(
            words.whole("window", 1, _MOST), titles, Standard.of_words(words, len(titles)),
            words.choice("missing", (SKIP, PREVIOUS)), targets, words.whole("horizon", 0, _MOST),
            Standard.of_words(scaling, len(targets)),
        )  # fmt: skip

    def prepare(self, thing: object) -> dict[str, Array]:
        if isinstance(thing, Mapping):
            absent = [title for title in self.titles if title not in thing]
            if absent:
                raise UsageError(f"the window has no column {', '.join(absent)}", hint=f"it takes {self.takes}")
            columns = [_numbers(thing[title], title) for title in self.titles]
            if len({len(column) for column in columns}) > 1:
                raise UsageError("the columns of the window have different lengths")
            values: Array = np.stack(columns, axis=-1)
        else:
            values = _numbers(thing, "the window")
        if values.shape != (self.window, len(self.titles)):
            expected = f"{self.window} steps x {len(self.titles)} columns ({', '.join(self.titles)})"
            raise UsageError(f"a window of {shape_text(values.shape)} was given; {expected} are expected")
        if self.missing == SKIP and np.isnan(values).any():
            raise UsageError(
                "a value of the window is missing, and windows with missing values were left out in training"
            )
        return self.values(values)

    def values(self, window: Array) -> dict[str, Array]:
        """The values of a window, (steps, columns); NaN are missing."""
        standardised = self.standard(filled(window))
        cont = np.ones(self.window, np.float32)
        cont[0] = 0
        return {DATA: np.nan_to_num(standardised, nan=0.0)[np.newaxis], CONT: cont}


def filled(values: Array) -> Array:
    """Each NaN of (steps, columns) as the last number before it in its column; NaN where there is none.

    >>> filled(np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, 3.0]])).tolist()
    [[nan, 1.0], [2.0, 1.0], [2.0, 3.0]]
    """
    there = ~np.isnan(values)
    steps = np.where(there, np.arange(len(values))[:, np.newaxis], -1)
    last = np.maximum.accumulate(steps, axis=0)
    return np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)


def _numbers(thing: object, name: str) -> Array:
    try:
        if isinstance(thing, list | tuple):
            thing = [np.nan if is_absent(value) else value for value in thing]
        values = np.asarray(thing, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} holds something else than numbers") from None
    if np.isinf(values).any():
        raise UsageError(f"{name} holds values that are no finite numbers")
    return values
