"""Bringing each middle item of a folded blob to mean 0 and variance 1, and the gradient of that: BatchNorm, MVN."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array

from . import broadcast
from .fold import Fold
from .reduction import dot_outside, sum_outside

_kernels = Kernels(r"""
template <typename T>
__global__ void normal_gradient(long long n, const T* normal, const T* dy, const T* dy_mean, const T* dot_mean,
                                const T* factor, T* dx, long long dim, long long inner) {
  FOR_EACH(i, n) {
    long long d = i / inner % dim;
    dx[i] = (dy[i] - dy_mean[d] - normal[i] * dot_mean[d]) * factor[d];
  }
}
""")


def terms(folded: Fold) -> int:
    """How many numbers a mean is taken of; 1 for none, which leaves it 0."""
    return max(1, folded.outer * folded.inner)


def center(x: Array, y: Array, mean: Array, folded: Fold) -> None:
    """mean[d] = the mean of x[:, d], and y = x - mean; host arrays, x and y folded, maybe one array."""
    np.divide(x.sum(axis=(0, 2), out=mean), terms(folded), out=mean)
    np.subtract(x, mean[:, None], out=y)


def dot_mean(a: Array, b: Array, out: Array, folded: Fold) -> None:
    """out[d] = the mean of a[:, d] * b[:, d]; host arrays, a and b folded. With b = a, centered, it is the variance."""
    np.divide(np.einsum("odi,odi->d", a, b, out=out), terms(folded), out=out)


def gradient(normal: Array, dy: Array, dx: Array, factor: Array, means: Array, term: Array, folded: Fold) -> None:
    """dx = (dy - mean of dy - normal * mean of normal * dy) * factor; host arrays.

    normal, dy, dx and the scratch `term` are folded; dx and dy may be one array, term and normal too. factor (dim);
    means is scratch (2, dim).
    """
    np.divide(dy.sum(axis=(0, 2), out=means[0]), terms(folded), out=means[0])
    dot_mean(dy, normal, means[1], folded)
    np.multiply(normal, means[1][:, None], out=term)
    np.subtract(dy, means[0][:, None], out=dx)
    np.subtract(dx, term, out=dx)
    np.multiply(dx, factor[:, None], out=dx)


def center_cuda(x: Array, y: Array, mean: Array, partial: Array, folded: Fold) -> None:
    """`center` of device arrays."""
    sum_outside(x, mean, partial, folded, scale=1 / terms(folded))
    broadcast.subtract(x, mean, y, folded)


def dot_mean_cuda(a: Array, b: Array, out: Array, partial: Array, folded: Fold) -> None:
    """`dot_mean` of device arrays."""
    dot_outside(a, b, out, partial, folded, scale=1 / terms(folded))


def gradient_cuda(
    normal: Array, dy: Array, dx: Array, factor: Array, means: Array, partial: Array, folded: Fold
) -> None:
    """`gradient` of device arrays."""
    sum_outside(dy, means[0], partial, folded, scale=1 / terms(folded))
    dot_mean_cuda(dy, normal, means[1], partial, folded)
    _kernels.normal_gradient(dy.size, normal, dy, means[0], means[1], factor, dx, folded.dim, folded.inner)
