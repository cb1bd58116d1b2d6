"""Piles of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from piles import encoded


@pytest.fixture
def pile(tmp_path: Path) -> Callable[..., Path]:
    """Writes pictures of these names below a folder, each with a seed of its own."""

    def made(*names: str, folder: str = "pile", **how: object) -> Path:
        for seed, name in enumerate(names):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(seed, **how))  # type: ignore[arg-type]
        return tmp_path / folder

    return made
