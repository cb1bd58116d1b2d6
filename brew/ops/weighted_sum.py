"""Sums of arrays of one shape, each with its factor: Eltwise, Split, losses that share bottoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array

_kernels = Kernels(r"""
template <typename T>
__global__ void weighted_first(long long n, const T* a, T* out, T factor) {
  FOR_EACH(i, n) { out[i] = factor * a[i]; }
}

template <typename T>
__global__ void weighted_two(long long n, const T* a, const T* b, T* out, T factor_a, T factor_b) {
  FOR_EACH(i, n) { out[i] = factor_a * a[i] + factor_b * b[i]; }
}
""")


def weighted_sum(arrays: Sequence[Array], factors: Sequence[float], out: Array, scratch: Array | None) -> None:
    """out = sum of factor * array; host arrays. `out` may be the first of them.

    `scratch` has their shape; it is used, and may only be None, when all factors behind the first are 1.
    """
    if len(arrays) > 1 and factors[0] == 1 and factors[1] == 1:
        np.add(arrays[0], arrays[1], out=out)
        rest = 2
    else:
        np.multiply(arrays[0], factors[0], out=out)
        rest = 1
    for array, factor in zip(arrays[rest:], factors[rest:], strict=True):
        term = array if factor == 1 else np.multiply(array, factor, out=scratch)
        np.add(out, term, out=out)


def weighted_sum_cuda(arrays: Sequence[Array], factors: Sequence[float], out: Array) -> None:
    """out = sum of factor * array; device arrays. `out` may be the first of them."""
    if len(arrays) == 1:
        _kernels.weighted_first(out.size, arrays[0], out, factors[0])
        return
    _kernels.weighted_two(out.size, arrays[0], arrays[1], out, factors[0], factors[1])
    for array, factor in zip(arrays[2:], factors[2:], strict=True):
        _kernels.weighted_two(out.size, out, array, out, 1.0, factor)
