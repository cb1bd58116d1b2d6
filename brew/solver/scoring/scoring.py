"""The metrics of a net: scores and labels of each head, read after every pass of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import NetError, UsageError
from brew.layer import Shape, shape_text
from brew.layer import count as size_of
from brew.net.net import Net
from brew.ops.fold import Fold, fold

from . import names
from .classes import ClassScores
from .heads import CLASSES, LABELS, Head
from .labels import LabelScores
from .values import ValueScores

Scores: TypeAlias = "ClassScores | LabelScores | ValueScores"
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a head said in one pass: scores and labels as its scorer takes them, and what that made of both."""

    scores: Array
    labels: Array
    outcome: Any


class HeadScoring:
    """The metrics of one head of `net`, counted pass after pass in `scores`.

    `places`: how many labels an item has, each with scores of all classes. NetError where scores and labels do not fit
    together, UsageError for a metric that says nothing of them.
    """

    def __init__(self, head: Head, asked: Sequence[str], net: Net) -> None:
        self.head = head
        self._classes = 0
        scores, labels = (net.blobs[name].shape for name in (head.scores, head.labels))
        folded = self._folded(scores, labels)
        self._classes, self.places = folded.dim, folded.inner
        asked = names.wanted(asked, head.task, folded.dim, folded.inner)
        for name in asked:
            if (k := names.top_k(name)) is not None and k >= folded.dim:
                raise UsageError(f"{name} says nothing of {folded.dim} classes: it is always 1")
        self.scores: Scores
        if head.task == CLASSES:
            self.scores = ClassScores(folded.dim, asked, chances=head.chances, ignore=head.ignore)
        elif head.task == LABELS:
            self.scores = LabelScores(folded.dim, asked, chances=head.chances, ignore=head.ignore)
        else:
            self.scores = ValueScores(folded.dim, asked)

    def add(self, net: Net) -> Seen:
        """Count what the last forward pass made."""
        scores, labels = (values_of(net, name) for name in (self.head.scores, self.head.labels))
        folded = self._folded(scores.shape, labels.shape)
        if isinstance(self.scores, ClassScores):
            scores, labels = folded.of(scores), labels.reshape(folded.outer, folded.inner)
        else:
            scores, labels = scores.reshape(folded.outer, folded.dim), labels.reshape(folded.outer, folded.dim)
        return Seen(scores, labels, self.scores.add(scores, labels))

    def _folded(self, scores: Shape, labels: Shape) -> Fold:
        """Items, classes or numbers, and places of an item."""
        head, axis = self.head, self.head.axis
        if head.task == CLASSES and axis is not None and not -len(scores) <= axis < len(scores):
            raise self._error(f"classes along axis {axis}", scores, labels)
        if head.task != CLASSES or axis is None:
            folded = fold(scores, 1, len(scores)) if scores else Fold(1, 1, 1)
        else:
            folded = fold(scores, axis % len(scores))
        per_item = folded.inner if head.task == CLASSES else folded.dim
        if not folded.dim or size_of(labels) != folded.outer * per_item:
            raise self._error("as many labels as there are places with scores", scores, labels)
        if self._classes and folded.dim != self._classes:
            raise self._error(f"{self._classes} numbers an item, as in the passes before", scores, labels)
        return folded

    def _error(self, expected: str, scores: Shape, labels: Shape) -> NetError:
        return NetError(
            f'metrics of "{self.head.scores}" against "{self.head.labels}": expected {expected}; the blobs are '
            f"{shape_text(scores)} and {shape_text(labels)}"
        )


class Scoring:
    """The metrics of all heads of a net; `asked` are their names (names.parse). Metrics of several heads stand behind
    the name of the scores: "fc8_age/accuracy"."""

    def __init__(self, heads: Sequence[Head], asked: Sequence[str]) -> None:
        names.check(asked, heads)
        self._heads, self._asked = heads, asked
        self.heads: list[HeadScoring] = []

    @property
    def blobs(self) -> list[str]:
        """The blobs that must be readable after a pass."""
        return [name for head in self._heads for name in (head.scores, head.labels)]

    def begin(self, net: Net) -> None:
        """Forget what was counted: a test of `net` begins."""
        self.heads = [HeadScoring(head, self._asked, net) for head in self._heads]

    def add(self, net: Net) -> list[Seen]:
        """Count the last forward pass of `net`."""
        return [each.add(net) for each in self.heads]

    def results(self) -> dict[str, float]:
        """The metrics by name, NaN where there is nothing to compute one from."""
        return {
            f"{each.head.scores}/{name}" if len(self.heads) > 1 else name: value
            for each in self.heads
            for name, value in each.scores.results().items()
        }


def values_of(net: Net, name: str) -> Array:
    """A copy of a blob's values, as of the last pass."""
    blob = net.blobs[name]
    return np.array(blob.data_memory.host(blob.shape)).reshape(blob.shape)
