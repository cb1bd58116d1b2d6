"""Weights files: how a program names them, and the layers stored in them, in every format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from brew.errors import WeightsError
from brew.files.overwriting import Kind

from . import caffemodel, hdf5, safetensors
from .stored import LayerBlobs

Weights: TypeAlias = "str | Path | Sequence[str | Path]"  # a path, a list of paths, or text with commas between


def paths(files: Weights) -> list[str]:
    """The files one by one; WeightsError where a name is empty. A file that is there may have commas in its name."""
    if isinstance(files, str):
        files = [files] if "," in files and Path(files).is_file() else [name.strip() for name in files.split(",")]
    found = [str(path) for path in ([files] if isinstance(files, Path) else files)]
    if not all(found):
        raise WeightsError("a weights file is needed, and its name is empty")
    return found


def read(path: str | Path) -> list[LayerBlobs]:
    """The stored layers of a .caffemodel, HDF5 or safetensors file; told apart by content."""
    if hdf5.is_hdf5(path):
        return hdf5.read_weights(path)
    if safetensors.is_safetensors(path):
        return safetensors.read_weights(path)
    return caffemodel.read_weights(path)


def _are_weights(path: Path) -> bool:
    if hdf5.is_hdf5(path):
        return hdf5.holds_weights(path)
    return safetensors.is_safetensors(path) or caffemodel.begins_as_weights(path)


KIND = Kind("weights", _are_weights)
