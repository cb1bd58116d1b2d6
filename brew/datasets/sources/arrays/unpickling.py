"""Pickles of arrays, read without running anything in them: arrays, texts, bytes, numbers, lists and mappings only.

What a pickle of an array calls is replaced by classes that only take notes, of which the array is made afterwards.
"""

from __future__ import annotations

import io
import pickle
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import DataError

_MOST_DEPTH = 8
_BROKEN = (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, ImportError,
           OverflowError, UnicodeError, MemoryError, RecursionError)  # fmt: skip


class _Type:
    """What numpy.dtype is called with."""

    def __init__(self, code: Any = None, *rest: Any) -> None:
        self.code = code
        self.order = "|"

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
        self.order = order.decode("latin-1") if isinstance(order, bytes) else order


class _Array:
    """What numpy's arrays are set to."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _reconstruct(*ignored: Any) -> _Array:
    return _Array()


def _encode(text: Any, encoding: Any = "latin1", *rest: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes in an encoding that is not Latin-1")
    return text.encode("latin-1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not run: it may be anything") from None


def unpickled(data: bytes, path: str) -> Any:
    """What a pickle holds, texts of Python 2 as bytes; DataError, with `path`, for one of anything else."""
    try:
        return _plain(_Unpickler(io.BytesIO(data), encoding="bytes").load(), 0)
    except _BROKEN as error:
        raise DataError(f"{path} is no pickle of arrays that can be read: {error}") from None


def _plain(value: Any, depth: int) -> Any:
    """`value` with arrays in place of notes. UnpicklingError."""
    if depth > _MOST_DEPTH:
        raise pickle.UnpicklingError("it is nested too deep")
    if isinstance(value, _Array):
        return _made(value)
    if isinstance(value, dict):
        return {_plain(key, depth + 1): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list) and value and all(isinstance(inner, int) for inner in value):
        return value
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise pickle.UnpicklingError(f"it holds {type(value).__name__}")


def _made(notes: _Array) -> npt.NDArray[Any]:
    """The array of which `notes` were taken."""
    state = notes.state
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Type):
        raise pickle.UnpicklingError("it holds an array in an unknown form")
    _, shape, kind, fortran, data = state
    code = kind.code.decode("latin-1") if isinstance(kind.code, bytes) else kind.code
    if (
        not isinstance(data, bytes)
        or not isinstance(code, str)
        or not all(isinstance(n, int) and n >= 0 for n in shape)
    ):
        raise pickle.UnpicklingError("it holds an array of Python objects")
    dtype = np.dtype(code)
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"it holds an array of {dtype}")
    dtype = dtype.newbyteorder(">") if kind.order == ">" else dtype
    if prod(shape) * dtype.itemsize != len(data):
        raise pickle.UnpicklingError(f"it holds an array of {len(data)} bytes that says to be of {prod(shape)} numbers")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
