"""Images made different by chance, for training: colours, windows, sizes, noise; boxes, points and masks follow."""

COLOURS = (
    "distort_param", "color_jitter_param", "noise_param", "blur_param", "gaussian_noise_param", "jpeg_param",
    "erase_param",
)  # fmt: skip
"""Messages that a mask does not obey."""
CHANCE = (*COLOURS, "expand_param", "random_aspect_ratio_param", "affine_param", "rand_augment_param")
"""Messages that act in TRAIN alone."""
