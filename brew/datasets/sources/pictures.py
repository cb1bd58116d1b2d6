"""A folder of pictures that lie side by side, with classes in their names or without any."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import ClassVar

from brew.errors import DataError, UsageError

from .folders import FolderPile, files_below
from .items import Item, Problem
from .trees import class_order, is_picture, left_out

_LOOKED_AT = 10_000  # files, to recognise a folder


class Pictures(FolderPile):
    """All pictures below a folder. `label` and `group` find the class and the group of each in its name."""

    kind = "pictures"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "label": r"a regular expression, whose first group in a picture's name is its class: ([a-z]+)\.\d+",
        "group": "the same for what stays in one part",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        label, group = (_pattern(options, name) for name in ("label", "group"))
        try:
            names = list(files_below(path))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        pictures = [name for name in names if is_picture(name)]
        others = [name for name in names if not is_picture(name)]
        if not pictures:
            raise DataError(f"{path} has no pictures")
        self.notes = [left_out(others, "no pictures by their names")] if others else []
        found = {name: (_first(label, name), _first(group, name)) for name in pictures}
        missing = [name for name, (own, _) in found.items() if label is not None and own is None]
        if len(missing) == len(pictures):
            raise UsageError(f"--set label={options['label']} finds no class in any name: {pictures[0]} is one")
        if group is not None and not any(together for _, together in found.values()):
            raise UsageError(f"--set group={options['group']} finds no group in any name: {pictures[0]} is one")
        self.problems = [Problem(name, f"{options['label']} finds no class in its name") for name in missing]
        self.labels = class_order(own for own, _ in found.values() if own is not None)
        alone = [name for name, (_, together) in found.items() if group is not None and together is None]
        if alone:
            more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
            self.notes += [f"pictures of no group by their names: {', '.join(alone[:3])}{more}"]
        numbers = {name: number for number, name in enumerate(self.labels)}
        self.items = [
            Item(name, label=None if own is None else numbers[own], group=together)
            for name, (own, together) in found.items()
            if label is None or own is not None
        ]

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there are pictures in the folder itself."""
        try:
            return path.is_dir() and any(
                "/" not in name and is_picture(name) for name in islice(files_below(path), _LOOKED_AT)
            )
        except OSError:
            return False


def _pattern(options: Mapping[str, str], name: str) -> re.Pattern[str] | None:
    if name not in options:
        return None
    try:
        pattern = re.compile(options[name])
    except re.error as error:
        raise UsageError(f"--set {name}={options[name]} is no regular expression: {error}") from None
    if pattern.groups == 0:
        raise UsageError(f"--set {name}={options[name]} has no group: brackets stand around what is meant")
    return pattern


def _first(pattern: re.Pattern[str] | None, name: str) -> str | None:
    match = pattern.search(name) if pattern is not None else None
    return match[1] if match is not None else None
