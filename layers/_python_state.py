"""The state of a Python layer as arrays, which is what a snapshot holds of layers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_JSON = "state"
_ARRAY = "array of state"  # the key of a JSON object that stands for an array; its value is the array's number


def packed(state: Any) -> dict[str, npt.NDArray[Any]]:
    """`state`, of what JSON knows, NumPy numbers and arrays, as arrays by name. TypeError for anything else.

    >>> unpacked(packed({"at": 3, "order": np.arange(2)}))
    {'at': 3, 'order': array([0, 1])}
    """
    arrays: dict[str, npt.NDArray[Any]] = {}

    def array(value: object) -> object:
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{type(value).__name__}; numbers, text, lists, dicts and NumPy arrays can be")
        if value.dtype.kind not in "biufc":
            raise TypeError(f"an array of {value.dtype}; arrays of numbers can be")
        arrays[f"{_JSON} {len(arrays)}"] = value.copy()
        return {_ARRAY: len(arrays) - 1}

    text = json.dumps(state, default=array)
    return {_JSON: np.frombuffer(text.encode(), np.uint8), **arrays}


def unpacked(values: Mapping[str, npt.NDArray[Any]]) -> Any:
    """The state that `packed` made arrays of."""

    def array(found: dict[str, Any]) -> Any:
        return values[f"{_JSON} {found[_ARRAY]}"].copy() if found.keys() == {_ARRAY} else found

    return json.loads(values[_JSON].tobytes(), object_hook=array)
