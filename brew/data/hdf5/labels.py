"""The first values of a dataset of HDF5 files, for checks of labels."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import DataError
from brew.layer import count
from brew.layer.label_sample import LabelSample

from .source import HDF5Files, find_dataset, open_hdf5

_LOOKED_AT = 1 << 20  # numbers


def first_values(files: HDF5Files, top: int, most: int) -> LabelSample:
    """The values of top number `top` in the first `most` rows; in all rows where these are few numbers."""
    row = max(1, count(files.row_shapes[top]))
    wanted = max(most, _LOOKED_AT // row)
    pieces: list[npt.NDArray[Any]] = []
    starts = [0]  # of each file among the rows
    for file, rows in zip(files.files, files.rows, strict=True):
        if starts[-1] >= wanted:
            break
        with open_hdf5(file) as h5:
            dataset = find_dataset(h5, files.names[top], file)
            try:
                pieces.append(np.asarray(dataset[: wanted - starts[-1]]).reshape(-1))
            except (OSError, RuntimeError, ValueError) as error:
                raise DataError(f'{file}: dataset "{files.names[top]}" cannot be read: {error}') from None
        starts.append(starts[-1] + rows)

    def name(number: int) -> str:
        at = bisect_right(starts, number // row) - 1
        return f"row {number // row - starts[at]} of {files.files[at]}"

    return LabelSample(np.concatenate(pieces), name, None, sum(files.rows) <= wanted)
