"""What the names of files in folders say: parts (train/, val/, test/) and classes, in a folder as in an archive."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from .items import Item, Part

PARTS: dict[str, Part] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
# Endings of what brew.data.images decodes.
_COMMON = ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif"
PICTURES = frozenset({*_COMMON, ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k"})
_LISTED = 3  # names in a note


@dataclass(frozen=True, slots=True)
class Tree:
    """Pictures in class folders, and what the user should know of the rest."""

    labels: tuple[str, ...]
    items: tuple[Item, ...]
    notes: tuple[str, ...]


def is_picture(name: str) -> bool:
    """Whether a file is called as a picture is, and is not hidden."""
    path = PurePosixPath(name)
    return path.suffix.lower() in PICTURES and not path.name.startswith(".")


def in_bytes_order(names: Iterable[str]) -> list[str]:
    """`names` by their bytes, which are the same on every machine."""
    return sorted(names, key=os.fsencode)


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes in the order of their numbers: by value where all are whole numbers, else by bytes."""
    unique = set(names)
    if all(name.isascii() and name.isdigit() for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(in_bytes_order(unique))


def class_tree(names: Iterable[str], wanted: Callable[[str], bool] = is_picture, noun: str = "pictures") -> Tree:
    """The pictures among the files `names`, relative to their folder, by class folder; or the files that are `wanted`.

    Folders around all of it are passed over. Where the outermost folders are called train, val or test, they are the
    parts, and each part holds the class folders, or pictures without a class.
    """
    everything = in_bytes_order(names)
    pictures = [name for name in everything if wanted(name)]
    others = [name for name in everything if not wanted(name)]
    notes = [left_out(others, f"no {noun} by their names")] if others else []
    found: list[tuple[str, Part | None, str | None]]
    split = _unwrapped([(name, name.split("/")) for name in pictures])
    if any(parts[0].lower() in PARTS for _, parts in split if len(parts) > 1):
        astray = [name for name, parts in split if len(parts) == 1 or parts[0].lower() not in PARTS]
        found = [
            (name, PARTS[parts[0].lower()], parts[1] if len(parts) > 2 else None)
            for name, parts in split
            if len(parts) > 1 and parts[0].lower() in PARTS
        ]
        notes += [left_out(astray, "in none of the folders of parts")] if astray else []
    else:
        astray = [name for name, parts in split if len(parts) == 1]
        found = [(name, None, parts[0]) for name, parts in split if len(parts) > 1]
        notes += [left_out(astray, "in no class folder")] if astray else []
    labels = class_order(label for _, _, label in found if label is not None)
    numbers = {label: number for number, label in enumerate(labels)}
    items = tuple(Item(name, label=None if label is None else numbers[label], part=part) for name, part, label in found)
    return Tree(labels, items, tuple(notes))


def _unwrapped(split: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Without the folders that all pictures are in, down to those of parts or classes."""
    while split:
        first = {parts[0] for _, parts in split}
        if len(first) > 1 or any(len(parts) < 3 for _, parts in split) or first.pop().lower() in PARTS:
            break
        split = [(name, parts[1:]) for name, parts in split]
    return split


def left_out(names: Sequence[str], why: str, noun: str = "file") -> str:
    """A sentence on files, or what else `noun` calls, that an import leaves out."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{len(names)} {noun}{'s' * (len(names) > 1)} left out, {why}: {', '.join(names[:_LISTED])}{more}"
