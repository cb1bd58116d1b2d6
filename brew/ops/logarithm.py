"""The base of Exp and Log."""

from __future__ import annotations

import math

from brew.layer import Layer


def natural_logarithm(layer: Layer, base: float, field: str) -> float:
    """The natural logarithm of `base`, in which -1 stands for e; an error placed at `field`.base for what has none."""
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        raise layer.error(f"base must be -1, which means e, or greater than 0, got {base:g}", field, "base")
    return math.log(base)
