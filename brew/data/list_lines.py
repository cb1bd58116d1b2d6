"""The lines of the text files that name data: lists of images, of HDF5 files, of windows."""

from __future__ import annotations

from pathlib import Path

from brew.errors import DataError, Place
from brew.files import regular
from brew.files.signatures import noun_of

BLANKS = " \t\r\v\f"  # allowed around a name; a blank of Unicode is part of it
QUOTES = "\"'"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how UTF-16 begins
_SHOWN = 80  # characters of a line in a message


def read_lines(file: Path, *, what: str, place: Place | None = None) -> list[tuple[int, str]]:
    """(number, content) of the lines that hold more than blanks, without the blanks at their ends.

    Lines end as on any system; a byte order mark of UTF-8 is no part of the first. Bytes that are no UTF-8 are kept,
    for names are what the system's files are called. DataError for a file that cannot be read, or is no text.
    """
    try:
        content = regular.read_bytes(file)
    except OSError as error:
        raise DataError(f"{what}: {file} cannot be read: {error.strerror or error}", place=place) from None
    if content.startswith(UTF_16):
        hint = "save it as UTF-8"
        raise DataError(f"{what}: {file} is UTF-16; a list in UTF-8 is expected", place=place, hint=hint)
    noun = noun_of(content[:512])
    if noun not in (None, "a text file") or b"\0" in content:
        raise DataError(f"{what}: {file} is {noun or 'no text'}; a text file is expected, a name a line", place=place)
    text = content.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    stripped = ((number, line.rstrip(BLANKS)) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in stripped if line]


def shown(line: str) -> str:
    """A line as a message quotes it: cut to one line of a terminal, what is not printable escaped."""
    cut = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in cut)
    return f'"{plain}"'


def doubt(name: str) -> str | None:
    """A remedy for the name of no file, where it looks like a mistake; else None."""
    if name[:1] in QUOTES and name[-1:] == name[:1] and len(name) > 1:
        return "names stand without quotes, whatever blanks are in them"
    if name.startswith("#"):
        return "a list has no comments: each line is a name"
    if name.endswith((",", ";")):
        return "a blank stands before the label, and no comma"
    if name != name.lstrip(BLANKS):
        return "the blanks before the name are part of it"
    return None
