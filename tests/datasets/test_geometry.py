from __future__ import annotations

import numpy as np
import pytest

from brew.data.images.resize import resize
from brew.datasets.geometry import Placement, place, placement


@pytest.mark.parametrize(
    ("how", "scaled", "offset", "canvas"),
    [
        ("warp", (30, 20), (0, 0), (30, 20)),
        ("fit", (10, 20), (0, 0), (10, 20)),
        ("pad", (10, 20), (10, 0), (30, 20)),
        ("shorter", (30, 60), (0, 0), (30, 60)),
        ("crop", (30, 60), (0, -20), (30, 20)),
    ],
)
def test_every_way_to_a_size(
    how: str, scaled: tuple[int, int], offset: tuple[int, int], canvas: tuple[int, int]
) -> None:
    at = placement((50, 100), (30, 20), how)  # type: ignore[arg-type]
    assert at == Placement((50, 100), scaled, offset, canvas)
    pixels = np.random.default_rng(0).integers(1, 256, (3, 50, 100), np.uint8)
    placed, whole = place(pixels, at), resize(pixels, *scaled)
    assert placed.shape == (3, *canvas)
    if how == "pad":
        assert (placed[:, 10:20] == whole).all() and not placed[:, :10].any() and not placed[:, 20:].any()
    elif how == "crop":
        assert (placed == whole[:, :, 20:40]).all()
    else:
        assert (placed == whole).all()


def test_points_follow_and_are_cut() -> None:
    pad, crop = (placement((50, 100), (30, 20), how) for how in ("pad", "crop"))
    assert pad.point(50, 25) == crop.point(50, 25) == (0.5, 0.5)
    assert pad.point(0, 0) == (0, 1 / 3) and pad.point(100, 50) == (1, 2 / 3)
    assert crop.point(0, 0) == (0, 0) and crop.point(60, 25) == (0.8, 0.5)


def test_masks_are_not_blended_and_thin_pictures_do_not_vanish() -> None:
    mask = np.array([[[0, 7], [9, 200]]], np.uint8)
    at = placement((2, 2), (5, 4), "pad")
    assert place(mask, at, fill=255, blend=False)[0].tolist() == [
        [0, 0, 7, 7], [0, 0, 7, 7], [9, 9, 200, 200], [9, 9, 200, 200], [255] * 4,
    ]  # fmt: skip
    assert placement((1, 1000), (10, 10), "fit").canvas == (1, 10)
