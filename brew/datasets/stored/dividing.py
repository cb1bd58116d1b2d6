"""Which entries are in which part: every class in the same shares, by a seed; samples likewise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brew.datasets import likeness
from brew.datasets.division import divide
from brew.datasets.settings import ImportSettings
from brew.datasets.sources.items import Box, Item
from brew.errors import UsageError
from brew.layer.random import Stream

from .choosing import Progress
from .entry import look, marks
from .opening import Stored

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


def counts(survey: Survey, numbers: Numbers) -> Counter[int]:
    """How many of the entries are of each class; boxes count as often as they are."""
    found: Counter[int] = Counter()
    for number in numbers.tolist():
        item = survey.items[number]
        found.update([item.label] if item.label is not None else [box.label for box in item.boxes or ()])
    return found


def relabelling(
    survey: Survey, chosen: Numbers, names: Sequence[str], classes: Collection[int]
) -> tuple[dict[int, int], tuple[str, ...]]:
    """New numbers from 0 for `classes` in their order, and the names in that order; with boxes 0 stays the background.

    UsageError where an entry that was `chosen` has boxes of other classes, too: their numbers would be those of these.
    """
    boxed = [{box.label for box in survey.items[number].boxes or ()} for number in chosen.tolist()]
    others = set().union(*boxed) - set(classes)
    if others:
        shown = ", ".join(_name(names, label) for label in sorted(others)[:5])
        raise UsageError(
            f"--relabel: the chosen records have boxes of other classes, too: {shown}",
            hint="--label for these as well, or no --relabel",
        )
    kept = {0, *classes} if any(boxed) else set(classes)
    numbers = {old: new for new, old in enumerate(sorted(kept))}
    return numbers, tuple(_name(names, old) for old in numbers) if names else ()


def _name(names: Sequence[str], label: int) -> str:
    return names[label] if 0 <= label < len(names) else str(label)
