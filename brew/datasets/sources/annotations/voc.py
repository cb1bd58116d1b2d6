"""Pascal VOC: a picture's objects in an XML file beside it, parts in lists (ImageSets), masks of classes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import ClassVar, NamedTuple

from brew.datasets.sources.items import Box, Item, Part, Problem
from brew.datasets.sources.trees import PARTS
from brew.errors import DataError, Place, UsageError

from .boxes import BadBox, Corners, tidy
from .class_names import listed, numbered_lines, of_objects
from .files import Files, folder_of, inside
from .piles import FilesPile, files_of, held_by
from .told import Told
from .xml_tree import Node, read_xml

_SIGN = b"<annotation"
_LOOKED_AT = 20  # XML files, to recognise a pile
_MOST = 16 << 20  # bytes of an XML file
_SETS: tuple[tuple[str, Part], ...] = (("train", "train"), ("val", "val"), ("trainval", "train"), ("test", "test"))
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class _Object(NamedTuple):
    name: str
    corners: Corners
    difficult: bool
    place: Place


class Voc(FilesPile):
    """Pictures with the XML files of their objects: folders Annotations, JPEGImages and ImageSets, of one year or more,
    or XML files beside pictures, as tools write them.

    The classes are numbered from 1 on, by the bytes of their names or as they are listed; class 0 is the background.
    """

    kind = "Pascal VOC"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "classes": "a file with the names of the classes, one a line; other objects are left out",
        "origin": "1: pixels count from 1, as VOC says; 0 (default): boxes as they stand, as for convert_annoset",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        files = held_by(path)
        self.path, self._files, self._told = path, files, Told()
        origin = options.get("origin", "0")
        if origin not in ("0", "1"):
            raise UsageError(f"origin={origin} is neither 0 nor 1")
        self._origin = int(origin)
        problems: list[Problem] = []
        found = self._pictures(problems)
        if not found:
            raise DataError(f"{path} has no pictures with XML files of their objects", hint=_first(problems))
        known = listed(files, options.get("classes"))
        self.labels = of_objects({item.name for objects, _ in found.values() for item in objects}, known)
        numbers = {label: number for number, label in enumerate(self.labels) if number}
        self.items = tuple(
            Item(name, boxes=self._boxes(objects, numbers), part=part, place=objects[0].place if objects else None)
            for name, (objects, part) in found.items()
        )
        self.problems, self.notes = problems, self._told.notes()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there is an XML file whose outermost element is <annotation>."""
        files = files_of(path)
        if files is None:
            return False
        try:
            names = (name for name in files.first_names() if name.lower().endswith(".xml"))
            return any(_is_annotation(files, name) for name in islice(names, _LOOKED_AT))
        except (OSError, DataError):
            return False
        finally:
            files.close()

    def _pictures(self, problems: list[Problem]) -> dict[str, tuple[list[_Object], Part | None]]:
        """By picture: its objects and its part."""
        parts = _sets(self._files, self._told)
        found: dict[str, tuple[list[_Object], Part | None]] = {}
        folders: set[str] = set()
        for name in self._files.names:
            if not name.lower().endswith(".xml"):
                continue
            try:
                root = read_xml(self._files.read(name, _MOST), self._files.place(name))
                if root.name != "annotation":
                    self._told.add("XML files that are no annotations, left out", name)
                    continue
                picture = self._picture(name, root)
                objects = self._objects(root, picture, self._files.place(name))
            except DataError as error:
                problems.append(Problem(name, str(error)))
                continue
            folders.add(folder_of(picture))
            if picture in found:
                problems.append(Problem(name, f"it is of {picture}, of which another XML file is"))
            elif parts and _stem(picture) not in parts:
                self._told.add("pictures in no list of ImageSets, left out", picture)
            else:
                found[picture] = objects, parts.get(_stem(picture), _part_by_folder(picture))
        broken = {_stem(problem.name) for problem in problems}
        for stem, picture in self._files.pictures.items():
            wanted = folder_of(picture) in folders and (not parts or _stem(picture) in parts)
            if wanted and picture not in found and _stem(picture) not in broken:
                self._told.add("pictures without an XML file, taken as without objects", picture)
                found[picture] = [], parts.get(_stem(picture), _part_by_folder(stem))
        return dict(sorted(found.items(), key=lambda entry: entry[0].encode("utf-8", "surrogateescape")))

    def _picture(self, name: str, root: Node) -> str:
        """The picture that an XML file is of: of its stem, in the usual folders; else the one that it names."""
        folder, stem = folder_of(name), _stem(name)
        above = folder_of(folder)
        around = [
            folder,
            *(f"{above}/{other}".strip("/") for other in ("JPEGImages", "images", "Images", "imgs", "img")),
        ]
        for place in around:
            if (found := self._files.pictures.get(f"{place}/{stem}".strip("/"))) is not None:
                return found
        named = root.value("filename").replace("\\", "/").rpartition("/")[2]
        for place in (*around, above) if named else ():
            if (candidate := inside(place, named)) is not None and candidate in self._files.known:
                return candidate
        raise DataError(
            f'there is no picture of it: none called {stem} beside it, in JPEGImages or images, and no "{named}"',
            place=Place(self._files.place(name), root.line),
        )

    def _objects(self, root: Node, picture: str, path: str) -> list[_Object]:
        width, height = (_number(node) for node in _pair(root))
        size = (width, height) if width and height else None
        objects = []
        for node in root.all("object"):
            place, box = Place(path, node.line), node.first("bndbox")
            if not node.value("name"):
                raise DataError("an object has no <name>", place=place)
            if box is None:
                self._told.add("objects without a box, left out", str(place))
                continue
            values = [_number(box.value(side)) for side in _SIDES]
            if any(value is None for value in values):
                given = ", ".join(f"{side} {box.value(side) or 'missing'}" for side in _SIDES)
                raise DataError(f"a box has {given}; four numbers are expected", place=Place(path, box.line))
            left, top, right, bottom = (value for value in values if value is not None)
            try:
                corners = tidy(
                    Corners(left - self._origin, top - self._origin, right, bottom), size, self._told, picture
                )
            except BadBox as error:
                raise DataError(f"an object {error}", place=Place(path, box.line)) from None
            if corners is not None:
                objects.append(_Object(node.value("name"), corners, node.value("difficult") == "1", place))
        return objects

    def _boxes(self, objects: list[_Object], numbers: Mapping[str, int]) -> tuple[Box, ...]:
        boxes = []
        for name, corners, difficult, place in objects:
            if name in numbers:
                boxes.append(Box(numbers[name], *corners, difficult=difficult))
            else:
                self._told.add(f'objects of "{name}", which is not in the list of classes, left out', str(place))
        return tuple(boxes)


