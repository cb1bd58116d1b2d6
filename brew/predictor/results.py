"""What `predict` gives: for each input its outputs, and of a classifier the best classes with their scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError
from brew.layer import shape_text
from brew.net.net import Net
from brew.plain_text import one_line

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Class:
    """A class of a classifier: its number from 0, its name (the number where the model has no labels), its score."""

    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The result for one input.

    outputs  by blob, the values for this input, without the axis of the batch; arrays of its own
    top      of a classifier the best classes, the best one first; else ()
    name     the path of the picture; "" where it has none

    It is read as an array (`np.asarray`, DLPack) where the net has one output.
    """

    outputs: Mapping[str, Array]
    top: tuple[Class, ...] = ()
    name: str = ""

    @property
    def scores(self) -> Array:
        """The values of the net's one output: of a classifier one for each class. UsageError where it has several."""
        if len(self.outputs) != 1:
            raise UsageError(f"the net has {len(self.outputs)} outputs: .outputs has {', '.join(self.outputs)}")
        return next(iter(self.outputs.values()))

    @property
    def label(self) -> str:
        """The name of the best class. UsageError, here and below, where the net is no classifier."""
        return self._best.label

    @property
    def index(self) -> int:
        """The number of the best class."""
        return self._best.index

    @property
    def score(self) -> float:
        """The score of the best class."""
        return self._best.score

    @property
    def _best(self) -> Class:
        if not self.top:
            shapes = ", ".join(f"{name} ({shape_text(array.shape)})" for name, array in self.outputs.items())
            raise UsageError(f"the net is no classifier: its outputs are {shapes}", hint=".outputs has the arrays")
        return self.top[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.asarray(self.scores, dtype) if not copy else np.array(self.scores, dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self.scores.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.scores.__dlpack_device__()

    def __repr__(self) -> str:
        name = f"{one_line(self.name)}: " if self.name else ""
        if self.top:
            return f"<{name}{', '.join(f'{one_line(c.label)} {c.score:.4g}' for c in self.top)}>"
        arrays = ", ".join(f"{blob} ({shape_text(array.shape)})" for blob, array in self.outputs.items())
        return f"<{name}{arrays}>"

    def _repr_html_(self) -> str:
        return Predictions([self])._repr_html_()


class Predictions(Sequence[Prediction]):
    """The results for several inputs, in their order."""

    __slots__ = ("_all",)

    def __init__(self, predictions: Iterable[Prediction]) -> None:
        self._all = tuple(predictions)

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        return Predictions(self._all[index]) if isinstance(index, slice) else self._all[index]

    @property
    def labels(self) -> list[str]:
        """The name of each one's best class."""
        return [prediction.label for prediction in self]

    @property
    def scores(self) -> Array:
        """The values of the net's one output for all inputs, n x ...; UsageError where their shapes differ."""
        arrays = [prediction.scores for prediction in self]
        if len({array.shape for array in arrays}) > 1:
            raise UsageError("the outputs have several shapes: each prediction has its own in .scores")
        return np.stack(arrays) if arrays else np.empty((0,), np.float32)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.asarray(self.scores, dtype)

    def __repr__(self) -> str:
        return "[" + ",\n ".join(map(repr, self)) + "]"

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + f"<td>{escape(one_line(p.name)) or i}</td>"
            + "".join(f"<td>{escape(one_line(c.label))}</td><td>{c.score:.4g}</td>" for c in p.top)
            + "".join(f"<td>{escape(one_line(n))}</td><td>{shape_text(a.shape)}</td>" for n, a in _if(not p.top, p))
            + "</tr>"
            for i, p in enumerate(self)
        )
        return f"<table>{rows}</table>"


def _if(wanted: bool, prediction: Prediction) -> Iterable[tuple[str, Array]]:
    return prediction.outputs.items() if wanted else ()


@dataclass(frozen=True, slots=True)
class Classes:
    """How a classifier's scores become classes: `count` of them, with these `labels` (() where there are none)."""

    count: int
    labels: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, net: Net, labels: tuple[str, ...]) -> Classes | None:
        """Those of a net; None where it is no classifier: that has one output, a vector for each item, which a Softmax
        makes or for whose values there are labels. UsageError where there are more or fewer labels than values."""
        [name] = net.outputs if len(net.outputs) == 1 else [""]
        shape = net.blobs[name].shape if name else ()
        count = shape[1] if len(shape) > 1 else 0
        if count < 2 or any(n != 1 for n in shape[2:]):
            return None
        if labels and len(labels) != count:
            raise UsageError(f"there are {len(labels)} labels for the {count} values of {name}")
        makers = [layer.type for layer in net.layers if name in net.top_names[layer.name]]
        return cls(count, labels) if labels or makers[-1] == "Softmax" else None

    def best(self, scores: Array, most: int) -> tuple[Class, ...]:
        """The `most` best classes; of equal scores the first comes first."""
        flat = np.asarray(scores).reshape(-1)
        first = np.argsort(-flat, kind="stable")[: max(1, most)]
        return tuple(Class(int(i), self.labels[i] if self.labels else str(i), float(flat[i])) for i in first)

    def number(self, of: int | str) -> int:
        """The index of a class by its number or label; UsageError for one that is not there."""
        if isinstance(of, str):
            if self.labels.count(of) != 1:
                raise UsageError(f"{self.labels.count(of)} of the labels are {of!r}")
            return self.labels.index(of)
        if not 0 <= of < self.count:
            raise UsageError(f"there is no class {of}: there are {self.count}")
        return of
