"""Entries chosen and divided: parts by class in the same shares, samples, by a seed; copies of what stands beside."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew.datasets import likeness
from brew.datasets.division import divide
from brew.datasets.settings import ImportSettings
from brew.datasets.sources.items import Box, Item
from brew.errors import UsageError
from brew.layer.random import Stream

from .choosing import Progress
from .entry import Entry, look, marks
from .opening import Stored, open_stored, paired
from .outputs import Output, sibling

log = logging.getLogger("brew")

Numbers = npt.NDArray[np.intp]
_STEP = 500  # entries between two calls of the progress


@dataclass(slots=True)
class Survey:
    """What is known of the entries of a source: an item for each, and pairs that are nearly the same."""

    items: list[Item] = field(default_factory=list)
    alike: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, stored: Stored, *, compare: bool, progress: Progress) -> Survey:
        """Read every entry once; with `compare` pictures are decoded, and 256 bytes kept of each. DataError."""
        found = cls()
        numbers: list[int] = []
        signatures = bytearray()
        for number, entry in enumerate(stored.scan()):
            if number % _STEP == 0:
                progress(f"{stored.path} (labels)", number, stored.length)
            boxes = tuple(Box(mark.label, 0, 0, 1, 1) for mark in marks(entry)) if entry.annotated else None
            found.items.append(Item("", None if entry.annotated else entry.label(), boxes=boxes))
            if compare and (values := look(entry).values).dtype == np.uint8 and values.ndim == 3:
                numbers.append(number)
                signatures += likeness.signature(values).tobytes()
        progress(f"{stored.path} (labels)", stored.length, stored.length)
        if len(numbers) > 1:
            table = np.frombuffer(bytes(signatures), np.uint8).reshape(-1, likeness.SIZE)
            found.alike = [(numbers[one], numbers[other]) for one, other in likeness.pairs(table)]
        return found


def parts(survey: Survey, *, val: float, test: float, seed: int) -> dict[str, Numbers]:
    """The numbers of the entries of each part, ascending: every class in the same shares. UsageError."""
    settings = ImportSettings(val=val, test=test, seed=seed, shuffle=False)
    if problem := settings.problem():
        raise UsageError(problem)
    if not val and not test:
        raise UsageError("--val, --test or both say how much of the data each part gets")
    try:
        divided = divide(survey.items, survey.alike, settings)
    except UsageError as error:
        if survey.alike:
            error.hint = error.hint or f"{len(survey.alike)} pairs are nearly the same and stay together: --no-compare"
        raise
    return {part: np.array(order, np.intp) for part, order in divided.items()}


def sample(
    survey: Survey, *, classes: Collection[int] = (), count: int | None = None, share: float | None = None,
    per_class: int | None = None, seed: int,
) -> Numbers:  # fmt: skip
    """The numbers of entries chosen by chance, ascending: `count` or `share` of them with every class in its share,
    or `per_class` of each, as far as there are so many. Of `classes` alone, where there are any. UsageError.
    """
    strata: dict[int | None, list[int]] = defaultdict(list)
    for number, item in enumerate(survey.items):
        label = item.label if item.boxes is None else min((box.label for box in item.boxes), default=None)
        if not classes or label in classes or any(box.label in classes for box in item.boxes or ()):
            strata[label].append(number)
    total = sum(map(len, strata.values()))
    if not total:
        raise UsageError("no record is of these classes")
    if per_class is not None:
        wanted = {label: min(per_class, len(numbers)) for label, numbers in strata.items()}
    else:
        wanted = _quotas(strata, min(total, round(total * share) if share is not None else count or total))
    rank = Stream(seed, "data/sample").permutation(len(survey.items))
    chosen = [
        number
        for label, numbers in strata.items()
        for number in sorted(numbers, key=lambda number: int(rank[number]))[: wanted[label]]
    ]
    if not chosen:
        raise UsageError("the sample would be empty")
    return np.sort(np.array(chosen, np.intp))


def _quotas(strata: dict[int | None, list[int]], count: int) -> dict[int | None, int]:
    """How many of each class: whole numbers by the largest remainders, `count` together."""
    total = sum(map(len, strata.values()))
    exact = {label: len(numbers) * count / total for label, numbers in strata.items()}
    quota = {label: int(value) for label, value in exact.items()}
    by_rest = sorted(exact, key=lambda label: (quota[label] - exact[label], -1 if label is None else label))
    for label in by_rest[: count - sum(quota.values())]:
        quota[label] += 1
    return quota


def outputs_of(
    stored: Stored, out: Path, numbers: Numbers | None, *, beside: bool = True, relabel: dict[int, int] | None = None
) -> list[Output]:
    """The copy of some entries (None: all), and those of the databases beside `stored` that have the same records."""
    count = stored.length if numbers is None else len(numbers)
    found = [Output(out, count, partial(selected, stored, numbers, relabel or {}))]
    for name, path in paired(stored.path).items() if beside else ():
        if _same_records(stored, path):
            found.append(Output(sibling(out, name), count, partial(_of_path, path, numbers)))
        else:
            log.warning("%s is left out: its records are not those of %s", path, stored.path)
    return found


def _same_records(stored: Stored, path: Path) -> bool:
    """Whether the first and the last key are the same, and the number of records."""
    with open_stored(path) as other:
        if other.length != stored.length:
            return False
        ends = sorted({0, stored.length - 1})
        return [entry.key for entry in stored.pick(ends)] == [entry.key for entry in other.pick(ends)]


def _of_path(path: Path, numbers: Numbers | None) -> Iterator[Entry]:
    with open_stored(path) as stored:
        yield from selected(stored, numbers, {})


def selected(stored: Stored, numbers: Numbers | None, relabel: dict[int, int]) -> Iterator[Entry]:
    """The entries of these numbers in their order, read front to back."""
    entries: Iterator[Entry] = stored.scan()
    if numbers is not None:
        wanted = np.zeros(stored.length, np.bool_)
        wanted[numbers] = True
        entries = compress(entries, wanted.tolist())
    return (entry.relabelled(relabel) for entry in entries) if relabel else entries


def counts(survey: Survey, numbers: Numbers) -> Counter[int]:
    """How many of the entries are of each class; boxes count as often as they are."""
    found: Counter[int] = Counter()
    for number in numbers.tolist():
        item = survey.items[number]
        found.update([item.label] if item.label is not None else [box.label for box in item.boxes or ()])
    return found


def relabelling(names: Sequence[str], classes: Collection[int]) -> tuple[dict[int, int], tuple[str, ...]]:
    """New numbers from 0 for `classes` in their order, and the names in that order."""
    numbers = {old: new for new, old in enumerate(sorted(classes))}
    return numbers, tuple(names[old] for old in numbers if 0 <= old < len(names))
