"""Which entries are looked at: the first ones, some by chance, those of classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import TypeAlias

from brew.errors import UsageError, did_you_mean
from brew.layer.random import Stream

from .entry import Entry, marks
from .opening import Stored

Progress: TypeAlias = Callable[[str, int, "int | None"], None]

_STEP = 500  # entries between two calls of the progress


def classes_of(stored: Stored, wanted: Sequence[str]) -> set[int]:
    """The numbers of classes given by name or by number. UsageError for a name that is none."""
    numbers = {name: number for number, name in reversed([*enumerate(stored.names)])}
    found = set()
    for text in wanted:
        if text in numbers:
            found.add(numbers[text])
        elif re.fullmatch(r"-?[0-9]{1,10}", text):
            found.add(int(text))
        else:
            known = did_you_mean(text, numbers) or (
                f"the classes are {', '.join(stored.names[:10])}{', ...' if len(stored.names) > 10 else ''}"
                if stored.names else "there is no labels.txt beside the data: give the class's number"
            )  # fmt: skip
            raise UsageError(f'"{text}" is no class of {stored.path}', hint=known)
    return found


def chosen(
    stored: Stored, count: int, *, classes: Collection[int] = (), seed: int | None = None, spread: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> list[Entry]:  # fmt: skip
    """At most `count` entries in their order: the first ones, or `spread` evenly, or with `seed` some by chance.

    Where there are `classes`, of these alone. Only what is chosen is held in memory. UsageError where no entry is of
    these classes.
    """
    if not classes:
        if seed is None:
            if not spread or count >= stored.length:
                return list(islice(stored.scan(), count))
            return list(stored.pick([number * stored.length // count for number in range(count)]))
        order = Stream(seed, "data/show").permutation(stored.length)[:count]
        return list(stored.pick(sorted(order.tolist())))
    numbers: list[int] = []
    for number, entry in enumerate(stored.scan()):
        if _has(entry, classes):
            numbers.append(number)
            if seed is None and len(numbers) == count:
                break
        if number % _STEP == 0:
            progress(str(stored.path), number, stored.length)
    if not numbers:
        named = ", ".join(_name(stored, label) for label in sorted(classes))
        raise UsageError(f"{stored.path} has no record of the class {named}")
    if seed is not None:
        order = Stream(seed, "data/show").permutation(len(numbers))[:count]
        numbers = sorted(numbers[i] for i in order)
    return list(stored.pick(numbers))


def _has(entry: Entry, classes: Collection[int]) -> bool:
    """Whether a record is of one of the classes, or has a box that is."""
    if entry.label() in classes and not entry.annotated:
        return True
    return any(mark.label in classes for mark in marks(entry))


def _name(stored: Stored, label: int) -> str:
    return stored.names[label] if 0 <= label < len(stored.names) else str(label)
