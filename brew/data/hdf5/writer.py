"""HDF5 files of one batch, as HDF5Data reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from brew.files.atomic import replacing
from brew.files.overwriting import Kind
from brew.files.weights.hdf5 import created, is_hdf5

from .source import open_hdf5

_MARK = "written_by"
_AT_ONCE = 16 << 20  # bytes


def _is_marked(path: Path) -> bool:
    with open_hdf5(path) as file:
        return str(file.attrs.get(_MARK)) == "brew"


BATCH_KIND = Kind("a batch (HDF5)", is_hdf5, _is_marked)


def write_datasets(path: Path, datasets: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write `datasets` by name, whole and closed, in place of what was written to `path` so; else ResourceError."""
    with replacing(path, BATCH_KIND) as temporary, created(temporary) as file:
        file.attrs[_MARK] = "brew"
        for name, values in datasets.items():
            file.create_dataset(name, data=values)


def write_rows(path: Path, datasets: Mapping[str, npt.NDArray[Any]]) -> None:
    """The same to a new file, of arrays that may be mapped from disk: a few rows at a time are in memory. OSError."""
    with created(path) as file:
        file.attrs[_MARK] = "brew"
        for name, values in datasets.items():
            dataset = file.create_dataset(name, values.shape, values.dtype)
            step = max(1, _AT_ONCE // max(1, values[:1].nbytes))
            for start in range(0, len(values), step):
                dataset[start : start + step] = values[start : start + step]
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
