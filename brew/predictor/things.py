"""Sounds, rows of tables, windows of series and texts, prepared for a net as the import of its data did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.datasets.features.preparation import DATA
from brew.datasets.features.preparation import Preparation as OfThings
from brew.errors import UsageError
from brew.layer import Shape, count, shape_text

from .metadata import Metadata
from .preparation import Preparation

Array = npt.NDArray[Any]


class ThingPreparation:
    """Prepares things for `inputs` (shapes by name, with the axis of the batch), as `metadata` says.

    An input has the values of its own name; an only input of another name has the main ones.
    """

    def __init__(self, metadata: Metadata, inputs: Mapping[str, Shape], dtype: np.dtype[Any], model: str) -> None:
        assert metadata.preparation is not None
        self._prepare: OfThings = metadata.preparation
        self._inputs, self._dtype, self._model = inputs, dtype, model
        self._transform = metadata.crop or metadata.scale not in (None, 1.0) or metadata.mean not in (None, ())
        self._metadata = metadata

    @property
    def takes(self) -> str:
        """What is taken, in words."""
        return self._prepare.takes

    def __call__(self, thing: object) -> dict[str, Array]:
        """The values of every input of a thing, with an axis for the batch. UsageError, DataError."""
        made = self._prepare.prepare(thing)
        main = next(iter(self._inputs)) if len(self._inputs) == 1 else DATA
        values: dict[str, Array] = {}
        for name, shape in self._inputs.items():
            value = made.get(name, made[DATA] if name == main else None)
            if value is None:
                raise UsageError(
                    f"the inputs of {self._model} are {', '.join(self._inputs)}; the preparation of its data makes "
                    f"{', '.join(made)}"
                )
            if name == main and self._transform:
                image = value if value.ndim == 3 else value.reshape(_as_record(value.shape))
                value = Preparation(self._metadata, _as_record(value.shape), self._dtype, self._model).transformed(
                    image
                )
            if count(value.shape) != count(shape[1:]):
                raise UsageError(
                    f'input "{name}" of {self._model} is {shape_text(shape[1:])}; the preparation of its data makes '
                    f"{shape_text(value.shape)}"
                )
            values[name] = np.asarray(value, self._dtype).reshape(1, *shape[1:])
        return values


def _as_record(shape: Shape) -> tuple[int, int, int]:
    """The axes that a record of an LMDB has for values of this shape."""
    channels, height, width = (*shape, 1, 1)[:3] if len(shape) < 2 else (1, *shape)[-3:]
    return channels, height, width
