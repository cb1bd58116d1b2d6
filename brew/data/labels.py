"""The names of classes, kept beside the data: labels.txt, a name a line, in the order of the numbers.

`brew data import` writes it into its folder and into the folder of every database. A key of its own within a database
would be a record to Caffe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from brew.errors import DataError, Place
from brew.files import regular
from brew.files.paths import expanded
from brew.proto.brew_pb2 import LayerParameter

FILE = "labels.txt"
FILES = FILE, "synset_words.txt"
_SYNSET = re.compile(r"n\d{8}\s+(.+)")


def label_names(path: Path) -> tuple[str, ...]:
    """The names of the classes of a data set, () where there are none.

    `path` is the folder of a database or of an import, an HDF5 file, or a list of files. DataError for a labels.txt
    that cannot be read or is empty.
    """
    folder = path if path.is_dir() else path.parent
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    return () if file is None else read_labels(file)


def names_of_layers(layers: Iterable[LayerParameter]) -> tuple[str, ...]:
    """The names beside the sources of a net's data layers: of the first layer that has any."""
    for layer in layers:
        for source in (layer.data_param.source, layer.hdf5_data_param.source, layer.image_data_param.source):
            if source and (names := label_names(expanded(source))):
                return names
    return ()


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in a file, one a line; of lines as in synset_words.txt (n01440764 tench) what stands behind the id.

    DataError for a file that cannot be read or holds none.
    """
    try:
        lines = regular.read_text(path, "utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"the labels cannot be read: {reason}", place=Place(str(path))) from None
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError("there is no label in it", place=Place(str(path)))
    synsets = [_SYNSET.fullmatch(line) for line in lines]
    return tuple(match[1] for match in synsets if match) if all(synsets) else tuple(lines)


def as_text(names: Sequence[str]) -> str:
    """The content of labels.txt; blanks at the ends of a name, and line ends in it, become single blanks."""
    return "".join(f"{' '.join(name.split()) or '?'}\n" for name in names)
