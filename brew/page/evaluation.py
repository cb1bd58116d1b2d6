"""One more test of a trained net, which keeps what a page shows: mistakes, samples, what is true and predicted."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.net.net import Net
from brew.solver.scoring import odds
from brew.solver.scoring.classes import ClassScores
from brew.solver.scoring.heads import Head
from brew.solver.scoring.labels import LabelScores
from brew.solver.scoring.scoring import HeadScoring, Scoring, Seen, values_of

from .inputs import Input

Array = npt.NDArray[Any]

MISTAKES, SAMPLES, POINTS = 24, 24, 1500  # how many are kept


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An item: its number in the test, what the net was given (None: not known), its label and the prediction.

    Of classes `label` and `guess` are numbers; of a segmentation maps (height, width); of labels and values arrays.
    `weight` says how sure a mistake was, or how large it is.
    """

    number: int
    given: Array | None
    label: Any
    guess: Any
    weight: float


@dataclass
class HeadResults:
    """What a test said of one head."""

    scoring: HeadScoring
    mistakes: list[Example] = field(default_factory=list)  # the worst first
    samples: list[Example] = field(default_factory=list)
    points: list[tuple[float, float]] = field(default_factory=list)  # of values: (true, predicted)

    @property
    def head(self) -> Head:
        return self.scoring.head


def evaluate(
    net: Net, scoring: Scoring, given: Input | None, passes: int, *, stop: Callable[[], bool],
    progress: Callable[[int, int], None],
) -> list[HeadResults]:  # fmt: skip
    """Run `passes` passes of `net`, or fewer where `stop()` says so, and return the results of every head."""
    scoring.begin(net)
    collectors = [_Collector(each) for each in scoring.heads]
    for number in range(passes):
        if stop():
            break
        net.run_forward()
        seen = scoring.add(net)
        items = values_of(net, given.blob) if given is not None else None
        for collector, what in zip(collectors, seen, strict=True):
            collector.add(what, items)
        progress(number + 1, passes)
    return [collector.results() for collector in collectors]


class _Collector:
    """Keeps the worst mistakes of a head in a heap, and samples: of all items each with the same chance (Vitter's
    algorithm R, 1985, always with the same numbers)."""

    def __init__(self, scoring: HeadScoring) -> None:
        self.scoring = scoring
        self.heap: list[tuple[float, int, Example]] = []
        self.samples: list[Example] = []
        self._random = np.random.default_rng(1701)
        self.points: list[tuple[float, float]] = []
        self._items, self._order = 0, count()

    def add(self, seen: Seen, given: Array | None) -> None:
        labels, guesses, weights = self._outcome(seen)
        for index in range(len(weights)):
            seen_before = self._items + index
            if len(self.samples) < SAMPLES:
                self.samples.append(self._example(index, given, labels, guesses, weights))
            elif (place := int(self._random.integers(0, seen_before + 1))) < SAMPLES:
                self.samples[place] = self._example(index, given, labels, guesses, weights)
        wrong = np.flatnonzero(weights > (self.heap[0][0] if len(self.heap) == MISTAKES else 0.0))
        for index in wrong[np.argsort(-weights[wrong], kind="stable")][:MISTAKES]:
            example = self._example(int(index), given, labels, guesses, weights)
            entry = (example.weight, -next(self._order), example)
            (heapq.heappush if len(self.heap) < MISTAKES else heapq.heappushpop)(self.heap, entry)
        self._items += len(weights)

    def _outcome(self, seen: Seen) -> tuple[Array, Array, npt.NDArray[np.float64]]:
        """Labels, predictions and the weight of the mistake of each item; 0 where there is none."""
        scores = self.scoring.scores
        if isinstance(scores, ClassScores):
            truth, guess = seen.outcome
            if self.scoring.places == 1:
                truth, guess = truth[:, 0], guess[:, 0]
                chances = seen.scores[:, :, 0] if scores.chances else odds.chances(seen.scores[:, :, 0])
                sure = chances[np.arange(len(guess)), np.maximum(guess, 0)]
                return truth, guess, np.where((truth != guess) & (truth >= 0), sure, 0.0)
            counted = np.maximum((truth >= 0).sum(axis=1), 1)
            return truth, guess, ((truth != guess) & (truth >= 0)).sum(axis=1) / counted
        if isinstance(scores, LabelScores):
            counted = scores.counted(seen.labels)  # what is ignored is shown as neither true nor predicted
            labels, guess = np.where(counted, seen.labels, 0), seen.outcome & counted
            chances = seen.scores if scores.chances else odds.chances_of_labels(seen.scores)
            wrong = counted & (guess != (labels >= 0.5))
            return labels, guess, np.where(wrong, np.abs(chances - labels), 0.0).max(axis=1)
        room = max(0, POINTS - len(self.points))
        pairs = zip(seen.labels.ravel()[:room].tolist(), seen.scores.ravel()[:room].tolist(), strict=True)
        self.points += list(pairs)
        return seen.labels, seen.scores, np.abs(seen.outcome).mean(axis=1)

    def _example(self, index: int, given: Array | None, labels: Array, guesses: Array, weights: Array) -> Example:
        item = np.array(given[index]) if given is not None and given.ndim > 1 and index < len(given) else None
        label, guess = np.array(labels[index]), np.array(guesses[index])
        return Example(self._items + index, item, label, guess, float(weights[index]))

    def results(self) -> HeadResults:
        worst = [example for _, _, example in sorted(self.heap, key=lambda entry: entry[:2], reverse=True)]
        return HeadResults(self.scoring, worst, self.samples, self.points)
