"""Scores of which each has a label of its own, 0 or 1: several labels an item, or two classes in one score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brew.errors import DataError

from . import odds
from .classes import Floats, mean_of_known
from .confusion import Confusion
from .ranking import Ranking


class LabelScores:
    """Counts what scores (items, labels) say of targets (items, labels), pass after pass.

    A label is predicted where its score is over 0, or its probability over 0.5; a soft target of 0.5 or more is 1.
    """

    def __init__(self, labels: int, wanted: list[str], *, chances: bool, ignore: int | None) -> None:
        self.classes, self.wanted = labels, wanted
        self.chances, self.ignore = chances, ignore
        self.counts = Confusion.of(labels, paired=False)
        self.items = 0
        self._right = self._counted = self._exact = 0
        self.ranking = Ranking(labels) if {"auc", "ap"} & set(wanted) else None

    def add(self, scores: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Count one pass; returns what is predicted (items, labels)."""
        if np.isnan(targets).any():
            raise DataError("a label is NaN; 0 or 1 is expected")
        counted = self.counted(targets)
        truth, guess = targets >= 0.5, scores > (0.5 if self.chances else 0.0)
        self.counts.hits += (truth & guess & counted).sum(axis=0)
        self.counts.labels += (truth & counted).sum(axis=0)
        self.counts.predictions += (guess & counted).sum(axis=0)
        same = truth == guess
        self._right += int((same & counted).sum())
        self._counted += int(counted.sum())
        self._exact += int((same | ~counted).all(axis=1).sum())
        self.items += len(truth)
        if self.ranking is not None:
            found = odds.of_chances(scores) if self.chances else scores
            self.ranking.add(found, truth, counted)
        return guess

    def counted(self, targets: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Which targets are not ignored."""
        if self.ignore is None:
            return np.ones(targets.shape, np.bool_)
        return np.asarray(targets.astype(np.int64) != self.ignore)

    def results(self) -> dict[str, float]:
        """The metrics that are wanted, by name; NaN where there is nothing to compute one from."""
        counts, ranked = self.counts, self.ranked()
        found = {}
        for name in self.wanted:
            whole, _, kind = name.partition("_")
            if name == "accuracy":
                found[name] = self._right / self._counted if self._counted else float("nan")
            elif name == "exact_match":
                found[name] = self._exact / self.items if self.items else float("nan")
            elif name in ranked:
                found[name] = mean_of_known(ranked[name])
            else:
                found[name] = counts.micro(whole) if kind == "micro" else counts.macro(whole)
        return found

    def ranked(self) -> dict[str, Floats]:
        """auc and ap of each label; empty where they are not wanted."""
        return {} if self.ranking is None else dict(zip(("auc", "ap"), self.ranking.results(), strict=True))
