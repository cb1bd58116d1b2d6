"""Functions of NumPy that are gone, or that ask for more today."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt


def fromstring(data: Any, dtype: npt.DTypeLike = float, count: int = -1, sep: str = "") -> npt.NDArray[Any]:
    """`np.fromstring`; of bytes a copy, as it was."""
    if sep:
        return np.fromstring(data, dtype, count, sep=sep)
    return np.frombuffer(data.encode("latin-1") if isinstance(data, str) else data, dtype, count).copy()


def load(file: Any, *arguments: Any, **options: Any) -> Any:
    """`np.load`, which read pickles too, those of Python 2."""
    return np.load(file, *arguments, **{"allow_pickle": True, "encoding": "latin1", **options})


def loadtxt(file: Any, dtype: npt.DTypeLike = float, *arguments: Any, **options: Any) -> npt.NDArray[Any]:
    """`np.loadtxt`, which took the end of a line for a delimiter: one value a line."""
    if options.get("delimiter") in ("\n", "\r\n"):
        options["delimiter"] = "\x1f"  # the unit separator, which no text has
    return np.loadtxt(file, dtype, *arguments, **options)


def asscalar(array: npt.ArrayLike) -> Any:
    """`np.asscalar`."""
    return np.asarray(array).item()


def set_printoptions(*arguments: Any, **options: Any) -> None:
    """`np.set_printoptions`, which took threshold="nan" for all elements."""
    if "threshold" in options and not np.isfinite(float(options["threshold"])):
        options["threshold"] = sys.maxsize
    np.set_printoptions(*arguments, **options)
