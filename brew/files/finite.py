"""Whether numbers are finite, at the cost of reading them once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def not_finite(values: npt.NDArray[Any]) -> int:
    """How many of flat `values` are NaN or infinite.

    The product of the values with themselves is finite only if all of them are; else they are looked at one by one.
    """
    with np.errstate(all="ignore"):
        product = np.dot(values, values)
    return 0 if np.isfinite(product) else values.size - int(np.isfinite(values).sum())
