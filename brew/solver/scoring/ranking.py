"""How well scores rank: the area under the ROC curve and the average precision, class by class.

Both are of the order of the scores alone; equal scores count together. Scores are kept, and the results exact, up to
2^24 of them; more are counted in bins of their log-odds from then on, so that memory stays bounded.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST = 1 << 24  # scores that are kept
_BINS = 1 << 22  # of all classes together
_FEWEST, _FINEST = 64, 1 << 14  # bins of a class
_REACH = 32.0  # of the log-odds: what lies beyond is in the outermost bin


class Ranking:
    """Takes the scores of `classes` classes, item by item, with what is right."""

    def __init__(self, classes: int, most: int = MOST) -> None:
        self.classes, self.most = classes, most
        self._scores: list[npt.NDArray[np.float32]] = []  # (items, classes) each
        self._right: list[npt.NDArray[np.bool_]] = []
        self._kept = 0
        self._counts: npt.NDArray[np.int64] | None = None  # (2, classes, bins): wrong and right ones

    @property
    def is_exact(self) -> bool:
        """Whether all scores are kept."""
        return self._counts is None

    def add(self, odds: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_]) -> None:
        """Log-odds (items, classes), which of them are of a class that is there, and which count."""
        odds = np.where(counted, odds, np.nan).astype(np.float32)
        if self._counts is not None:
            self._count(odds, right)
            return
        self._scores.append(odds)
        self._right.append(right)
        self._kept += odds.size
        if self._kept > self.most:
            bins = min(max(_BINS // self.classes, _FEWEST), _FINEST)
            self._counts = np.zeros((2, self.classes, bins), np.int64)
            for scores, truth in zip(self._scores, self._right, strict=True):
                self._count(scores, truth)
            self._scores, self._right = [], []

    def _count(self, odds: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> None:
        assert self._counts is not None
        bins = self._counts.shape[2]
        known = ~np.isnan(odds)
        place = (np.clip(np.where(known, odds, 0), -_REACH, _REACH) + _REACH) * ((bins - 1) / (2 * _REACH))
        index = np.rint(place).astype(np.int64) + np.arange(self.classes) * bins
        for truth in (0, 1):
            np.add.at(self._counts[truth].reshape(-1), index[known & (right == bool(truth))], 1)

    def results(self) -> tuple[Floats, Floats]:
        """The area under the ROC curve (classes) and the average precision (classes).

        NaN for a class that no item is of; the area also for one that all are of.
        """
        areas, precisions = np.full(self.classes, np.nan), np.full(self.classes, np.nan)
        if self._counts is None and not self._scores:
            return areas, precisions
        scores = np.concatenate(self._scores) if self._counts is None else None
        truths = np.concatenate(self._right) if self._counts is None else None
        for number in range(self.classes):
            if scores is not None and truths is not None:
                wrong, right = grouped(scores[:, number], truths[:, number])
            else:
                assert self._counts is not None
                wrong, right = self._counts[0, number, ::-1], self._counts[1, number, ::-1]
            areas[number], precisions[number] = area(wrong, right), average_precision(wrong, right)
        return areas, precisions


def grouped(
    scores: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many wrong and how many right items have each score, from the highest on; NaN does not count."""
    known = ~np.isnan(scores)
    scores, right = scores[known], right[known]
    order = np.argsort(-scores, kind="stable")
    ordered, truth = scores[order], right[order]
    if not len(ordered):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    found = np.add.reduceat(truth.astype(np.int64), starts)
    sizes = np.diff([*starts, len(ordered)])
    return sizes - found, found


def area(wrong: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> float:
    """The chance that a right item has a higher score than a wrong one, equal scores counted half (groups, falling)."""
    pairs = float(wrong.sum()) * float(right.sum())
    above = np.cumsum(right) - right / 2
    return float(wrong @ above) / pairs if pairs else float("nan")


def average_precision(wrong: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> float:
    """The precision at each score, weighted by the recall that it adds: no interpolation (groups, falling)."""
    total = float(right.sum())
    hits = np.cumsum(right)
    precision = hits / np.maximum(hits + np.cumsum(wrong), 1)
    return float(right @ precision) / total if total else float("nan")
