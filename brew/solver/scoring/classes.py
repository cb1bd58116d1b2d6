"""Scores of classes of which one is right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brew.errors import DataError

from . import names, odds
from .confusion import Confusion
from .ranking import Ranking

Floats = npt.NDArray[np.float64]


class ClassScores:
    """Counts what scores (outer, classes, inner) say of labels (outer, inner), pass after pass.

    A label is found where its score is higher than all others: ties count against it, and so does NaN, as in Accuracy.
    Where it is not, the prediction is the first of the highest among the others.
    """

    def __init__(self, classes: int, wanted: list[str], *, chances: bool, ignore: int | None) -> None:
        self.classes, self.wanted = classes, wanted
        self.chances, self.ignore = chances, ignore
        self.counts = Confusion.of(classes)
        self.items = 0  # labels that counted
        self._hits = {k: 0 for name in wanted if (k := names.top_k(name)) is not None}
        ranked = {"auc", "ap"} & set(wanted)
        self.ranking = Ranking(1 if classes == 2 else classes) if ranked else None

    def add(
        self, scores: npt.NDArray[np.floating], labels: npt.NDArray[np.floating]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Count one pass; returns the labels and the predictions (outer, inner), -1 where the label is ignored."""
        truth, counted = self._truth(labels)
        predictions = predicted(scores, truth)
        self.counts.add(truth[counted], predictions[counted])
        self.items += int(counted.sum())
        if self._hits:
            rivals = rival_count(scores, truth)[counted]
            for k in self._hits:
                self._hits[k] += int((rivals <= k).sum())
        if self.ranking is not None:
            rows = np.moveaxis(scores, 1, 2).reshape(-1, self.classes)
            self._rank(rows[counted.ravel()], truth[counted])
        return np.where(counted, truth, -1), np.where(counted, predictions, -1)

    def _truth(self, labels: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """The labels as numbers of classes, and which of them count."""
        with np.errstate(invalid="ignore"):
            truth = labels.astype(np.intp)
        counted = np.ones(truth.shape, np.bool_) if self.ignore is None else truth != self.ignore
        wrong = counted & ((truth < 0) | (truth >= self.classes))
        if wrong.any():
            raise DataError(
                f"label {labels[wrong].flat[0]:g} is no class: there are scores of {self.classes}, from 0 on"
            )
        return np.where(counted, truth, 0), counted

    def _rank(self, rows: npt.NDArray[np.floating], truth: npt.NDArray[np.intp]) -> None:
        assert self.ranking is not None
        found = odds.of_chances(rows) if self.chances else odds.of_scores(rows)
        right = truth[:, None] == np.arange(self.classes)
        if self.classes == 2:
            found, right = found[:, 1:], right[:, 1:]
        self.ranking.add(found, right, ~np.isnan(found))

    def results(self) -> dict[str, float]:
        """The metrics that are wanted, by name; NaN where there is nothing to compute one from."""
        counts, ranked = self.counts, self.ranked()
        found = {}
        for name in self.wanted:
            whole, _, kind = name.partition("_")
            if (k := names.top_k(name)) is not None:
                found[name] = self._hits[k] / self.items if self.items else float("nan")
            elif name in ("accuracy", "pixel_accuracy"):
                found[name] = counts.accuracy()
            elif name == "mean_iou":
                found[name] = counts.macro("iou")
            elif name in ranked:
                found[name] = mean_of_known(ranked[name])
            else:
                found[name] = counts.micro(whole) if kind == "micro" else counts.macro(whole)
        return found

    def ranked(self) -> dict[str, Floats]:
        """auc and ap of each class (of class 1 alone where there are two); empty where they are not wanted."""
        return {} if self.ranking is None else dict(zip(("auc", "ap"), self.ranking.results(), strict=True))


def predicted(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The predictions (outer, inner) for scores (outer, classes, inner) and labels (outer, inner): ClassScores."""
    if np.isnan(scores).any():
        return _predicted(scores, truth)
    best: npt.NDArray[np.intp] = scores.argmax(axis=1)
    own = np.take_along_axis(scores, truth[:, None], 1)
    tied = (best == truth) & ((scores >= own).sum(axis=1) > 1)
    if tied.any():
        outer, inner = np.nonzero(tied)
        best[tied] = _predicted(scores[outer, :, inner][:, :, None], truth[tied][:, None])[:, 0]
    return best


def _predicted(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The same with ties and NaN, which count as the highest."""
    rivals = np.array(scores)
    rivals[np.isnan(rivals)] = np.inf
    at = truth[:, None]
    own = np.take_along_axis(scores, at, 1)
    own = np.where(np.isnan(own), -np.inf, own)
    np.put_along_axis(rivals, at, -np.inf, 1)
    others = np.arange(scores.shape[1])[None, :, None] != at
    best = np.where(others, rivals, -np.inf).argmax(axis=1)
    if scores.shape[1] > 1:
        best += best == truth  # no other is higher than -inf: class 0 is the label, and class 1 the first other
    highest = np.take_along_axis(rivals, best[:, None], 1)
    found = (highest < own)[:, 0] if scores.shape[1] > 1 else np.ones(truth.shape, np.bool_)
    return np.where(found, truth, best)


def rival_count(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """How many scores (outer, inner) are not below that of the label, itself among them."""
    own = np.take_along_axis(scores, truth[:, None], 1)
    return np.asarray((~(scores < own)).sum(axis=1))


def mean_of_known(values: Floats) -> float:
    """The mean of what is not NaN; NaN where all is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
