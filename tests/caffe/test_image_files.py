"""load_image on files of every kind; the pixels of lossless ones are known."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brew.caffe.images.files import ImageError
from brew.caffe.io import load_image

RGB = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [51, 102, 204]]], np.uint8)
GRAY = (RGB / 255) @ [0.2125, 0.7154, 0.0721]


def written(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def test_a_file_by_name_path_and_open(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(RGB).save(path)
    with path.open("rb") as file:
        for source in (str(path), path, file):
            image = load_image(source)
            assert image.dtype == np.float32
            np.testing.assert_allclose(image, RGB / 255, atol=1e-7)


def test_gray_is_weighted_and_has_one_channel() -> None:
    image = load_image(written(Image.fromarray(RGB)), color=False)
    assert image.shape == (2, 2, 1)
    np.testing.assert_allclose(image[:, :, 0], GRAY, atol=1e-7)


def test_a_gray_file_becomes_three_channels_or_stays() -> None:
    pixels = RGB[:, :, 0]
    np.testing.assert_allclose(load_image(written(Image.fromarray(pixels))), np.dstack([pixels] * 3) / 255, atol=1e-7)
    np.testing.assert_allclose(load_image(written(Image.fromarray(pixels)), False)[:, :, 0], pixels / 255, atol=1e-7)


def test_alpha_is_left_out() -> None:
    alpha = np.dstack([RGB, np.full((2, 2), 7, np.uint8)])
    np.testing.assert_allclose(load_image(written(Image.fromarray(alpha))), RGB / 255, atol=1e-7)
    gray = Image.fromarray(RGB[:, :, 0]).convert("LA")
    assert load_image(written(gray)).shape == (2, 2, 3)
    assert load_image(written(gray), False).shape == (2, 2, 1)


def test_a_palette_is_looked_up() -> None:
    image = Image.fromarray(RGB).quantize(4)
    np.testing.assert_allclose(load_image(written(image)), RGB / 255, atol=1e-7)
    np.testing.assert_allclose(load_image(written(image, transparency=b"\0\7"), False)[:, :, 0], GRAY, atol=1e-7)


def test_sixteen_bits_are_read_as_they_are() -> None:
    values = np.array([[0, 1000], [40000, 65535]], np.uint16)
    image = load_image(written(Image.fromarray(values)), color=False)
    np.testing.assert_allclose(image[:, :, 0], values / 65535, atol=1e-7)


def test_black_and_white_bits() -> None:
    bits = Image.fromarray(RGB[:, :, 0]).convert("1")
    assert load_image(written(bits), False).ravel().tolist() == [1, 0, 0, 0]


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    np.testing.assert_allclose(load_image(written(red, "JPEG"))[4, 4], [1, 0, 0], atol=0.02)


def test_floats_of_a_file_stay() -> None:
    values = np.array([[0, 0.25], [0.5, 2.5]], np.float32)
    assert load_image(written(Image.fromarray(values), "TIFF"), False)[:, :, 0].tolist() == values.tolist()


def test_a_cameras_mark_is_not_obeyed() -> None:
    image = Image.fromarray(np.zeros((8, 16, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    assert load_image(written(image, "JPEG", exif=exif)).shape == (8, 16, 3)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match=r"of an open file of 3 bytes cannot be decoded \(JPEG, .*JPEG2000 can\)"):
        load_image(io.BytesIO(b"abc"))
    cut = written(Image.fromarray(np.tile(RGB, (50, 50, 1)))).getvalue()[:200]
    (tmp_path / "cut.png").write_bytes(cut)
    with pytest.raises(ValueError, match=r"cut\.png of 200 bytes cannot be decoded"):
        load_image(tmp_path / "cut.png")
