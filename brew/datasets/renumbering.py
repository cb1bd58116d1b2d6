"""A source whose classes have the numbers that a list of names gives them: those of a net, or of another import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from brew.errors import DataError, did_you_mean

from .sources.items import Content, Item, Problem, Source

_LISTED = 5  # names in a message


class Renumbered:
    """`source` with the classes `names`, in their order.

    A source without names keeps its numbers, which get these names. DataError for a class that is not among them.
    """

    def __init__(self, source: Source, names: Sequence[str]) -> None:
        self._source = source
        self.kind, self.path = source.kind, source.path
        self.labels, self.target_names = tuple(names), source.target_names
        self.problems: Sequence[Problem] = source.problems
        if source.labels:
            missing = [name for name in source.labels if name not in names]
            if missing:
                more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
                raise DataError(
                    f"{source.path} has classes that are not among the {len(names)} labels: "
                    f"{', '.join(missing[:_LISTED])}{more}",
                    hint=did_you_mean(missing[0], names),
                )
            places = {name: number for number, name in enumerate(names)}
            self._numbers = {number: places[name] for number, name in enumerate(source.labels)}
        else:
            self._numbers = {number: number for number in range(len(names))}
        if any(item.mask for item in source.items) and tuple(names[: len(source.labels)]) != source.labels:
            raise DataError(f"{source.path} has masks, whose pixels keep the numbers of its own classes")
        self.items: Sequence[Item] = [self._renumbered(item) for item in source.items]

    def _renumbered(self, item: Item) -> Item:
        boxes = item.boxes
        if boxes is not None:
            boxes = tuple(replace(box, label=self._number(item, box.label)) for box in boxes)
        label = None if item.label is None else self._number(item, item.label)
        return replace(item, label=label, boxes=boxes)

    def _number(self, item: Item, label: int) -> int:
        if label not in self._numbers:
            raise DataError(f"{item.name} has the label {label}; there are {len(self.labels)} labels", place=item.place)
        return self._numbers[label]

    @property
    def notes(self) -> Sequence[str]:
        return self._source.notes

    @property
    def preparation(self) -> Mapping[str, Any] | None:
        return self._source.preparation

    def fit(self, items: Sequence[Item]) -> None:
        before = self._source.items
        self._source.fit(items)
        if self._source.items is not before:  # targets that were scaled
            self.items = [self._renumbered(item) for item in self._source.items]

    def expect(self, items: Sequence[Item]) -> None:
        self._source.expect(items)

    def stamp(self, item: Item) -> str:
        return self._source.stamp(item)

    def size(self, item: Item) -> int | None:
        return self._source.size(item)

    def read(self, item: Item) -> Content:
        return self._source.read(item)

    def close(self) -> None:
        self._source.close()
