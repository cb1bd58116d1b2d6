"""Weights files: how a program names them, and the layers stored in them, in every format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from brew import hdf5_file, safetensors_file, wire
from brew._wire_stored import LayerBlobs
from brew.errors import WeightsError
from brew.overwriting import Kind

Weights: TypeAlias = "str | Path | Sequence[str | Path]"  # a path, a list of paths, or text with commas between


def paths(files: Weights) -> list[str]:
    """The files one by one; WeightsError where a name is empty."""
    if isinstance(files, str):
        files = [name.strip() for name in files.split(",")]
    found = [str(path) for path in ([files] if isinstance(files, Path) else files)]
    if not all(found):
        raise WeightsError("a weights file is needed, and its name is empty")
    return found


def read(path: str | Path) -> list[LayerBlobs]:
    """The stored layers of a .caffemodel, HDF5 or safetensors file; told apart by content."""
    if hdf5_file.is_hdf5(path):
        return hdf5_file.read_weights(path)
    if safetensors_file.is_safetensors(path):
        return safetensors_file.read_weights(path)
    return wire.read_weights(path)


def _are_weights(path: Path) -> bool:
    if hdf5_file.is_hdf5(path):
        return hdf5_file.holds_weights(path)
    return safetensors_file.is_safetensors(path) or wire.begins_as_weights(path)


KIND = Kind("weights", _are_weights)
