"""Sums over all but one axis on CUDA, in two deterministic stages: partial sums by block, then one thread per sum.
Short sums take one thread each.

On the CPU the same sums are `a.sum(axis=(0, 2))` and `np.einsum("odi,odi->d", a, b)` of the folded arrays.
"""

from __future__ import annotations

from brew.cuda import Array, Kernels
from brew.layer import Buffer

from .fold import Fold

_TERMS = 8192  # per block, so that the sums of a few channels still fill a device
_MOST_PARTS = 256
_SHORT = 32  # terms that are not worth a block

_SUM, _ABSOLUTE, _DOT = range(3)

_kernels = Kernels(r"""
// What is summed: a, |a|, or a * b.
template <typename T>
__device__ T reduction_term(const T* a, const T* b, long long i, int kind) {
  return kind == 0 ? a[i] : kind == 1 ? (T)fabs(a[i]) : a[i] * b[i];
}

// Part p of sum d goes to partial[d * parts + p].
template <typename T>
__global__ void reduction_parts(long long n, const T* a, const T* b, T* partial, int kind, long long parts,
                                long long outer, long long dim, long long inner) {
  FOR_EACH_BLOCK(item, n) {
    long long d = item / parts, p = item % parts, terms = outer * inner;
    T sum = 0;
    for (long long t = p * terms / parts + threadIdx.x; t < (p + 1) * terms / parts; t += blockDim.x)
      sum += reduction_term(a, b, (t / inner * dim + d) * inner + t % inner, kind);
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

template <typename T>
__global__ void reduction_short(long long n, const T* a, const T* b, T* out, int kind, long long outer,
                                long long inner, T scale, bool add) {
  FOR_EACH(d, n) {
    T sum = 0;
    for (long long o = 0; o < outer; ++o)
      for (long long i = 0; i < inner; ++i) sum += reduction_term(a, b, (o * n + d) * inner + i, kind);
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
    _reduce(_SUM, a, a, out, partial, folded, scale, add)


def absolute_outside(a: Array, out: Array, partial: Array, folded: Fold, *, scale: float = 1.0) -> None:
    """out[d] = scale * sum over o, i of |a[o, d, i]|; device arrays."""
    _reduce(_ABSOLUTE, a, a, out, partial, folded, scale, False)


def dot_outside(
    a: Array, b: Array, out: Array, partial: Array, folded: Fold, *, scale: float = 1.0, add: bool = False
) -> None:
    """out[d] = scale * sum over o, i of a[o, d, i] * b[o, d, i], or that added to out[d]; device arrays."""
    _reduce(_DOT, a, b, out, partial, folded, scale, add)


def _reduce(kind: int, a: Array, b: Array, out: Array, partial: Array, folded: Fold, scale: float, add: bool) -> None:
    outer, dim, inner = folded
    if outer * inner <= _SHORT:
        _kernels.reduction_short(dim, a, b, out, kind, outer, inner, scale, add)
        return
    split = parts(outer * inner)
    _kernels.reduction_parts.by_block(dim * split, a, b, partial, kind, split, *folded)
    _kernels.reduction_finish(dim, partial, out, split, scale, add)
