"""Mean files: a value for each pixel of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew.errors import DataError, Place
from brew.files.paths import find
from brew.layer import shape_text


def read_mean(name: str, folder: Path, what: str, place: Place | None) -> npt.NDArray[np.float32]:
    """The mean in the .binaryproto that `what`, at `place`, calls `name`: float32 (channels, height, width).

    DataError where there is none, or it has another shape.
    """
    from brew.files.weights.caffemodel import read_blob

    path = find(name, folder, what=what, place=place)
    blob = read_blob(path)
    shape = tuple(blob.shape)
    if len(shape) == 4 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 3:
        raise DataError(
            f"mean file {path} has the shape {shape_text(blob.shape)}; channels x height x width is expected",
            place=place,
        )
    return np.asarray(blob.data, np.float32).reshape(shape)
