"""data.yaml of a YOLO data set: the names of its classes, and where the pictures of each part are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from brew.datasets.sources.items import Part
from brew.datasets.sources.trees import is_picture
from brew.errors import DataError, Place

from .class_names import numbered_lines
from .files import Files, folder_of, inside
from .told import Told

_MOST = 1 << 20  # bytes
_SIGN = re.compile(rb"^names\s*:", re.MULTILINE)
_PARTS: tuple[tuple[str, Part], ...] = (("train", "train"), ("val", "val"), ("valid", "val"), ("test", "test"))


@dataclass(slots=True)
class YoloSettings:
    """The names of the classes, None where they are not given; by part, folders or lists of pictures; where from."""

    names: tuple[str, ...] | None = None
    folder: str = ""
    parts: dict[Part, list[str]] = field(default_factory=dict)

    def pictures(self, files: Files, told: Told) -> Iterator[tuple[str, Part]]:
        """The pictures of each part, as far as the settings find them: paths of other machines find none."""
        for part, entries in self.parts.items():
            for entry in entries:
                found = list(self._below(files, entry))
                if not found:
                    told.add(f"entries of {part} in the settings that lead to no pictures", entry)
                yield from ((name, part) for name in found)

    def _below(self, files: Files, entry: str) -> Iterator[str]:
        for base in dict.fromkeys((self.folder, "")):
            for start in dict.fromkeys((entry, re.sub(r"^(?:\.\./)+", "", entry))):
                name = inside(base, start)
                if name is None and start not in (".", "./"):
                    continue
                if name is not None and name in files.known:
                    yield from _listed(files, name, base)
                    return
                prefix = "" if name is None else f"{name}/"
                found = [other for other in files.names if other.startswith(prefix) and is_picture(other)]
                if found:
                    yield from found
                    return


def _listed(files: Files, name: str, base: str) -> Iterator[str]:
    """The pictures in a list, relative to the pile or to the list."""
    for number, line in numbered_lines(files, name):
        start = line.replace("\\", "/")
        places = (inside(folder, start) for folder in (base, folder_of(name), ""))
        found = next((place for place in places if place in files.known), None)
        if found is None:
            raise DataError(f'there is no picture "{line[:100]}"', place=Place(files.place(name), number))
        yield found


def is_settings(files: Files, name: str) -> bool:
    """Whether a YAML file names classes and a part."""
    try:
        with files.open(name) as file:
            head = file.read(_MOST)
    except OSError:
        return False
    return (
        _SIGN.search(head) is not None
        and re.search(rb"^(?:train|val|valid|test|nc)\s*:", head, re.MULTILINE) is not None
    )


def read_settings(files: Files, name: str) -> YoloSettings:
    """The settings in a YAML file; DataError."""
    import yaml

    place = Place(files.place(name))
    try:
        made = yaml.safe_load(files.read(name, _MOST))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 0
        reason = getattr(error, "problem", None) or "it is nested too deep, or has a value that cannot be"
        raise DataError(f"this is no YAML: {reason}", place=Place(place.file, line)) from None
    if not isinstance(made, dict):
        raise DataError("names and parts are expected", place=place)
    settings = YoloSettings(_names(made.get("names"), place), _root(files, name, made.get("path")))
    for key, part in _PARTS:
        entries = made.get(key)
        if isinstance(entries, str) or (isinstance(entries, list) and all(isinstance(e, str) for e in entries)):
            new = [entries] if isinstance(entries, str) else entries
            settings.parts.setdefault(part, []).extend(entry.replace("\\", "/") for entry in new)
        elif entries is not None:
            raise DataError(f'"{key}" is expected to be a folder or a list of them', place=place)
    return settings


def _names(given: Any, place: Place) -> tuple[str, ...] | None:
    if isinstance(given, dict):
        if sorted(given, key=str) != sorted(range(len(given)), key=str):
            raise DataError('"names" is expected to name the classes 0, 1, 2 ... without gaps', place=place)
        given = [given[number] for number in range(len(given))]
    if given is not None and not (isinstance(given, list) and all(isinstance(n, str | int | float) for n in given)):
        raise DataError('"names" is expected to be a list of names', place=place)
    return None if given is None else tuple(map(str, given))


def _root(files: Files, name: str, given: Any) -> str:
    """The folder that paths in the settings begin at: their own, or the one they say, if it is there."""
    own = folder_of(name)
    said = inside(own, given.replace("\\", "/")) if isinstance(given, str) else None
    return said if said is not None and any(other.startswith(f"{said}/") for other in files.names) else own
