"""out += a @ b on the CPU, where NumPy's matmul can only overwrite."""

from __future__ import annotations

import numpy as np

from brew.layer import Array, Shape, count

_TILE = 1 << 18  # elements of a product held at a time: it is added while still in cache


def scratch_shape(product: Shape) -> Shape:
    """The shape of the scratch `add_matmul` needs for a product of this shape."""
    rows, columns = product[-2:]
    if count(product) <= _TILE:
        return product
    return (max(1, min(rows, _TILE // max(columns, 1))), columns)


def add_matmul(a: Array, b: Array, out: Array, scratch: Array) -> None:
    """out (..., m, n) += a (..., m, k) @ b (..., k, n); scratch is of `scratch_shape(out.shape)`."""
    if scratch.shape == out.shape:
        np.matmul(a, b, out=scratch)
        out += scratch
        return
    rows = scratch.shape[0]
    for item in np.ndindex(out.shape[:-2]):
        for start in range(0, out.shape[-2], rows):
            part = out[item][start : start + rows]
            product = scratch[: len(part)]
            np.matmul(a[item][start : start + rows], b[item], out=product)
            part += product
