"""One JSON file of COCO's: pictures, categories and annotations, checked; annotations in few bytes each."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from brew.datasets.sources.items import Part
from brew.datasets.sources.trees import PARTS
from brew.errors import DataError, Place

from .boxes import BadBox, Corners, tidy
from .files import Files
from .json_elements import Element, elements
from .told import Told

Id: TypeAlias = int | str
_ARRAYS = ("images", "annotations", "categories")
_SIGN = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_OTHER = re.compile(r"captions|panoptic|image_info|stuff|person_keypoints")


class CocoFile:
    """What a JSON file says.

    pictures    by id: the file's name in it and (width, height), None where it does not say
    categories  by id: the name, in the order of the ids
    outlines    by picture: (category, first byte, how many bytes, whether a crowd) of each annotation
    """

    def __init__(self, files: Files, name: str, told: Told) -> None:
        self.name = name
        self.path = files.place(name)
        self.pictures: dict[Id, tuple[str, tuple[float, float] | None, Place]] = {}
        self.categories: dict[Id, str] = {}
        self._told = told
        self._numbers: dict[Id, int] = {}  # of pictures
        self._category_numbers: dict[Id, int] = {}
        self._whose, self._category, self._crowd = array("l"), array("l"), array("b")
        self._corners, self._bytes = array("d"), array("q")
        try:
            with files.open(name) as file:
                for element in elements(file, self.path, _ARRAYS):
                    self._take(element)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}") from None
        self.categories = dict(sorted(self.categories.items(), key=lambda pair: (isinstance(pair[0], str), pair[0])))
        if not self.pictures:
            raise DataError(f'{self.path} lists no pictures; an array "images" is expected')

    def boxes(self) -> dict[Id, list[tuple[str, Corners, bool, tuple[int, int]]]]:
        """By picture: (category's name, corners, whether a crowd, (first byte, bytes)) of its annotations, in order."""
        ids, categories = list(self._numbers), list(self._category_numbers)
        found: dict[Id, list[tuple[str, Corners, bool, tuple[int, int]]]] = {}
        for row in np.argsort(np.frombuffer(self._whose, self._whose.typecode), kind="stable").tolist():
            picture, category = ids[self._whose[row]], categories[self._category[row]]
            if picture not in self.pictures:
                self._told.add("annotations of pictures that are not listed, left out", f"{self.path} (id {picture})")
                continue
            if category not in self.categories:
                self._told.add(
                    "annotations of categories that are not listed, left out", f"{self.path} (id {category})"
                )
                continue
            file, size, _ = self.pictures[picture]
            corners = tidy(Corners(*self._corners[row * 4 : row * 4 + 4]), size, self._told, file)
            if corners is not None:
                place = self._bytes[row * 2], self._bytes[row * 2 + 1]
                entry = self.categories[category], corners, bool(self._crowd[row]), place
                found.setdefault(picture, []).append(entry)
        return found

    def _take(self, element: Element) -> None:
        if not isinstance(element.value, dict):
            raise DataError(f'"{element.name}" is expected to hold objects', place=element.place)
        {"images": self._image, "categories": self._named, "annotations": self._annotation}[element.name](element)

    def _image(self, element: Element) -> None:
        own, file = _id(element, "id"), element.value.get("file_name")
        if not isinstance(file, str) or not file:
            raise DataError('a picture has no "file_name"', place=element.place)
        if own in self.pictures:
            earlier = self.pictures[own][2]
            raise DataError(f"two pictures have the id {own}: the other one is at {earlier}", place=element.place)
        width, height = (element.value.get(side) for side in ("width", "height"))
        sized = _is_number(width) and _is_number(height) and width > 0 and height > 0
        self.pictures[own] = file, (float(width), float(height)) if sized else None, element.place

    def _named(self, element: Element) -> None:
        own, name = _id(element, "id"), element.value.get("name")
        if not isinstance(name, str) or not name.strip():
            raise DataError('a category has no "name"', place=element.place)
        if self.categories.setdefault(own, name.strip()) != name.strip():
            raise DataError(f"two categories have the id {own}", place=element.place)

    def _annotation(self, element: Element) -> None:
        box = element.value.get("bbox")
        if not box:
            self._told.add("annotations without a box, left out", str(element.place))
            return
        if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
            raise DataError('"bbox" is expected to be [left, top, width, height]', place=element.place)
        left, top, width, height = map(_real, box)
        corners = Corners(left, top, left + width, top + height)
        try:
            tidy(corners, None, Told(), "")
        except BadBox as error:
            raise DataError(f"an annotation {error}", place=element.place) from None
        picture, category = _id(element, "image_id"), _id(element, "category_id")
        self._whose.append(self._numbers.setdefault(picture, len(self._numbers)))
        self._category.append(self._category_numbers.setdefault(category, len(self._category_numbers)))
        self._crowd.append(element.value.get("iscrowd") in (1, True))
        self._corners.extend(corners)
        self._bytes.extend((element.start, element.size))


def coco_names(names: list[str], files: Files) -> Iterator[str]:
    """Which of the files `names` are COCO's, by their first bytes."""
    for name in names:
        try:
            with files.open(name) as file:
                if _SIGN.search(file.read(1 << 16)):
                    yield name
        except OSError:
            continue


def chosen(names: list[str], told: Told) -> list[str]:
    """Those that hold objects; captions and the like beside them are told."""
    instances = [name for name in names if not _OTHER.search(name.rpartition("/")[2])]
    for name in names if instances else ():
        if name not in instances:
            told.add("files of other annotations than of objects, left out", name)
    return instances or names


def part_of(name: str) -> Part | None:
    """train of "annotations/instances_train2017.json" and "train/_annotations.coco.json"."""
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word in PARTS]
    return PARTS[words[-1]] if words else None


def _id(element: Element, field: str) -> Id:
    value = element.value.get(field)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(f'"{field}" is expected to be a number, and is {type(value).__name__}', place=element.place)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _real(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")
