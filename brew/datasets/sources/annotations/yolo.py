"""YOLO: a text file beside each picture, a line for each object (class, middle, width and height, in shares)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from brew.datasets.sources.items import Box, Item, Part, Problem
from brew.datasets.sources.trees import PARTS, is_picture
from brew.errors import DataError, Place

from .boxes import BadBox, Corners, tidy
from .class_names import LISTS, listed, numbered_lines, of_objects
from .files import Files, folder_of
from .piles import FilesPile, held_by
from .told import Told
from .yolo_settings import YoloSettings, is_settings, read_settings

_LINE = re.compile(r"\d+(?:\.0+)?(?:\s+[-+.\deE]+){4,}\s*")
_LOOKED_AT = 40  # text files, to recognise a pile
_FARTHEST = 2.0  # shares; what lies beyond is in pixels


class Yolo(FilesPile):
    """Folders images and labels, or labels beside the pictures; a data.yaml, or a list of the classes. Outlines become
    the boxes around them.

    The classes are numbered from 1 on: class 0 of the files is 1, and 0 is the background.
    """

    kind = "YOLO"
    OPTIONS: ClassVar[Mapping[str, str]] = {"classes": "a file with the names of the classes, one a line"}

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        files, settings_name = _files_and_settings(path)
        self._files, self._told = files, Told()
        self._settings = YoloSettings() if settings_name is None else read_settings(files, settings_name)
        self._others = {settings_name, *LISTS}
        names = listed(files, options.get("classes")) or self._settings.names
        problems: list[Problem] = []
        lines = self._objects(problems)
        if not lines and not problems:
            raise DataError(f"{path} has no pictures", hint="folders images and labels, or labels beside the pictures")
        most = max((box.label for boxes, _, _ in lines.values() for box in boxes), default=0)
        if names is None:
            names = tuple(str(number) for number in range(most))
            self._told.say("there is no list of the classes (data.yaml, classes.txt): their numbers are their names")
        self.labels = of_objects((), names)
        self.items = tuple(
            Item(name, boxes=self._known(boxes, name), part=part, place=place)
            for name, (boxes, part, place) in lines.items()
        )
        self._told.say("class 0 of the files is number 1: 0 is the background")
        self.problems, self.notes = problems, self._told.notes()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there is a text file of such lines beside a picture or in a folder labels, or a data.yaml."""
        try:
            files, settings = _files_and_settings(path)
            if settings is not None:
                return True
            names = set(files.first_names())
            stems = {name.rpartition(".")[0].rpartition("/")[2] for name in names if is_picture(name)}
            texts = (name for name in sorted(names) if name.endswith(".txt"))
            labels = (name for name in texts if name[:-4].rpartition("/")[2] in stems)
            return any(_is_labels(files, name) for name in islice(labels, _LOOKED_AT))
        except (OSError, DataError):
            return False

    def _objects(self, problems: list[Problem]) -> dict[str, tuple[list[Box], Part | None, Place | None]]:
        """By picture: its boxes, its part, the place of the first one."""
        found: dict[str, tuple[list[Box], Part | None, Place | None]] = {}
        for name, part in self._pictures():
            labels = next((text for text in _labels_of(name) if text in self._files.known), None)
            if labels is None:
                self._told.add("pictures without a text file, taken as without objects", name)
                found[name] = [], part, None
                continue
            try:
                boxes = self._boxes(labels, name)
            except DataError as error:
                problems.append(Problem(name, str(error)))
                continue
            if not boxes:
                self._told.add("pictures without objects", name)
            found[name] = boxes, part, Place(self._files.place(labels)) if boxes else None
        return found

    def _pictures(self) -> Iterator[tuple[str, Part | None]]:
        """The pictures and their parts: those that the settings list, else all."""
        given: dict[str, Part] = {}
        for name, part in self._settings.pictures(self._files, self._told):
            kept = given.setdefault(name, part)
            if kept != part:
                self._told.add(f"pictures of {kept} that {part} lists too, kept in {kept}", name)
        if given:
            yield from given.items()
            return
        pictures = [name for name in self._files.names if is_picture(name)]
        apart = [name for name in pictures if "images" in folder_of(name).lower().split("/")]
        for name in apart or pictures:
            yield name, next((PARTS[f.lower()] for f in folder_of(name).split("/") if f.lower() in PARTS), None)

    def _boxes(self, labels: str, picture: str) -> list[Box]:
        boxes = []
        for number, line in numbered_lines(self._files, labels):
            place = Place(self._files.place(labels), number)
            try:
                label, *values = map(float, line.split())
            except ValueError:
                raise DataError(f'"{line[:60]}" is no line of numbers', place=place) from None
            if not 0 <= label < 1e6 or label != int(label):
                raise DataError(f"the class is {label:g}; a whole number from 0 on is expected", place=place)
            if len(values) != 4 and (len(values) < 6 or len(values) % 2):
                what = "a class and 4 numbers (a box), or pairs of numbers (an outline), are expected"
                raise DataError(f"there are {len(values) + 1} numbers; {what}", place=place)
            if any(abs(value) > _FARTHEST for value in values):
                far = next(value for value in values if abs(value) > _FARTHEST)
                raise DataError(f"{far:g} is no share of a picture; 0 to 1 is expected, not pixels", place=place)
            try:
                corners = tidy(_corners(values), (1.0, 1.0), self._told, picture)
            except BadBox as error:
                raise DataError(f"the line {error}", place=place) from None
            if corners is not None:
                boxes.append(Box(int(label) + 1, *corners, in_shares=True))
        return boxes

    def _known(self, boxes: list[Box], name: str) -> tuple[Box, ...]:
        known = tuple(box for box in boxes if box.label < len(self.labels))
        for _ in range(len(boxes) - len(known)):
            self._told.add(f"objects of classes beyond the {len(self.labels) - 1} that are listed, left out", name)
        return known


def _corners(values: list[float]) -> Corners:
    if len(values) == 4:
        x, y, width, height = values
        return Corners(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    across, down = values[0::2], values[1::2]
    return Corners(min(across), min(down), max(across), max(down))


def _labels_of(picture: str) -> Iterator[str]:
    """Where the text file of a picture may be: in the folder labels in place of images; beside it."""
    stem = picture.rpartition(".")[0]
    parts = stem.split("/")
    for at in range(len(parts) - 2, -1, -1):
        if parts[at].lower() == "images":
            yield "/".join([*parts[:at], "labels", *parts[at + 1 :]]) + ".txt"
    yield f"{stem}.txt"
    if len(parts) > 1:
        yield "/".join([*parts[:-2], "labels", parts[-1]]) + ".txt"
    yield "/".join(["labels", *parts]) + ".txt"


def _is_labels(files: Files, name: str) -> bool:
    try:
        with files.open(name) as file:
            lines: list[Any] = file.read(4096).decode("utf-8-sig", "replace").splitlines()
    except OSError:
        return False
    return bool(lines) and _LINE.fullmatch(lines[0]) is not None


def _files_and_settings(path: Path) -> tuple[Files, str | None]:
    """The files around a source, and which of them is its data.yaml; DataError where there are none."""
    if path.suffix.lower() in (".yaml", ".yml") and not path.is_dir():
        files = Files(path.parent)
        return files, path.name if is_settings(files, path.name) else None
    found = held_by(path)
    tops = [name for name in found.first_names() if name.count("/") < 2 and name.lower().endswith((".yaml", ".yml"))]
    return found, next((name for name in tops if is_settings(found, name)), None)
