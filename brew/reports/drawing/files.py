"""Pictures as files: which of those that exist may be replaced."""

from __future__ import annotations

from pathlib import Path

from brew.files import regular
from brew.files.overwriting import Kind

_HEAD = 4096  # bytes in which a file says who drew it
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")


def picture_kind(ending: str, mark: str) -> Kind:
    """The kind of a picture's file, SVG or another image; one that has `mark` at its beginning Brew drew."""

    def wrote(path: Path) -> bool:
        return mark.encode() in regular.head(path, _HEAD)

    if ending == "svg":
        return Kind("an SVG picture", lambda path: b"<svg" in regular.head(path, _HEAD), wrote)
    return Kind("an image", lambda path: regular.head(path, 16).startswith(_IMAGES), wrote)
