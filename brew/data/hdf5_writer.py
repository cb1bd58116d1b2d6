"""HDF5 files of one batch, as HDF5Data reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from brew.atomic import replacing
from brew.hdf5_file import created


def write_datasets(path: Path, datasets: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write `datasets` by name, whole and closed, in place of what `path` holds; ResourceError when it cannot be."""
    with replacing(path) as temporary, created(temporary) as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values)
