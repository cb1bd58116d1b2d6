"""Pictures and masks in two folders: the pixels of a mask are the classes of those of its picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.data.images.decoding import BadImage, decode_image
from brew.data.images.masks import decode_mask
from brew.datasets.sources.items import Content, Item, Part
from brew.datasets.sources.trees import PARTS, in_bytes_order, is_picture
from brew.errors import DataError, UsageError

from .class_names import LISTS, listed, numbered_lines
from .colors import LISTS as COLORS
from .colors import Colors, read_colors
from .files import Files
from .piles import FilesPile, files_of, held_by
from .told import Told

# Folders of masks, and endings of their names; where both lie in one folder, the ending tells.
_FOLDERS = frozenset(
    [
        "masks",
        "mask",
        "labels",
        "label",
        "labelids",
        "annotations",
        "annotation",
        "annot",
        "annots",
        "gt",
        "gtfine",
        "groundtruth",
        "ground_truth",
        "segmentation",
        "segmentations",
        "segmentationclass",
        "seg",
        "segs",
        "labels_ids",
        "gt_masks",
    ]
)
_WORDS = _FOLDERS | frozenset(
    ["images", "image", "imgs", "img", "input", "inputs", "jpegimages", "leftimg8bit", "pictures", "data"]
)
_ENDINGS = "_mask", "_masks", "_label", "_labels", "_gtFine_labelIds", "_gtFine_labelTrainIds", "_seg", "_gt"
_WEAK_ENDINGS = "_L", "_lab"  # of masks in folders of their own: elsewhere a picture may be called so
_PICTURE_ENDINGS = "_leftImg8bit", "_image", "_img"
_PARTED = "annot", "_annot", "_labels", "_masks", "_mask", "labels"  # trainannot, train_labels: CamVid's way
_MOST = 255
_COLORS_HINT = "--set colors=FILE says which colour is which class"


# What a picture and its mask have in common: folders but for those that tell them apart, the name, the part.
_Key: TypeAlias = tuple[str, str, Part | None]


class Masks(FilesPile):
    """Folders of pictures and of masks, with the same names but for their endings: images/ and masks/, train/ and
    trainannot/, JPEGImages/ and SegmentationClass/, either of them in parts.

    A mask has gray values or a palette, whose numbers are the classes; or colours, with a list of them. 255 is a pixel
    that says nothing. Pictures without a mask are left out.
    """

    kind = "pictures and masks"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "classes": "a file with the names of the classes, one a line; a number beyond them is an error",
        "colors": "a file with the colours of the classes: red, green, blue and a name in each line",
        "ignore": "a number of masks that becomes 255, which says nothing",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        files = held_by(path)
        self.path, self._files, told = path, files, Told()
        self._colors = _colors(files, options.get("colors"))
        self.labels = self._colors.names if self._colors else listed(files, options.get("classes")) or ()
        ignore = options.get("ignore")
        if ignore is not None and not (ignore.isascii() and ignore.isdigit() and int(ignore) <= _MOST):
            raise UsageError(f"ignore={ignore} is no number from 0 to {_MOST}")
        self._ignored = None if ignore is None else int(ignore)
        pairs = _pairs(files.names, told)
        if not pairs:
            raise DataError(
                f"{path} has no pictures with masks",
                hint="folders images and masks are expected, with the same names in both",
            )
        lists = _lists(files)
        self.items = tuple(
            Item(picture, mask=mask, part=lists.get(_stem(picture), part)) for picture, mask, part in pairs
        )
        if not self.labels:
            told.say("there is no list of the classes (classes.txt): masks are taken as they are")
        self.notes = told.notes()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there are a picture and a mask of it."""
        files = files_of(path)
        if files is None:
            return False
        try:
            return bool(_pairs(files.first_names(), Told()))
        except (OSError, DataError):
            return False
        finally:
            files.close()

    def stamp(self, item: Item) -> str:
        return f"{self._files.stamp(item.name)}/{self._files.stamp(item.mask or '')}"

    def read(self, item: Item) -> Content:
        assert item.mask is not None
        data, mask = self._files.read(item.name), self._files.read(item.mask)
        try:
            numbers = self._numbers(mask)
        except (BadImage, DataError) as error:
            hint = _COLORS_HINT if self._colors is None and "in colours" in str(error) else None
            raise DataError(f"the mask {self._files.place(item.mask)} {error}", hint=hint) from None
        return Content(data, mask=numbers)

    def _numbers(self, mask: bytes) -> npt.NDArray[np.uint8]:
        """The classes of a mask's pixels, (1, height, width)."""
        if self._colors is None:
            numbers = decode_mask(mask)
        else:
            numbers = self._colors.numbers(decode_image(mask, color=True))[None]
        if self._ignored is not None:
            numbers = np.where(numbers == self._ignored, np.uint8(_MOST), numbers)
        if self.labels:
            counted = numbers[numbers != _MOST]
            most = int(counted.max()) if counted.size else 0
            if most >= len(self.labels):
                raise DataError(f"has the class {most}; there are {len(self.labels)}, from 0 on, and 255 says nothing")
        return numbers


