"""Softmax over the middle axis of a folded blob: Softmax and the losses that begin with it."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array

from .fold import Fold

_COALESCED = 32  # from so many neighbours on, a thread per item reads memory as well as a block does

_kernels = Kernels(r"""
// Item i of outer * inner begins at first_of(i) and goes on every `inner` elements.
__device__ inline long long first_of(long long item, long long dim, long long inner) {
  return item / inner * dim * inner + item % inner;
}

template <typename T>
__global__ void softmax_block(long long n, const T* x, T* y, long long dim, long long inner) {
  FOR_EACH_BLOCK(item, n) {
    long long first = first_of(item, dim, inner);
    T top = x[first], sum = 0;
    for (long long d = threadIdx.x; d < dim; d += blockDim.x) {
      T value = x[first + d * inner];
      if (value > top) top = value;
    }
    top = block_max(top);
    for (long long d = threadIdx.x; d < dim; d += blockDim.x) {
      T value = exp(x[first + d * inner] - top);
      y[first + d * inner] = value;
      sum += value;
    }
    sum = block_sum(sum);
    for (long long d = threadIdx.x; d < dim; d += blockDim.x) y[first + d * inner] /= sum;
  }
}

template <typename T>
__global__ void softmax_thread(long long n, const T* x, T* y, long long dim, long long inner) {
  FOR_EACH(item, n) {
    long long first = first_of(item, dim, inner), end = first + dim * inner;
    T top = x[first], sum = 0;
    for (long long i = first; i < end; i += inner)
      if (x[i] > top) top = x[i];
    for (long long i = first; i < end; i += inner) {
      y[i] = exp(x[i] - top);
      sum += y[i];
    }
    for (long long i = first; i < end; i += inner) y[i] /= sum;
  }
}

template <typename T>
__global__ void softmax_backward_block(long long n, const T* y, const T* dy, T* dx, long long dim,
                                       long long inner) {
  FOR_EACH_BLOCK(item, n) {
    long long first = first_of(item, dim, inner);
    T dot = 0;
    for (long long d = threadIdx.x; d < dim; d += blockDim.x)
      dot += y[first + d * inner] * dy[first + d * inner];
    dot = block_sum(dot);
    for (long long d = threadIdx.x; d < dim; d += blockDim.x) {
      long long i = first + d * inner;
      dx[i] = y[i] * (dy[i] - dot);
    }
  }
}

template <typename T>
__global__ void softmax_backward_thread(long long n, const T* y, const T* dy, T* dx, long long dim,
                                        long long inner) {
  FOR_EACH(item, n) {
    long long first = first_of(item, dim, inner), end = first + dim * inner;
    T dot = 0;
    for (long long i = first; i < end; i += inner) dot += y[i] * dy[i];
    for (long long i = first; i < end; i += inner) dx[i] = y[i] * (dy[i] - dot);
  }
}
""")


def softmax(x: Array, y: Array, scratch: Array) -> None:
    """y = exp(x - max) / sum, over axis 1. x, y (outer, dim, inner), maybe one array; scratch (outer, inner)."""
    np.maximum.reduce(x, axis=1, out=scratch)
    np.subtract(x, scratch[:, None], out=y)
    np.exp(y, out=y)
    np.add.reduce(y, axis=1, out=scratch)
    np.divide(y, scratch[:, None], out=y)


def softmax_backward(y: Array, dy: Array, dx: Array, scratch: Array) -> None:
    """dx = y * (dy - sum over axis 1 of y * dy); shapes as in `softmax`, dx and dy may be one array."""
    np.einsum("odi,odi->oi", y, dy, out=scratch)
    np.subtract(dy, scratch[:, None], out=dx)
    np.multiply(dx, y, out=dx)


def softmax_cuda(x: Array, y: Array, folded: Fold) -> None:
    """`softmax` of device arrays."""
    outer, dim, inner = folded
    if inner < _COALESCED:
        _kernels.softmax_block.by_block(outer * inner, x, y, dim, inner)
    else:
        _kernels.softmax_thread(outer * inner, x, y, dim, inner)


def softmax_backward_cuda(y: Array, dy: Array, dx: Array, folded: Fold) -> None:
    """`softmax_backward` of device arrays."""
    outer, dim, inner = folded
    if inner < _COALESCED:
        _kernels.softmax_backward_block.by_block(outer * inner, y, dy, dx, dim, inner)
    else:
        _kernels.softmax_backward_thread(outer * inner, y, dy, dx, dim, inner)
