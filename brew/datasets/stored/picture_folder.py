"""Entries as files again: a folder of pictures for each class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from brew.data.images.decoding import encode_png
from brew.errors import DataError

from .entry import Entry, look, picture_format, text_of

_ENDINGS = {"jpg": (".jpg", ".jpeg", ".jpe"), "tif": (".tif", ".tiff")}
_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]')
_NO_CLASS = "no_class"
_MOST_LETTERS = 120  # of a file's name


def write_pictures(folder: Path, entries: Iterable[Entry], names: Sequence[str]) -> None:
    """Each entry as a file in the folder of its class: an encoded picture's own bytes, pixels as PNG.

    Files are called as their records are; a second one of a name gets the record's number in front. DataError for a
    record that is no picture, or has boxes.
    """
    folder.mkdir()
    for number, entry in enumerate(entries):
        content, ending = _file(entry)
        inside = folder / _class_folder(entry.label(), names)
        inside.mkdir(exist_ok=True)
        name = _file_name(text_of(entry.key), ending)
        try:
            _create(inside / name, content)
        except FileExistsError:
            _create(inside / f"{number:08d}_{name}", content)


def _create(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


def _file(entry: Entry) -> tuple[bytes, str]:
    """The bytes of an entry's file, and their kind."""
    if entry.annotated:
        raise DataError(f"record {entry.name!r} has boxes, which a folder of pictures does not hold")
    if entry.value is not None and (datum := entry.datum()).encoded:
        return datum.data, picture_format(datum.data)
    values = look(entry).values
    if values.dtype != np.uint8 or values.ndim != 3 or len(values) not in (1, 3, 4):
        axes = " x ".join(map(str, values.shape))
        raise DataError(f"record {entry.name!r} is no picture: it holds {axes} of {values.dtype}")
    if len(values) == 1:
        return encode_png(values[0]), "png"
    colours = values[[2, 1, 0, 3][: len(values)]]
    return encode_png(np.ascontiguousarray(colours.transpose(1, 2, 0))), "png"


def _class_folder(label: int | None, names: Sequence[str]) -> str:
    if label is None:
        return _NO_CLASS
    return _safe(names[label]) if 0 <= label < len(names) else str(label)


def _file_name(name: str, kind: str) -> str:
    """The last part of a record's name, with the ending of what the file is.

    >>> _file_name("train/cat/7.JPG", "jpg"), _file_name("00000012", "png"), _file_name("a.jpg", "png")
    ('7.JPG', '00000012.png', 'a.png')
    """
    last = _safe(name.rpartition("/")[2])[-_MOST_LETTERS:]
    path = Path(last)
    if path.suffix.lower() in _ENDINGS.get(kind, (f".{kind}",)):
        return last
    return f"{path.stem if re.fullmatch(r'[.][A-Za-z][A-Za-z0-9]{1,4}', path.suffix) else last}.{kind}"


def _safe(name: str) -> str:
    """A name that stays in its folder, on every system."""
    return _UNSAFE.sub("_", name).strip(" .") or "_"
