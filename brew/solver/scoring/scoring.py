"""The metrics of one net: scores and labels of each head, read after every pass of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import NetError, UsageError
from brew.layer import shape_text
from brew.net.net import Net
from brew.ops.fold import fold

from . import names
from .classes import ClassScores
from .heads import CLASSES, LABELS, Head
from .labels import LabelScores
from .values import ValueScores

Scores: TypeAlias = "ClassScores | LabelScores | ValueScores"
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a head said in one pass: scores, labels, and what the scorer made of both (ClassScores.add and the like)."""

    scores: Array
    labels: Array
    outcome: Any


class HeadScoring:
    """The metrics of one head, counted pass after pass. `scores` is None before the first pass, which has the shapes."""

    def __init__(self, head: Head, asked: Sequence[str]) -> None:
        self.head, self.asked = head, asked
        self.scores: Scores | None = None
        self.places = 1  # of an item that have a label each

    def add(self, net: Net) -> Seen:
        """Count what the last forward pass made. NetError where the blobs do not fit together."""
        scores, labels = (values_of(net, name) for name in (self.head.scores, self.head.labels))
        if self.head.task == CLASSES:
            return self._add_classes(scores, labels)
        items = scores.shape[0] if scores.ndim else 1
        if scores.size != labels.size or not scores.size:
            raise self._error("as many labels as scores", scores, labels)
        scores, labels = scores.reshape(items, -1), labels.reshape(items, -1)
        if self.scores is None:
            asked = names.wanted(self.asked, self.head.task, scores.shape[1], 1)
            if self.head.task == LABELS:
                self.scores = LabelScores(
                    scores.shape[1], asked, chances=self.head.chances, ignore=self.head.ignore
                )
            else:
                self.scores = ValueScores(scores.shape[1], asked)
        assert not isinstance(self.scores, ClassScores)
        if scores.shape[1] != self.scores.classes:
            raise self._error(f"{self.scores.classes} numbers an item, as in the passes before", scores, labels)
        return Seen(scores, labels, self.scores.add(scores, labels))

    def _add_classes(self, scores: Array, labels: Array) -> Seen:
        axis = self.head.axis
        if axis is not None and not -scores.ndim <= axis < scores.ndim:
            raise self._error(f"classes along axis {axis}", scores, labels)
        folded = fold(scores.shape, 1, scores.ndim) if axis is None else fold(scores.shape, axis % scores.ndim)
        outer, classes, inner = folded
        if not classes or labels.size != outer * inner:
            raise self._error("a label for each place with scores", scores, labels)
        if self.scores is None:
            self.places = inner
            asked = names.wanted(self.asked, CLASSES, classes, inner)
            for name in asked:
                if (k := names.top_k(name)) is not None and k >= classes:
                    raise UsageError(f"{name} says nothing of {classes} classes: it is always 1")
            chances, ignore = self.head.chances, self.head.ignore
            self.scores = ClassScores(classes, asked, chances=chances, ignore=ignore)
        assert isinstance(self.scores, ClassScores)
        if classes != self.scores.classes:
            raise self._error(f"{self.scores.classes} classes, as in the passes before", scores, labels)
        scores, labels = folded.of(scores), labels.reshape(outer, inner)
        return Seen(scores, labels, self.scores.add(scores, labels))

    def _error(self, expected: str, scores: Array, labels: Array) -> NetError:
        head = self.head
        return NetError(
            f'metrics of "{head.scores}" against "{head.labels}": expected {expected}; the blobs are '
            f"{shape_text(scores.shape)} and {shape_text(labels.shape)}"
        )


class Scoring:
    """The metrics of all heads of a net; `asked` are their names (names.parse). Metrics of several heads stand behind
    the name of the scores: "fc8_age/accuracy"."""

    def __init__(self, heads: Sequence[Head], asked: Sequence[str]) -> None:
        names.check(asked, heads)
        self.heads = [HeadScoring(head, asked) for head in heads]

    @property
    def blobs(self) -> list[str]:
        """The blobs that must be readable after a pass."""
        return [name for each in self.heads for name in (each.head.scores, each.head.labels)]

    def add(self, net: Net) -> list[Seen]:
        """Count the last forward pass of `net`."""
        return [each.add(net) for each in self.heads]

    def results(self) -> dict[str, float]:
        """The metrics by name, NaN where there is nothing to compute one from."""
        found = {}
        for each in self.heads:
            prefix = f"{each.head.scores}/" if len(self.heads) > 1 else ""
            if each.scores is not None:
                found.update({f"{prefix}{name}": value for name, value in each.scores.results().items()})
        return found


def values_of(net: Net, name: str) -> Array:
    """A copy of a blob's values, as of the last pass."""
    blob = net.blobs[name]
    return np.array(blob.data_memory.host(blob.shape)).reshape(blob.shape)
