"""Rows of the tests over all layer types, for a type that they do not list.

A type with one bottom and one top of its shape, which takes any shape and makes no value larger, needs none. Another says
what differs in its own test, tests/layers/test_<type>.py, as constants:

    EXAMPLE      keywords of test_every_type.Row: shapes and labels of the bottoms of the docstring's example
    EDGES        keywords of test_edge_sizes.Row: its message, and shapes of bottoms and tops at the edge
    MISTAKES     a list of keywords of test_errors_of_all.Mistake: shapes that it refuses, and what it says
    RANDOM_NETS  keywords of differential.rows.Row: how random nets build it; a loss or score ends them
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import Any

import brew
from brew.layer import Layer
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class, stem

LAYERS = Path(__file__).parent / "layers"


def of(constant: str, listed: Collection[str]) -> dict[str, Any]:
    """By type, of those that compute and are not `listed`, its own row of this name; None where it has none."""
    return {name: _own(name, constant) for name in brew.layer_type_list() if name not in listed and _computes(name)}


def cls(type_name: str) -> type[Layer]:
    found = layer_class(type_name)
    assert found is not None
    return found


def _computes(type_name: str) -> bool:
    return cls(type_name).bottoms.least > 0 and not issubclass(cls(type_name), DataLayer)


def _own(type_name: str, constant: str) -> Any:
    path = LAYERS / f"test_{stem(type_name)}.py"
    if not path.is_file() or f"\n{constant}" not in path.read_text():
        return None
    spec = importlib.util.spec_from_file_location(f"own_rows_of_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, constant)
