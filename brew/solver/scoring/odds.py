"""Scores as log-odds of their classes, which rank as probabilities do and have no ties at 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def of_chances(chances: npt.NDArray[np.floating]) -> Floats:
    """log(p / (1 - p)) of probabilities of any shape; rounding may have made some of them a little more than 1."""
    p = np.clip(np.asarray(chances, np.float64), 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(p) - np.log1p(-p)


def of_scores(scores: npt.NDArray[np.floating]) -> Floats:
    """The log-odds (items, classes) of the softmax of scores (items, classes): each score less the log of the others'
    summed exponentials."""
    s = np.asarray(scores, np.float64)
    if s.shape[1] == 1:
        return np.full(s.shape, np.inf)
    rows = np.arange(len(s))
    best = s.argmax(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shifted = np.exp(s - s[rows, best][:, None])
        others = shifted.sum(axis=1, keepdims=True) - shifted
        rest = s.copy()
        rest[rows, best] = -np.inf
        second = rest.max(axis=1)
        result = s - s[rows, best][:, None] - np.log(others)
        # The best score may be so far above all others that 1 less its probability is rounding.
        below = np.exp(rest - second[:, None]).sum(axis=1)
        result[rows, best] = s[rows, best] - second - np.log(below)
    return np.asarray(result)


def chances(scores: npt.NDArray[np.floating]) -> Floats:
    """The softmax (items, classes) of scores (items, classes)."""
    s = np.asarray(scores, np.float64)
    with np.errstate(invalid="ignore"):  # of scores that are not finite
        raised = np.exp(s - s.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def chances_of_labels(scores: npt.NDArray[np.floating]) -> Floats:
    """The sigmoid of scores of any shape."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-np.asarray(scores, np.float64))))
