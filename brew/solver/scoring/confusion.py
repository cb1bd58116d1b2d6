"""Counts of labels against predictions, and the metrics that they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

MOST_CLASSES = 2048  # of which every pair is counted


@dataclass(slots=True, eq=False)
class Confusion:
    """Of each class (classes): how often it was rightly found, how often it was the label, how often predicted.

    `pairs` (classes, classes) counts labels (rows) against predictions (columns); None beyond MOST_CLASSES.
    """

    hits: Counts
    labels: Counts
    predictions: Counts
    pairs: Counts | None

    @classmethod
    def of(cls, classes: int, *, paired: bool = True) -> Confusion:
        """Zeros; without `paired`, labels and predictions are counted class by class alone."""
        hits, labels, predictions = (np.zeros(classes, np.int64) for _ in range(3))
        keeps = paired and classes <= MOST_CLASSES
        return cls(hits, labels, predictions, np.zeros((classes, classes), np.int64) if keeps else None)

    def add(self, labels: npt.NDArray[np.intp], predictions: npt.NDArray[np.intp]) -> None:
        """Count items (n) by their labels and predictions."""
        classes = len(self.hits)
        self.labels += np.bincount(labels, minlength=classes)
        self.predictions += np.bincount(predictions, minlength=classes)
        self.hits += np.bincount(labels[labels == predictions], minlength=classes)
        if self.pairs is not None:
            flat = np.bincount(labels * classes + predictions, minlength=classes * classes)
            self.pairs += flat.reshape(classes, classes)

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """The classes that were a label or a prediction: those that a mean over classes is over."""
        return (self.labels + self.predictions) > 0

    def accuracy(self) -> float:
        total = int(self.labels.sum())
        return float(self.hits.sum()) / total if total else float("nan")

    def per_class(self, name: str) -> Floats:
        """precision, recall, f1 or iou of each class; NaN for a class that is not there.

        0 / 0 is 0: the precision of what was never predicted, the recall of what was never a label.
        """
        either = self.labels + self.predictions
        below = {
            "precision": self.predictions, "recall": self.labels, "f1": either, "iou": either - self.hits,
        }[name]  # fmt: skip
        above = 2 * self.hits if name == "f1" else self.hits
        return np.where(self.there, above / np.maximum(below, 1), np.nan)

    def macro(self, name: str) -> float:
        """The mean of a metric over the classes that are there."""
        values = self.per_class(name)[self.there]
        return float(values.mean()) if len(values) else float("nan")

    def micro(self, name: str) -> float:
        """A metric of all counts together."""
        hits, labels, predictions = (int(c.sum()) for c in (self.hits, self.labels, self.predictions))
        below = {"precision": predictions, "recall": labels, "f1": labels + predictions}[name]
        if not labels + predictions:
            return float("nan")
        return (2 if name == "f1" else 1) * hits / below if below else 0.0

    def worst_pairs(self, most: int) -> list[tuple[int, int, int]]:
        """(label, prediction, count) of the confusions that came most often; of equal ones the first classes first."""
        if self.pairs is None:
            return []
        wrong = self.pairs.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong.ravel(), kind="stable")[:most]
        found = [(int(i) // len(wrong), int(i) % len(wrong)) for i in order]
        return [(label, guess, int(wrong[label, guess])) for label, guess in found if wrong[label, guess]]