def _sets(files: Files, told: Told) -> dict[str, Part]:
    """The part of each picture by its name without folder and ending, as the lists of ImageSets/Main have them."""
    lists: dict[str, list[str]] = {}
    for name in files.names:
        folder, _, file = name.rpartition("/")
        if folder.endswith("ImageSets/Main") or folder.endswith("ImageSets"):
            lists.setdefault(file.removesuffix(".txt"), []).append(name)
    parts: dict[str, Part] = {}
    for called, part in _SETS:
        for name in lists.get(called, ()):
            for _, line in numbered_lines(files, name):
                stem = line.split()[0].rpartition("/")[2]
                if parts.setdefault(stem, part) != part and called != "trainval":
                    told.add(f"pictures of {parts[stem]} that {part} lists too, kept in {parts[stem]}", stem)
    return parts


def _pair(root: Node) -> tuple[str, str]:
    size = root.first("size")
    return (size.value("width"), size.value("height")) if size is not None else ("", "")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _part_by_folder(name: str) -> Part | None:
    return next((PARTS[folder.lower()] for folder in name.split("/")[:-1] if folder.lower() in PARTS), None)


def _is_annotation(files: Files, name: str) -> bool:
    with files.open(name) as file:
        return _SIGN in file.read(4096)


def _first(problems: list[Problem]) -> str | None:
    return f"{problems[0].name}: {problems[0].reason}" if problems else None
