"""Images made different by chance, for training: colours, windows, sizes, noise; boxes, points and masks follow."""

from brew.proto.brew_pb2 import TransformationParameter

COLOURS = (
    "distort_param", "color_jitter_param", "noise_param", "blur_param", "gaussian_noise_param", "jpeg_param",
    "erase_param",
)  # fmt: skip
"""Messages that a mask does not obey."""
CHANCE = (*COLOURS, "expand_param", "random_aspect_ratio_param", "affine_param", "rand_augment_param")
"""Messages that act in TRAIN alone."""
_OTHERS = {
    "scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray", "upright",
    "decode_at_least",
}  # fmt: skip


def asked_for(param: TransformationParameter) -> bool:
    """Whether a field is set that only augmentations read."""
    return not _OTHERS.issuperset(field.name for field, _ in param.ListFields())
