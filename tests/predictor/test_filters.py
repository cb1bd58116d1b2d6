"""Filter banks as images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import brew
from brew.errors import UsageError
from brew.reports.filters import Filters


def test_colour_filters_are_tiles_in_colour(folder: Path) -> None:
    filters = brew.load(folder).filters("conv")
    image = Image.open(io.BytesIO(filters._repr_png_()))
    assert image.mode == "RGB"
    assert image.size == (3 * 24 + 2, 2 * 24 + 1)
    assert (np.asarray(filters.image()) == filters.pixels).all()


def test_bgr_becomes_rgb_and_zero_is_gray() -> None:
    values = np.zeros((1, 3, 1, 1))
    values[0, 0] = 2.0  # blue
    assert Filters("x", values).pixels[0, 0].tolist() == [128, 128, 255]
    assert Filters("x", values, rgb=True).pixels[0, 0].tolist() == [255, 128, 128]


def test_many_channels_make_a_row_for_each_filter() -> None:
    values = np.arange(2 * 5 * 3 * 3, dtype=np.float32).reshape(2, 5, 3, 3)
    pixels = Filters("x", values).pixels
    assert pixels.shape == (2 * 25 - 1, 5 * 25 - 1)
    assert pixels[25, 0] > pixels[0, 0]  # the second filter lies below
    assert Filters("x", np.ones((200, 100, 1, 1))).pixels.shape == (64 * 25 - 1, 64 * 25 - 1)


def test_a_matrix_is_an_image_of_its_own_and_other_shapes_are_none(folder: Path) -> None:
    model = brew.load(folder)
    assert model.filters("ip").pixels.shape == (4, 6)
    with pytest.raises(UsageError, match="no image can be made"):
        _ = Filters("x", np.ones(3)).pixels
    with pytest.raises(UsageError, match='did you mean "conv"'):
        model.filters("cnv")


def test_zeros_and_nan_are_shown() -> None:
    assert (Filters("x", np.zeros((1, 1, 30, 30))).pixels == 128).all()
    assert Filters("x", np.full((1, 1, 30, 30), np.nan)).pixels.max() == 0


def test_an_image_is_saved_and_replaces_no_other_file(tmp_path: Path) -> None:
    filters = Filters("x", np.ones((1, 1, 30, 30)))
    filters.save(tmp_path / "x.png")
    filters.save(tmp_path / "x.png", overwrite=True)
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (30, 30)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(brew.BrewError):
        filters.save(tmp_path / "notes.txt", overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
