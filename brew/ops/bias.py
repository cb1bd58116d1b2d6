"""Adding a bias along one axis, and its gradient. Arrays are seen as (outer, channels, inner)."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array

_kernels = Kernels(r"""
template <typename T>
__global__ void bias_add(long long n, T* y, const T* b, int channels, long long inner) {
  FOR_EACH(i, n) { y[i] += b[i / inner % channels]; }
}

template <typename T>
__global__ void bias_gradient(long long n, const T* dy, T* db, long long outer, long long inner) {
  FOR_EACH_BLOCK(channel, n) {
    T sum = 0;
    for (long long j = threadIdx.x; j < outer * inner; j += blockDim.x)
      sum += dy[(j / inner * n + channel) * inner + j % inner];
    sum = block_sum(sum);
    if (threadIdx.x == 0) db[channel] += sum;
  }
}
""")


def add_bias(y: Array, b: Array) -> None:
    """y (outer, channels, inner) += b (channels), on the CPU."""
    y += b[:, np.newaxis]


def add_bias_gradient(dy: Array, db: Array) -> None:
    """db (channels) += dy (outer, channels, inner) summed over the other axes, on the CPU."""
    db += dy.sum(axis=(0, 2)) if dy.shape[2] > 1 else dy[:, :, 0].sum(axis=0)


def add_bias_cuda(y: Array, b: Array) -> None:
    """`add_bias` for device arrays."""
    _kernels.bias_add(y.size, y, b, y.shape[1], y.shape[2])


def add_bias_gradient_cuda(dy: Array, db: Array) -> None:
    """`add_bias_gradient` for device arrays; sums in a fixed order."""
    outer, channels, inner = dy.shape
    _kernels.bias_gradient.by_block(channels, dy, db, outer, inner)
