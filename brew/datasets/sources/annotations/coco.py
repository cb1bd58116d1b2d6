"""COCO: boxes (or outlines, as masks) of objects in JSON files, beside their pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from brew.datasets.sources.items import Box, Content, Item, Pile
from brew.errors import DataError, UsageError

from .boxes import BACKGROUND
from .coco_file import CocoFile, Id, chosen, coco_names, part_of
from .files import Files, folder_of, inside
from .piles import files_of
from .polygons import BadOutline, polygon_mask, run_mask
from .told import Told

_LOOKED_FOR = 20  # pictures, in each folder that could be theirs
_MOST = 1 << 28  # pixels of a mask
_CROWD = 255  # in masks: pixels that say nothing of one object


class _Outlines(NamedTuple):
    """What a file says of a picture: its (width, height), and (class, crowd, first byte, bytes) of each outline."""

    source: str
    size: tuple[float, float] | None
    lines: list[tuple[int, bool, int, int]]


class Coco(Pile):
    """Pictures and JSON files of their objects: a folder or zip archive of both, or one of the JSON files.

    The classes are numbered from 1 on, in the order of the categories' ids; class 0 is the background.
    """

    kind = "COCO"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "images": "the folder of the pictures",
        "masks": "yes: outlines become masks of the classes, instead of boxes",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        self._files, names = _json_files(path)
        self._masks = options.get("masks", "no") == "yes"
        if options.get("masks", "no") not in ("yes", "no"):
            raise UsageError(f"masks={options['masks']} is neither yes nor no")
        self._pictures = self._files if "images" not in options else Files(Path(options["images"]))
        told = Told()
        names = chosen(names, told)
        if not names:
            raise DataError(f"{path} has no JSON file with images, annotations and categories, as COCO has them")
        contents = [CocoFile(self._files, name, told) for name in names]
        self.labels = (BACKGROUND, *_classes(contents, told))
        if self._masks and len(self.labels) > _CROWD:
            raise DataError(f"{path} has {len(self.labels) - 1} classes; masks have up to {_CROWD - 1}")
        self._outlines: dict[str, list[_Outlines]] = {}
        items: dict[str, Item] = {}
        for content in contents:
            self._add(content, items, told)
        self.items = tuple(items.values())
        self.notes = told.notes()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there is a JSON file that begins as COCO's do."""
        try:
            return bool(_json_files(path, quick=True)[1])
        except (OSError, DataError):
            return False

    def stamp(self, item: Item) -> str:
        return self._pictures.stamp(item.name)

    def size(self, item: Item) -> int | None:
        return self._pictures.size(item.name)

    def read(self, item: Item) -> Content:
        data = self._pictures.read(item.name)
        if not self._masks:
            return Content(data)
        try:
            return Content(data, mask=self._mask(item.name)[None])
        except BadOutline as error:
            raise DataError(f"{item.name} {error}", place=item.place) from None

    def close(self) -> None:
        self._files.close()
        self._pictures.close()

    def _add(self, content: CocoFile, items: dict[str, Item], told: Told) -> None:
        folder = self._folder(content)
        part = part_of(content.name)
        numbers = {label: number for number, label in enumerate(self.labels)}
        boxes = content.boxes()
        for own, (file, size, place) in content.pictures.items():
            name = inside(folder, file.replace("\\", "/"))
            if name is None:
                raise DataError(f'the picture "{file}" lies outside of {self._pictures.path}', place=place)
            found = boxes.get(own, [])
            if not found:
                told.add("pictures without objects", file)
            made = tuple(Box(numbers[label], *corners, difficult=crowd) for label, corners, crowd, _ in found)
            if name in items:
                told.add("pictures that are listed again, their objects put together", file)
                made = (*(items[name].boxes or ()), *made)
                if items[name].part != part:
                    told.add(f"pictures of {items[name].part} that {part} lists too, kept in {items[name].part}", file)
            if self._masks:
                lines = [(numbers[label], crowd, *where) for label, _, crowd, where in found]
                self._outlines.setdefault(name, []).append(_Outlines(content.name, size, lines))
            first = items.get(name, Item(name, part=part, place=place))
            mask = f"the outlines in {content.path}" if self._masks else None
            items[name] = replace(first, boxes=None if self._masks else made, mask=mask)

    def _folder(self, content: CocoFile) -> str:
        """The folder that a JSON file's pictures are in: the first, of those that are usual, where they are."""
        own = folder_of(content.name)
        above = folder_of(own)
        stem = content.name.rpartition("/")[2].removesuffix(".json").rpartition("_")[2]
        bases = dict.fromkeys((own, above, ""))
        ends = ("", stem, "images", f"images/{stem}", f"{stem}/images", "data", part_of(content.name) or "")
        candidates = dict.fromkeys("/".join(filter(None, (base, end))) for end in ends for base in bases)
        wanted = [file.replace("\\", "/") for file, _, _ in list(content.pictures.values())[:_LOOKED_FOR]]
        for folder in candidates:
            if any(inside(folder, file) in self._pictures.known for file in wanted):
                return folder
        looked = ", ".join(folder or "." for folder in candidates)
        raise DataError(
            f'{content.path} lists "{wanted[0]}", which is in none of {looked}',
            hint="--set images=FOLDER says where the pictures are",
        )

    def _mask(self, name: str) -> npt.NDArray[np.uint8]:
        size = next((listed.size for listed in self._outlines[name] if listed.size is not None), None)
        if size is None:
            raise BadOutline("has no width and height in its JSON file, which a mask needs")
        width, height = map(int, size)
        if width * height > _MOST:
            raise BadOutline(f"is {height} x {width} by its JSON file, which no mask is")
        mask = np.zeros((height, width), np.uint8)
        for listed in self._outlines[name]:
            with self._files.open(listed.source) as file:
                for label, crowd, start, length in listed.lines:
                    file.seek(start)
                    outline = json.loads(file.read(length)).get("segmentation")
                    _draw(outline, mask, _CROWD if crowd else label)
        return mask


