from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from brew.data.images import decoding
from brew.data.images import jpeg as jpeg_door
from brew.data.images.decoding import FORMATS, BadImage, ImageRule, decode, decode_image, read_image
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
        read_image(tmp_path / "x.jpg", ImageRule(color=True))
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
    floats = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(floats, "TIFF")
    for data, what in [
        (b"", "no bytes"),
        (b"GIF", "no known format"),
        (png(RGB)[:-30], "cannot be decoded"),
        (floats.getvalue(), "more than 8 bits a channel .mode F.; 8 or 16 are expected"),
    ]:
        with pytest.raises(BadImage, match=what):
            decode_image(data)


def test_a_bomb_is_refused():
    with pytest.raises(BadImage, match="is refused"):
        decode_image(png(np.zeros((14000, 14000), bool)))


def jpeg(image, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.fixture(params=["simplejpeg", "pillow"])
def decoder(request, monkeypatch):
    """Both ways to decode a JPEG."""
    if request.param == "pillow":
        monkeypatch.setattr(jpeg_door, "library", lambda: None)
    elif jpeg_door.library() is None:
        pytest.fail("the `test` group installs simplejpeg")
    return request.param


def photo(height, width, mode="RGB"):
    small = random.integers(0, 256, (5, 6, 4), np.uint8)
    return Image.fromarray(small, "RGBA").resize((width, height), Image.Resampling.BICUBIC).convert(mode)


SIZES = [(1, 1), (7, 5), (16, 16), (33, 47), (375, 500), (8, 1), (1, 17)]


@pytest.mark.parametrize("options", [
    {"subsampling": s, "quality": q, "progressive": p} for s in (0, 1, 2) for q, p in ((95, False), (30, True))
] + [{"keep_rgb": True}, {"quality": 1}, {"optimize": True, "restart_marker_blocks": 3}])  # fmt: skip
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_both_decoders_give_the_same_bits(options, mode, monkeypatch):
    if mode != "RGB":
        options = {k: v for k, v in options.items() if k != "keep_rgb"}
    pictures = [jpeg(photo(*size, mode), **options) for size in SIZES]
    rules = [
        ImageRule(),
        ImageRule(color=True),
        ImageRule(gray=True),
        ImageRule(at_least=3),
        ImageRule(True, at_least=9),
    ]
    fast = [decode(data, rule) for data in pictures for rule in rules]
    monkeypatch.setattr(jpeg_door, "library", lambda: None)
    slow = [decode(data, rule) for data in pictures for rule in rules]
    for one, other in zip(fast, slow, strict=True):
        assert one.shape == other.shape and np.array_equal(one, other)


def test_the_fast_decoder_is_the_one_that_is_used(monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(decoding, "_through_pillow", refuse)
    assert decode(jpeg(photo(9, 8)), ImageRule()).shape == (3, 9, 8)
    with pytest.raises(AssertionError):
        decode(jpeg(photo(9, 8, "CMYK")), ImageRule())


@pytest.mark.parametrize(("options", "reason"), [({}, "truncated"), ({"progressive": True}, "truncated")])
def test_a_jpeg_that_is_cut_anywhere_is_refused(options, reason, decoder):
    data = jpeg(photo(40, 50), **options)
    for end in range(20, len(data) - 2, 37):
        with pytest.raises(BadImage):
            decode(data[:end], ImageRule())


ORIENTED = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
UPRIGHT = {  # what a viewer shows, by EXIF 2.3, 4.6.4 A: where row 0 and column 0 are
    1: ORIENTED, 2: ORIENTED[:, ::-1], 3: ORIENTED[::-1, ::-1], 4: ORIENTED[::-1],
    5: ORIENTED.T, 6: ORIENTED[::-1].T, 7: ORIENTED[::-1, ::-1].T, 8: ORIENTED[:, ::-1].T,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [*UPRIGHT, 0, 9])
def test_orientation_is_obeyed_where_it_is_asked_for(kind, orientation, decoder):
    big = np.kron(ORIENTED, np.ones((16, 16), np.uint8))
    image, exif = Image.fromarray(big), Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.convert("RGB" if kind == "WEBP" else "L").save(stream, kind, exif=exif, quality=100, lossless=True)
    stored, upright = (decode(stream.getvalue(), ImageRule(gray=True, upright=u))[0] for u in (False, True))
    assert np.abs(stored[8::16, 8::16].astype(int) - ORIENTED).max() <= 2
    expected = UPRIGHT.get(orientation, ORIENTED)
    assert upright.shape == (16 * expected.shape[0], 16 * expected.shape[1])
    assert np.abs(upright[8::16, 8::16].astype(int) - expected).max() <= 2


def test_of_16_bits_the_high_byte_counts():
    deep = random.integers(0, 1 << 16, (5, 4), np.uint16)
    for kind in ("PNG", "TIFF", "PPM"):
        stream = io.BytesIO()
        Image.fromarray(deep).save(stream, kind)
        for rule, channels in ((ImageRule(), 1), (ImageRule(color=True), 3), (ImageRule(gray=True), 1)):
            found = decode(stream.getvalue(), rule)
            assert np.array_equal(found, np.repeat(deep[None] >> 8, channels, axis=0))


def test_alpha_palettes_and_cmyk():
    alpha = photo(5, 4, "RGBA")
    bgra = np.asarray(alpha)[:, :, [2, 1, 0, 3]].transpose(2, 0, 1)
    assert np.array_equal(decode_image(png(np.asarray(alpha))), bgra)
    assert np.array_equal(decode_image(png(np.asarray(alpha)), color=True), bgra[:3])  # dropped, not blended
    palette = alpha.convert("RGB").quantize(8)
    for options, channels in (({}, 3), ({"transparency": 1}, 4)):
        stream = io.BytesIO()
        palette.save(stream, "PNG", **options)
        colours = np.asarray(palette.convert("RGB"))[:, :, ::-1].transpose(2, 0, 1)
        found = decode_image(stream.getvalue())
        assert found.shape[0] == channels and np.array_equal(found[:3], colours)
    inks = jpeg(photo(16, 16, "CMYK"), quality=95)
    as_colour = np.asarray(Image.open(io.BytesIO(inks)).convert("RGB"))
    assert np.array_equal(decode_image(inks), as_colour[:, :, ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize(("least", "size"), [(0, (375, 500)), (1, (47, 63)), (46, (47, 63)), (47, (94, 125)),
                                             (187, (188, 250)), (188, (375, 500)), (999, (375, 500))])  # fmt: skip
def test_decoded_smaller(least, size, decoder):
    whole = photo(375, 500)
    found = decode(jpeg(whole, quality=95), ImageRule(at_least=least))
    assert found.shape == (3, *size)
    reference = np.asarray(whole.resize(size[::-1], Image.Resampling.BOX))[:, :, ::-1].transpose(2, 0, 1)
    assert np.abs(found.astype(int) - reference).mean() < 4


def test_a_size_that_lies_is_no_way_to_much_memory():
    """A frame of 60,000 x 60,000 over the data of a small picture."""
    data = bytearray(jpeg(photo(16, 16)))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (60000).to_bytes(2, "big") * 2
    with pytest.raises(BadImage, match="is refused"):
        decode(bytes(data), ImageRule())
