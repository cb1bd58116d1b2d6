"""What the child measures of records that are good: hashes, sums of channels, counts of classes, a mean image."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from brew.datasets.likeness import signature
from brew.errors import DataError
from brew.layer import shape_text

from .check import Limits

_MOST_CLASSES = 100_000  # different labels that are counted in a record or dataset

Values = npt.NDArray[Any]


class Measure(NamedTuple):
    """Of one record, or one row: what goes to the parent as it is.

    name       of a row; of a record it is known
    digest     of shape and values, in hexadecimal; "" where records are not compared
    signature  likeness.signature in base 64; "" for what is no picture
    length     values of a channel; 0 where these are no channels
    sums, squares  of the values of each channel, and of their squares
    """

    name: str
    digest: str
    signature: str
    length: int
    sums: tuple[float, ...]
    squares: tuple[float, ...]


@dataclass(slots=True)
class Fact:
    """Of one record, or one dataset: its shape, the lowest and the highest label, how many of each class, measures."""

    shape: str
    low: int | None = None
    high: int | None = None
    classes: Counter[int] = field(default_factory=Counter)
    measures: list[Measure] = field(default_factory=list)


def labelled(shape: str, labels: Values | list[int], measures: list[Measure]) -> Fact:
    """The fact of a record or dataset with these labels."""
    values = np.asarray(labels).reshape(-1)
    if not values.size:
        return Fact(shape, measures=measures)
    low, high = int(values.min()), int(values.max())
    return Fact(shape, low, high, counts_of(values), measures)


def counts_of(labels: Values) -> Counter[int]:
    """How many of each label; none where they are no whole numbers, or too many different ones."""
    if labels.dtype.kind == "f" and (labels != np.trunc(labels)).any():
        return Counter()
    different, counts = np.unique(labels, return_counts=True)
    if len(different) > _MOST_CLASSES:
        return Counter()
    return Counter({int(label): int(count) for label, count in zip(different, counts, strict=True)})


class Measurer:
    """Measures records of one source, as far as `limits` ask for it."""

    def __init__(self, limits: Limits) -> None:
        self._compare, self._mean = limits.compare, limits.mean
        self._sums: npt.NDArray[np.float32] | None = None
        self._count = 0
        self._problem: str | None = None

    def measure(self, values: Values, name: str = "") -> Measure:
        """One record's values: pixels (channels, height, width), or others."""
        self._add(values, name)
        digest = marks = ""
        if self._compare:
            digest = hashlib.blake2b(
                values.tobytes(), digest_size=16, person=repr(values.shape)[:16].encode()
            ).hexdigest()
            if values.dtype == np.uint8 and values.ndim == 3 and min(values.shape[1:]) > 1:
                marks = base64.b64encode(signature(values).tobytes()).decode()
        if values.ndim != 3 or not values.size or min(values.shape[1:]) <= 1:
            return Measure(name, digest, marks, 0, (), ())
        flat = values.reshape(len(values), -1).astype(np.float64)
        sums, squares = flat.sum(axis=1), np.einsum("cn,cn->c", flat, flat)
        return Measure(name, digest, marks, flat.shape[1], tuple(sums.tolist()), tuple(squares.tolist()))

    def _add(self, values: Values, name: str) -> None:
        """To the mean image: in single precision, record by record, as Caffe's compute_image_mean does."""
        if self._mean is None or self._problem is not None:
            return
        if self._sums is None:
            self._sums = np.zeros(values.shape, np.float32)
        if values.shape != self._sums.shape:
            first = shape_text(self._sums.shape)
            self._problem = f"{name or 'a record'} is {shape_text(values.shape)}, the first one {first}"
            return
        self._sums += values
        self._count += 1

    def finish(self, *, whole: bool) -> str | None:
        """Write the sums to where `limits` say; why there is no mean, else. `whole`: every record was read here."""
        if self._mean is None:
            return None
        if not whole:
            return "a record killed the process that was reading"
        if self._problem is None and (self._sums is None or self._sums.ndim != 3):
            self._problem = "there are no records of channels x height x width"
        if self._problem is None and self._sums is not None:
            try:
                with Path(self._mean).open("wb") as file:
                    np.save(file, self._sums / np.float32(self._count))
            except OSError as error:
                raise DataError(f"the mean cannot be written: {error.strerror or error}") from None
        return self._problem