def _draw(outline: Any, mask: npt.NDArray[np.uint8], value: int) -> None:
    """Set the pixels in an outline, polygons or runs, to `value`. BadOutline."""
    if isinstance(outline, dict):
        mask[run_mask(outline.get("counts"), *mask.shape)] = value
    elif isinstance(outline, list):
        for corners in outline:
            mask[polygon_mask(corners, *mask.shape)] = value


def _json_files(path: Path, *, quick: bool = False) -> tuple[Files, list[str]]:
    """The files around a source, and which of them are COCO's."""
    if path.suffix.lower() == ".json" and not path.is_dir():
        folder = path.parent
        root = folder.parent if folder.name.lower() in ("annotations", "labels") else folder
        files = Files(root)
        return files, list(coco_names([path.relative_to(root).as_posix()], files))
    found = files_of(path)
    if found is None:
        return Files(path), []
    names = found.first_names() if quick else found.names
    return found, list(coco_names([name for name in names if name.lower().endswith(".json")], found))


def _classes(contents: list[CocoFile], told: Told) -> list[str]:
    """The names of all categories in the order of their ids; where ids are not 1, 2, 3 ..., that is told."""
    names: dict[str, list[Id]] = {}
    for content in contents:
        for own, name in content.categories.items():
            ids = names.setdefault(name, [])
            if own not in ids:
                ids.append(own)
    changed = [f"{ids[0]} -> {number}" for number, ids in enumerate(names.values(), 1) if ids != [number]]
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        told.say(f"ids of categories became the numbers of classes: {', '.join(changed[:5])}{more}")
    if any(len(ids) > 1 for ids in names.values()):
        told.say("categories of one name and several ids became one class")
    return list(names)
