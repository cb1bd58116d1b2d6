"""What a loss is divided by (loss_param of SoftmaxWithLoss, SigmoidCrossEntropyLoss and InfogainLoss)."""

from __future__ import annotations

from brew.proto.brew_pb2 import LossParameter


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
