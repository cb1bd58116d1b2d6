"""A small array multiplied into, or added to, a folded blob along its middle axis, on CUDA: Scale, Bias, means.

On the CPU NumPy's own broadcasting of shape (dim, 1) does this.
"""

from __future__ import annotations

from brew.cuda import Array, Kernels

from .fold import Fold

_kernels = Kernels(r"""
template <typename T>
__global__ void broadcast_multiply(long long n, const T* x, const T* factor, T* y, long long dim, long long inner) {
  FOR_EACH(i, n) { y[i] = x[i] * factor[i / inner % dim]; }
}

template <typename T>
__global__ void broadcast_add(long long n, const T* x, const T* term, T* y, long long dim, long long inner) {
  FOR_EACH(i, n) { y[i] = x[i] + term[i / inner % dim]; }
}

template <typename T>
__global__ void broadcast_subtract(long long n, const T* x, const T* term, T* y, long long dim, long long inner) {
  FOR_EACH(i, n) { y[i] = x[i] - term[i / inner % dim]; }
}

template <typename T>
__global__ void broadcast_affine(long long n, const T* x, const T* factor, const T* term, T* y, long long dim,
                                 long long inner) {
  FOR_EACH(i, n) {
    long long d = i / inner % dim;
    y[i] = x[i] * factor[d] + term[d];
  }
}
""")


def multiply(x: Array, factor: Array, y: Array, folded: Fold) -> None:
    """y[o, d, i] = x[o, d, i] * factor[d]; x and y may be one array."""
    _kernels.broadcast_multiply(x.size, x, factor, y, folded.dim, folded.inner)


def add(x: Array, term: Array, y: Array, folded: Fold) -> None:
    """y[o, d, i] = x[o, d, i] + term[d]; x and y may be one array."""
    _kernels.broadcast_add(x.size, x, term, y, folded.dim, folded.inner)


def subtract(x: Array, term: Array, y: Array, folded: Fold) -> None:
    """y[o, d, i] = x[o, d, i] - term[d]; x and y may be one array."""
    _kernels.broadcast_subtract(x.size, x, term, y, folded.dim, folded.inner)


def affine(x: Array, factor: Array, term: Array, y: Array, folded: Fold) -> None:
    """y[o, d, i] = x[o, d, i] * factor[d] + term[d]; x and y may be one array."""
    _kernels.broadcast_affine(x.size, x, factor, term, y, folded.dim, folded.inner)
