"""Numbers against those that they should be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class ValueScores:
    """Sums the errors of outputs (items, numbers), pass after pass, in float64.

    mean and spread (numbers) are of the targets: the spread is the sum of squared distances from the mean, kept by
    Chan, Golub and LeVeque's update (1983), which does not cancel. lowest and highest (numbers) are the targets' too.
    """

    def __init__(self, numbers: int, wanted: list[str]) -> None:
        self.classes, self.wanted = numbers, wanted
        self.items = 0
        self.absolute, self.squared = np.zeros(numbers), np.zeros(numbers)
        self.mean, self.spread = np.zeros(numbers), np.zeros(numbers)
        self.lowest, self.highest = np.full(numbers, np.inf), np.full(numbers, -np.inf)

    def add(self, outputs: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]) -> Floats:
        """Count one pass; returns the errors (items, numbers)."""
        truth = np.asarray(targets, np.float64)
        errors = np.asarray(outputs, np.float64) - truth
        self.absolute += np.abs(errors).sum(axis=0)
        self.squared += (errors * errors).sum(axis=0)
        self.lowest, self.highest = np.minimum(self.lowest, truth.min(0)), np.maximum(self.highest, truth.max(0))
        count, before = len(truth), self.items
        mean = truth.mean(axis=0)
        apart = mean - self.mean
        self.items += count
        self.spread += ((truth - mean) ** 2).sum(axis=0) + apart * apart * (before * count / self.items)
        self.mean += apart * (count / self.items)
        return errors

    def results(self) -> dict[str, float]:
        """The metrics that are wanted, by name; NaN where there is nothing to compute one from."""
        if not self.items:
            return dict.fromkeys(self.wanted, float("nan"))
        total = self.items * self.classes
        differ = self.lowest < self.highest
        found = {
            "mae": float(self.absolute.sum()) / total,
            "rmse": float(np.sqrt(self.squared.sum() / total)),
            "r2": float(self.r2()[differ].mean()) if differ.any() else float("nan"),
        }
        return {name: found[name] for name in self.wanted}

    def per_number(self) -> list[Floats]:
        """mae, rmse and r2 of each number of an item (numbers)."""
        return [self.absolute / self.items, np.sqrt(self.squared / self.items), self.r2()]

    def r2(self) -> Floats:
        """1 less the squared errors over the spread, of each number; NaN where its targets are all alike."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.lowest < self.highest, 1 - self.squared / self.spread, np.nan)
