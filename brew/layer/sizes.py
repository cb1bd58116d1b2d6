"""How large a blob may be, whatever the memory: the one rule for nets, parameters, `--shape` and reshaping.

Caffe counts axes and elements in 32 bits, the libraries below count axes in 32 and bytes in 64: beyond that they
divide by a count that has become zero, or write out of bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MAX_AXES = 32
LARGEST_AXIS = (1 << 31) - 1
MOST_ELEMENTS = ((1 << 63) - 1) // 8  # their bytes are counted in 64 bits, as float64 too


def fault(shape: Sequence[int]) -> str | None:
    """Why no blob can be of this shape, as the end of a sentence; None where one can.

    >>> fault((64, 3, 28, 28)), fault((-1, 2))
    (None, 'an axis of -1; none may be negative')
    >>> fault((4294967296,))
    'an axis of 4294967296; up to 2147483647 are possible'
    """
    if len(shape) > MAX_AXES:
        return f"{len(shape)} axes; up to {MAX_AXES} are possible"
    if shape and min(shape) < 0:
        return f"an axis of {min(shape)}; none may be negative"
    if shape and max(shape) > LARGEST_AXIS:
        return f"an axis of {max(shape)}; up to {LARGEST_AXIS} are possible"
    if math.prod(shape) > MOST_ELEMENTS:
        return f"{math.prod(shape)} elements; up to {MOST_ELEMENTS} are possible"
    return None