def _pairs(names: Iterable[str], told: Told) -> list[tuple[str, str, Part | None]]:
    """(picture, mask, part), by the pictures' names."""
    pictures: dict[_Key, str] = {}
    masks: dict[_Key, str] = {}
    for name in names:
        if not is_picture(name):
            continue
        is_mask, key = _key(name)
        other = (masks if is_mask else pictures).setdefault(key, name)
        if other != name:
            told.add(f"{'masks' if is_mask else 'pictures'} beside another one of the same name, left out", name)
    found = [(pictures[key], masks[key], key[2]) for key in pictures.keys() & masks.keys()]
    for key in pictures.keys() - masks.keys() if found else ():
        told.add("pictures without a mask, left out", pictures[key])
    for key in masks.keys() - pictures.keys() if found else ():
        told.add("masks without a picture, left out", masks[key])
    order = {name: place for place, name in enumerate(in_bytes_order(picture for picture, _, _ in found))}
    return sorted(found, key=lambda pair: order[pair[0]])


def _key(name: str) -> tuple[bool, _Key]:
    """Whether it is a mask by its folders and its name, and what it has in common with its picture."""
    *folders, file = name.split("/")
    stem = file.rpartition(".")[0]
    is_mask, part, kept = False, None, []
    for folder in folders:
        low = folder.lower()
        ending = next((e for e in _PARTED if low.endswith(e) and low.removesuffix(e) in PARTS), None)
        if ending is not None or low in PARTS:
            is_mask, part = is_mask or ending is not None, PARTS[low.removesuffix(ending or "")]
        elif low in _WORDS:
            is_mask = is_mask or low in _FOLDERS
        else:
            kept.append(folder)
    for ending in (*_ENDINGS, *_WEAK_ENDINGS) if is_mask else _ENDINGS:
        if stem.endswith(ending) and len(stem) > len(ending):
            is_mask, stem = True, stem.removesuffix(ending)
            break
    else:
        for ending in _PICTURE_ENDINGS:
            stem = stem.removesuffix(ending)
    return is_mask, ("/".join(kept), stem, part)


def _colors(files: Files, option: str | None) -> Colors | None:
    if option is not None:
        around, name = Files(Path(option).parent), Path(option).name
        return read_colors(numbered_lines(around, name), option)
    found = next((name for name in COLORS if name in files.known and name not in LISTS), None)
    return None if found is None else read_colors(numbered_lines(files, found), files.place(found))


def _lists(files: Files) -> dict[str, Part]:
    """Parts by VOC's lists of the pictures that have masks."""
    parts: dict[str, Part] = {}
    for name in files.names:
        for part in ("train", "val", "test"):
            if name.endswith(f"ImageSets/Segmentation/{part}.txt"):
                for _, line in numbered_lines(files, name):
                    parts.setdefault(line, "train" if part == "train" else "val" if part == "val" else "test")
    return parts


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]
