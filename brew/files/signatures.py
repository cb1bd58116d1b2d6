"""What a file given by mistake is, by the bytes that it begins with: for error messages only."""

from __future__ import annotations

_SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstandard file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"version https://git-lfs", "a Git LFS pointer"),
    (b"\xff\xfe\0\0", "a text file in UTF-32"),
    (b"\xff\xfe", "a text file in UTF-16"),
    (b"\xfe\xff", "a text file in UTF-16"),
    *((b"\x80" + bytes([protocol]), "a Python pickle") for protocol in range(2, 6)),
)
_TEXT = frozenset(b"\t\n\x0b\x0c\r\x1b") | frozenset(range(32, 256)) - {127}


def noun_of(head: bytes) -> str | None:
    """A noun phrase for a file that begins with `head` (a few hundred bytes), or None for unknown bytes.

    Text is "a text file", unless it is a page from a web server or a pointer to the file.

    >>> noun_of(b"PK\\x03\\x04...")
    'a zip archive'
    """
    for signature, noun in _SIGNATURES:
        if head.startswith(signature):
            return noun
    if len(head) > 8 and any(not any(head[i::2]) and _TEXT.issuperset(head[1 - i :: 2]) for i in (0, 1)):
        return "a text file in UTF-16"  # every other byte is 0
    if not head or not _TEXT.issuperset(head) or not _is_utf8(head):
        return None
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head")):
        return "an HTML page"
    return "a text file"


def is_binary(head: bytes) -> bool:
    """Whether a file that begins so is no text."""
    return sum(byte < 9 or 13 < byte < 32 for byte in head[:512]) > 1


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and error.reason == "unexpected end of data"  # cut inside a character
    return True
