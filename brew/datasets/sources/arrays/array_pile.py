"""Piles of arrays: for each part one array of records and, beside it, one of labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from brew.datasets.sources.items import Content, Item, Part, Pile, file_stamp
from brew.datasets.sources.trees import PARTS
from brew.errors import DataError, UsageError

from .rows import Labels, PictureForm, Rows, picture_form

DATA_WORDS = frozenset(
    {"x", "data", "image", "images", "input", "inputs", "features", "samples", "pixels", "imgs", "img"}
)
LABEL_WORDS = frozenset({"y", "label", "labels", "target", "targets", "class", "classes", "ids", "lbl", "lbls", "labs"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class Pair(NamedTuple):
    """The names of two arrays that belong together, and their part; no labels: None."""

    part: Part | None
    data: str
    labels: str | None


class ArrayPair(NamedTuple):
    """The same, opened. `name` begins the names of its items, `files` are what their stamps are of."""

    name: str
    part: Part | None
    data: Rows
    labels: Labels | None
    files: tuple[Path, ...]


class ArrayPile(Pile):
    """Records in arrays. A kind derives from it and calls `_take` in its constructor."""

    def _take(self, pairs: Sequence[ArrayPair], options: Mapping[str, str], *, colors: str) -> None:
        """Make the items. DataError where an array and its labels do not have the same number of rows."""
        self._pairs = pairs
        self._forms: list[PictureForm] = []
        self._where: dict[str, tuple[int, int]] = {}
        notes: list[str] = []
        items: list[Item] = []
        for number, pair in enumerate(pairs):
            if not all(pair.data.shape):
                shape = " x ".join(map(str, pair.data.shape))
                raise DataError(f"{self.path}: {pair.name} is {shape}: there is nothing in it")
            form = picture_form(pair.data, options, colors=colors)
            self._forms.append(form)
            notes.append(form.told(pair.name))
            if pair.labels is None:
                notes.append(f"{pair.name}: there are no labels")
            elif pair.labels.note is not None:
                notes.append(pair.labels.note)
            items += self._items(number, pair)
        self.labels = next((pair.labels.names for pair in pairs if pair.labels and pair.labels.names), ())
        if any(pair.labels and pair.labels.names not in ((), self.labels) for pair in pairs):
            raise DataError(f"{self.path} has other classes in one part than in another")
        widths = {pair.labels.targets.shape[1] for pair in pairs if pair.labels and pair.labels.targets is not None}
        if len(widths) > 1:
            raise DataError(f"{self.path} has {' and '.join(map(str, sorted(widths)))} targets in its parts")
        self.target_names = tuple(f"target{i}" for i in range(widths.pop() if widths else 0))
        self.items, self.notes = items, notes

    def _items(self, number: int, pair: ArrayPair) -> Iterable[Item]:
        count = pair.data.shape[0]
        classes = pair.labels.classes if pair.labels else None
        targets = pair.labels.targets if pair.labels else None
        there = len(classes) if classes is not None else len(targets) if targets is not None else count
        if there != count:
            raise DataError(f"{pair.name} has {count} records and {there} labels")
        digits = max(5, len(str(count - 1)))
        for row in range(count):
            name = f"{pair.name}/{row:0{digits}d}"
            self._where[name] = number, row
            values = () if targets is None else tuple(map(float, targets[row]))
            yield Item(name, label=None if classes is None else int(classes[row]), targets=values, part=pair.part)

    def stamp(self, item: Item) -> str:
        pair = self._pairs[self._where[item.name][0]]
        return "/".join(file_stamp(file) for file in pair.files)

    def size(self, item: Item) -> int | None:
        data = self._pairs[self._where[item.name][0]].data
        size = data.dtype.itemsize
        for axis in data.shape[1:]:
            size *= axis
        return size

    def read(self, item: Item) -> Content:
        number, row = self._where[item.name]
        return Content(self._forms[number].record(self._pairs[number].data.row(row)))

    def close(self) -> None:
        for pair in self._pairs:
            pair.data.close()


def pairs_by_names(names: Iterable[str], options: Mapping[str, str]) -> tuple[list[Pair], list[str]]:
    """Which arrays are data and which their labels, by their names (x_train and y_train, images and labels), and those
    that are neither. Options `data` and `labels` name them where names do not tell. UsageError for `labels` alone.
    """
    names = list(names)
    if "labels" in options and "data" not in options:
        raise UsageError(f"labels={options['labels']} says what the labels of one array are: data=NAME says which")
    if "data" in options:
        labels = options.get("labels")
        return [Pair(None, options["data"], labels)], [name for name in names if name not in (options["data"], labels)]
    data: dict[tuple[Part | None, str], str] = {}
    labels_found: dict[tuple[Part | None, str], str] = {}
    others = []
    for name in names:
        part, role, rest = _role(name)
        if role is None:
            others.append(name)
        else:
            (data if role == "data" else labels_found).setdefault((part, rest), name)
    pairs = [Pair(key[0], name, labels_found.pop(key, None)) for key, name in data.items()]
    return pairs, [*others, *labels_found.values()]


def _role(name: str) -> tuple[Part | None, str | None, str]:
    """The part that a name of an array says, whether it is of data or labels, and the rest of it."""
    part: Part | None = None
    role: str | None = None
    rest = []
    for word in map(str.lower, _WORD.findall(name)):
        if word in PARTS:
            part = PARTS[word]
        elif word in DATA_WORDS and role is None:
            role = "data"
        elif word in LABEL_WORDS:
            role = "labels"
        else:
            rest.append(word)
    return part, role, " ".join(rest)
