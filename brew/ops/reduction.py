"""Sums over all but one axis on CUDA, in two deterministic stages: partial sums by block, then one thread per sum.

On the CPU the same sums are `a.sum(axis=(0, 2))` and `np.einsum("odi,odi->d", a, b)` of the folded arrays.
"""

from __future__ import annotations

from brew.cuda import Array, Kernels
from brew.layer import Buffer
from brew.ops.fold import Fold

_TERMS = 8192  # per block, so that the sums of a few channels still fill a device
_MOST_PARTS = 256

_kernels = Kernels(r"""
// Part p of sum d, over a or over a * b, goes to partial[d * parts + p].
template <typename T>
__global__ void reduction_sum(long long n, const T* a, T* partial, long long parts, long long outer,
                              long long dim, long long inner) {
  FOR_EACH_BLOCK(item, n) {
    long long d = item / parts, p = item % parts, terms = outer * inner;
    T sum = 0;
    for (long long t = p * terms / parts + threadIdx.x; t < (p + 1) * terms / parts; t += blockDim.x)
      sum += a[(t / inner * dim + d) * inner + t % inner];
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[item] = sum;
  }
}

template <typename T>
__global__ void reduction_dot(long long n, const T* a, const T* b, T* partial, long long parts, long long outer,
                              long long dim, long long inner) {
  FOR_EACH_BLOCK(item, n) {
    long long d = item / parts, p = item % parts, terms = outer * inner;
    T sum = 0;
    for (long long t = p * terms / parts + threadIdx.x; t < (p + 1) * terms / parts; t += blockDim.x) {
      long long i = (t / inner * dim + d) * inner + t % inner;
      sum += a[i] * b[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[item] = sum;
  }
}

template <typename T>
__global__ void reduction_finish(long long n, const T* partial, T* out, long long parts, T scale, bool add) {
  FOR_EACH(d, n) {
    T sum = 0;
    for (long long p = 0; p < parts; ++p) sum += partial[d * parts + p];
    out[d] = add ? out[d] + scale * sum : scale * sum;
  }
}
""")


def parts(terms: int) -> int:
    """In how many parts a sum of `terms` numbers is taken; depends on nothing else, so that runs repeat."""
    return min(max(1, -(-terms // _TERMS)), _MOST_PARTS)


def partial_sums(folded: Fold) -> Buffer:
    """The scratch that sums over such a blob need."""
    return Buffer((folded.dim * parts(folded.outer * folded.inner),))


def sum_outside(a: Array, out: Array, partial: Array, folded: Fold, *, scale: float = 1.0, add: bool = False) -> None:
    """out[d] = scale * sum over o, i of a[o, d, i], or that added to out[d]; device arrays."""
    split = parts(folded.outer * folded.inner)
    _kernels.reduction_sum.by_block(folded.dim * split, a, partial, split, *folded)
    _kernels.reduction_finish(folded.dim, partial, out, split, scale, add)


def dot_outside(
    a: Array, b: Array, out: Array, partial: Array, folded: Fold, *, scale: float = 1.0, add: bool = False
) -> None:
    """out[d] = scale * sum over o, i of a[o, d, i] * b[o, d, i], or that added to out[d]; device arrays."""
    split = parts(folded.outer * folded.inner)
    _kernels.reduction_dot.by_block(folded.dim * split, a, b, partial, split, *folded)
    _kernels.reduction_finish(folded.dim, partial, out, split, scale, add)
