"""Weights files: how a program names them, their formats, and the layers stored in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from brew.errors import WeightsError
from brew.files.overwriting import Kind

from . import caffemodel, hdf5, safetensors
from .stored import LayerBlobs, Values

Weights: TypeAlias = "str | Path | Sequence[str | Path]"  # a path, a list of paths, or text with commas between


@dataclass(frozen=True, slots=True)
class Format:
    """A format of weights files beside Caffe's binary one, which takes all that these leave.

    name       as messages call such files
    endings    of file names; a file with the first of them is written so
    is_one     whether a file is of this format, by its contents
    holds      whether such a file holds weights, and not something else
    read       the stored layers; WeightsError
    write      write the values, and gradients where they are given, of the net of a name
    gradients  whether it can hold gradients
    """

    name: str
    endings: tuple[str, ...]
    is_one: Callable[[str | Path], bool]
    holds: Callable[[str | Path], bool]
    read: Callable[[str | Path], list[LayerBlobs]]
    write: Callable[[Path, Values, Values | None, str], None]
    gradients: bool = True


FORMATS = (
    Format("HDF5", (".h5", ".hdf5"), hdf5.is_hdf5, hdf5.holds_weights, hdf5.read_weights, hdf5.write_weights),
    Format(
        "safetensors", (".safetensors",), safetensors.is_safetensors, safetensors.is_safetensors,
        safetensors.read_weights, safetensors.write_weights, gradients=False,
    ),
)  # fmt: skip
ENDINGS = (".caffemodel", *(ending for each in FORMATS for ending in each.endings))


def format_for(ending: str) -> Format | None:
    """The format in which files with this ending are written; None for Caffe's binary one."""
    return next((each for each in FORMATS if each.endings[0] == ending), None)


def paths(files: Weights) -> list[str]:
    """The files one by one; WeightsError where a name is empty. A file that is there may have commas in its name."""
    if isinstance(files, str):
        files = [files] if "," in files and Path(files).is_file() else [name.strip() for name in files.split(",")]
    found = [str(path) for path in ([files] if isinstance(files, Path) else files)]
    if not all(found):
        raise WeightsError("a weights file is needed, and its name is empty")
    return found


def read(path: str | Path) -> list[LayerBlobs]:
    """The stored layers of a file of any format; told apart by content."""
    known = format_of(path)
    return known.read(path) if known is not None else caffemodel.read_weights(path)


def are_weights(path: str | Path) -> bool:
    """Whether a file holds weights, by its content; WeightsError where it cannot be read."""
    known = format_of(path)
    return known.holds(path) if known is not None else caffemodel.begins_as_weights(path)


def format_of(path: str | Path) -> Format | None:
    """The format of a file, by its content; None for Caffe's binary one, and for what is no file of weights."""
    return next((each for each in FORMATS if each.is_one(path)), None)


WEIGHTS_KIND = Kind("weights", are_weights)
