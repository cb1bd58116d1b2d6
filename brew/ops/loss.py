"""The divisor of a loss (loss_param of SoftmaxWithLoss, SigmoidCrossEntropyLoss and InfogainLoss)."""

from __future__ import annotations

from brew.cuda import Kernels
from brew.layer import Array
from brew.proto.brew_pb2 import LossParameter

LOSS_PART = r"""
// Part p of a loss and of the elements that count: what the block's threads have of both.
template <typename T>
__device__ void loss_part(long long p, T sum, long long counted, T* loss, long long* valid) {
  sum = block_sum(sum);
  counted = block_sum(counted);
  if (threadIdx.x == 0) {
    loss[p] = sum;
    valid[p] = counted;
  }
}
"""

_kernels = Kernels(r"""
// `fixed` is the divisor, or 0 where it is the number of elements that count.
template <typename T>
__global__ void loss_finish(long long n, const T* loss, const long long* valid, T* y, T* divisor, long long parts,
                            long long fixed) {
  FOR_EACH(only, n) {
    T sum = 0;
    long long counted = 0;
    for (long long p = 0; p < parts; ++p) {
      sum += loss[p];
      counted += valid[p];
    }
    long long by = fixed > 0 ? fixed : counted > 1 ? counted : 1;
    divisor[only] = (T)by;
    y[only] = sum / (T)by;
  }
}
""")


def normalization(
    param: LossParameter, default: LossParameter.NormalizationMode = LossParameter.VALID
) -> LossParameter.NormalizationMode:
    """The mode a file asks for: `normalization`, else the older `normalize`, else `default`."""
    if param.HasField("normalization"):
        return param.normalization
    if param.HasField("normalize"):
        return LossParameter.VALID if param.normalize else LossParameter.BATCH_SIZE
    return default


def normalizer(mode: LossParameter.NormalizationMode, outer: int, inner: int, valid: int) -> int:
    """The divisor for `outer` items of `inner` labels each, `valid` of all not ignored; never below 1."""
    divisors = {
        LossParameter.FULL: outer * inner,
        LossParameter.VALID: valid,
        LossParameter.BATCH_SIZE: outer,
        LossParameter.NONE: 1,
    }
    return max(1, divisors[mode])


def finish_cuda(
    mode: LossParameter.NormalizationMode,
    outer: int,
    inner: int,
    partial: tuple[Array, Array],
    y: Array,
    divisor: Array,
) -> None:
    """y = the sum of partial losses over their normaliser, and divisor = the normaliser; device arrays.

    `partial` holds losses and int64 counts of elements not ignored, one of each per part.
    """
    fixed = 0 if mode == LossParameter.VALID else normalizer(mode, outer, inner, 0)
    loss, valid = partial
    _kernels.loss_finish(1, loss, valid, y, divisor, loss.size, fixed)
