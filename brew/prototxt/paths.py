r"""Paths in prototxt: escapes such as the \n of "run\new" make control characters, which no path has."""

from __future__ import annotations

import re

from brew.errors import PrototxtError

from .schema import Field

PATHS = frozenset({
    "net", "train_net", "test_net", "snapshot_prefix", "weights", "metrics", "tensorboard", "learned_net", "average",
    "source", "mean_file", "meanfile", "file_name", "root_folder",
})  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPES = {"\a": r"\a", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}


def check_path(field: Field, value: str, literal: str) -> None:
    """PrototxtError where `value`, written as `literal`, is a path with a control character in it."""
    found = _CONTROL.search(value) if field.name in PATHS else None
    if found is None:
        return
    character = found.group()
    shown = _ESCAPES.get(character, f"\\{ord(character):03o}")
    what = f"a character that no path should have, {shown} (code {ord(character)})"
    better = literal[1:-1].replace("\\\\", "\\").replace("\\", "/")
    hint = f'in a string \\ begins an escape: write / for it, "{better}"' if "\\" in literal else None
    raise PrototxtError(f"{field} has {what}", hint=hint)
