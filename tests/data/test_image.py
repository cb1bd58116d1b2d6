from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from brew.data.image import FORMATS, BadImage, decode_image, read_image
from brew.errors import DataError

random = np.random.default_rng(0)


def png(array, mode=None, **options):
    stream = io.BytesIO()
    image = Image.fromarray(array) if mode is None else Image.fromarray(array).convert(mode)
    image.save(stream, "PNG", **options)
    return stream.getvalue()


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
(started) print showpage
%%EOF
"""


def test_no_program_is_started_for_an_image(tmp_path, monkeypatch):
    """Pillow starts Ghostscript for an EPS, whatever the file is called."""
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # what an earlier look may have found
    (tmp_path / "x.jpg").write_bytes(EPS)
    with pytest.raises(DataError, match=r"x\.jpg of \d+ bytes is of no known format \(JPEG, PNG"):
        read_image(tmp_path / "x.jpg", color=True)
    assert not (tmp_path / "started").exists()
    with Image.open(tmp_path / "x.jpg") as image, suppress(OSError):  # the test is one: Pillow by itself does
        image.load()
    assert (tmp_path / "started").exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_that_is_named_is_read(kind):
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, kind)
    assert decode_image(stream.getvalue()).shape == (3, 5, 4)


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX", "SGI", "DDS", "ICNS", "MSP", "SPIDER", "XBM", "EPS"])
def test_others_are_not(kind):
    stream = io.BytesIO()
    mode = {"MSP": "1", "XBM": "1", "SPIDER": "F"}.get(kind, "RGB")
    Image.fromarray(RGB).resize((16, 16)).convert(mode).save(stream, kind)
    with pytest.raises(BadImage):
        decode_image(stream.getvalue())


RGB = random.integers(0, 256, (5, 4, 3), np.uint8)


def test_color_is_bgr():
    assert np.array_equal(decode_image(png(RGB)), RGB.transpose(2, 0, 1)[::-1])


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("1", 1), ("RGB", 3), ("P", 3), ("RGBA", 4), ("LA", 4)])
def test_channels_as_stored_or_as_forced(mode, channels):
    data = png(RGB, mode)
    assert decode_image(data).shape == (channels, 5, 4)
    assert decode_image(data, color=True).shape == (3, 5, 4)
    assert decode_image(data, gray=True).shape == (1, 5, 4)


def test_gray_made_color_is_three_times_the_same():
    color = decode_image(png(RGB, "L"), color=True)
    assert (color == decode_image(png(RGB, "L"))).all()


def test_forced_gray_is_weighed_as_beneath_opencv():
    # 147.502 of 15 bits is cut off in PNG; elsewhere 147.501 of 14 bits is rounded. Six decimals would give 147.498.
    image = Image.new("RGB", (1, 1), (195, 110, 216))
    for kind, expected in (("PNG", 147), ("BMP", 148)):
        stream = io.BytesIO()
        image.save(stream, kind)
        assert decode_image(stream.getvalue(), gray=True).tolist() == [[[expected]]]


def test_forced_gray_of_a_jpeg_is_its_luminance():
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, "JPEG")
    image = Image.open(io.BytesIO(stream.getvalue()))
    image.draft("YCbCr", None)
    assert np.array_equal(decode_image(stream.getvalue(), gray=True)[0], np.asarray(image)[:, :, 0])


def test_bad_images():
    sixteen = png(np.zeros((4, 4), np.uint16))
    for data, what in [
        (b"", "no bytes"),
        (b"GIF", "no known format"),
        (png(RGB)[:-30], "cannot be decoded"),
        (sixteen, "more than 8 bits"),
    ]:
        with pytest.raises(BadImage, match=what):
            decode_image(data)


def test_a_bomb_is_refused():
    with pytest.raises(BadImage, match="is refused"):
        decode_image(png(np.zeros((14000, 14000), bool)))
