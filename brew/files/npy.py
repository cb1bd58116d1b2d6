"""Arrays as files of NumPy's (.npy)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import InputError, Place

from . import regular
from .atomic import replacing
from .overwriting import Kind

NPY_KIND = Kind("a NumPy array", lambda path: regular.head(path, 6) == b"\x93NUMPY")


def write_npy(path: str | Path, array: npt.NDArray[Any]) -> None:
    """Write an array to `path`, whole or not at all, also in place of another array; ResourceError."""
    with replacing(path, NPY_KIND) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def read_npy(path: str | Path, what: str = "array") -> npt.NDArray[Any]:
    """The array in `path`; InputError, which calls it `what`, where there is none of numbers."""
    try:
        array: npt.NDArray[Any] = np.load(io.BytesIO(regular.read_bytes(path)), allow_pickle=False)
    except OSError as error:
        raise InputError(f"the {what} {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError) as error:
        raise InputError(f"the {what} is no array of numbers (.npy): {error}", place=Place(str(path))) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise InputError(f"the {what} is no array of numbers (.npy)", place=Place(str(path)))
    return array
