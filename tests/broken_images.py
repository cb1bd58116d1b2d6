"""Broken and odd image files, by name: what strangers' piles of pictures hold."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

_SIDES = (48, 64)  # rows, columns


def picture(number: int) -> Image.Image:
    rows, columns = np.mgrid[: _SIDES[0], : _SIDES[1]]
    waves = [np.sin(rows / (3 + c) + number) + np.cos(columns / (4 + c) - number) for c in range(3)]
    return Image.fromarray((np.stack(waves, -1) * 60 + 128).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def markers(data: bytes) -> list[int]:
    """Where the markers of a JPEG file begin."""
    return [i for i in range(len(data) - 1) if data[i] == 0xFF and data[i + 1] not in (0x00, 0xFF)]


def good() -> Iterator[tuple[str, bytes]]:
    """Odd, but whole."""
    image = picture(0)
    yield "progressive.jpg", encoded(image, "JPEG", progressive=True)
    yield "cmyk.jpg", encoded(image.convert("CMYK"), "JPEG")
    yield "gray.jpg", encoded(image.convert("L"), "JPEG")
    yield "is_a_png.jpg", encoded(image, "PNG")
    yield "is_a_jpeg.png", encoded(image, "JPEG")
    yield "palette.png", encoded(image.quantize(16), "PNG")
    yield "palette_alpha.png", encoded(image.quantize(16), "PNG", transparency=3)
    yield "alpha.png", encoded(image.convert("RGBA"), "PNG")
    yield "one_bit.png", encoded(image.convert("1"), "PNG")
    yield "one_pixel.bmp", encoded(image.crop((0, 0, 1, 1)), "BMP")
    yield "moving.gif", encoded(image, "GIF", save_all=True, append_images=[picture(1), picture(2)])
    yield "moving.webp", encoded(image, "WEBP", save_all=True, append_images=[picture(1)])
    yield "pages.tif", encoded(image, "TIFF", save_all=True, append_images=[picture(1)])
    yield "more_behind.jpg", encoded(image, "JPEG") + b"behind" * 50
    yield "turned.jpg", encoded(image, "JPEG", exif=_orientation(6))
    yield "a name with\ttabs and  blanks.jpg", encoded(image, "JPEG")
    yield "ünïcödé 图.jpg", encoded(image, "JPEG")


def broken() -> Iterator[tuple[str, bytes]]:
    """Files that hold no whole image, or one that nobody should decode."""
    jpeg, png = encoded(picture(3), "JPEG"), encoded(picture(3), "PNG")
    for number, place in enumerate(markers(jpeg)[:-1]):
        yield f"cut_at_marker_{number}.jpg", jpeg[:place]
        yield f"cut_in_marker_{number}.jpg", jpeg[: place + 3]
    for share in range(1, 40):
        yield f"cut_{share}.png", png[: len(png) * share // 40]
        yield f"cut_{share}.jpg", jpeg[: len(jpeg) * share // 42]
    for kind in ("BMP", "GIF", "TIFF", "WEBP", "PPM"):
        data = encoded(picture(4), kind)
        for share in range(1, 12):
            yield f"cut_{share}.{kind.lower()}", data[: len(data) * share // 14]
    yield "nothing.jpg", b""
    yield "one_byte.jpg", b"\xff"
    yield "text.jpg", b"this is not a picture\n"
    yield "page.png", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
    yield "zeros.jpg", bytes(10_000)
    yield "only_ends.jpg", b"\xff\xd8\xff\xd9"
    yield "bomb.png", _huge_png(60_000, 60_000)
    yield "wide_bomb.png", _huge_png(2**31 - 1, 1)
    yield "no_columns.png", _huge_png(0, 5)
    yield "huge.jpg", _with_size(jpeg, 65_535, 65_535)
    yield "no_rows.jpg", _with_size(jpeg, 0, 64)
    yield "taller_than_told.bmp", _bmp(2**30, 2**30)
    yield "program.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
    yield "drawing.jpg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


def hurt(count: int) -> Iterator[tuple[str, bytes]]:
    """Whole files with a few bytes changed, by seed: some decode, some do not, and none may do more."""
    kinds = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
    for number in range(count):
        random = np.random.default_rng(number)
        kind = kinds[number % len(kinds)]
        data = bytearray(encoded(picture(number), kind))
        for place in random.integers(0, min(len(data), 600), 1 + number % 7):
            data[place] = random.integers(256)
        yield f"hurt_{number}.{kind.lower()}", bytes(data)


def write(folder: Path, files: Iterator[tuple[str, bytes]]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for name, data in files:
        (folder / name).write_bytes(data)
        names.append(name)
    return names


def _orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _huge_png(width: int, height: int) -> bytes:
    """A few bytes that say they are this large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _with_size(jpeg: bytes, height: int, width: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def _bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 100, 0, 0, 54) + head + bytes(100)
