"""Division of items into parts: by class in the same shares, groups in one part, by a seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError
from brew.layer.random import Stream

from .settings import ImportSettings
from .sources.items import Item, Part

Order: TypeAlias = list[int]  # numbers of items
PARTS: tuple[Part, ...] = ("train", "val", "test")


def divisible(items: Sequence[Item], settings: ImportSettings) -> list[int]:
    """The numbers of the items that settings divide: those in no part, and those of train.

    UsageError where the source has a part itself that is asked for.
    """
    if not settings.val and not settings.test:
        return []
    for part, share in (("val", settings.val), ("test", settings.test)):
        if share and any(item.part == part for item in items):
            raise UsageError(f"the source has a part {part} itself", hint=f"leave out --{part}")
    return [number for number, item in enumerate(items) if item.part in (None, "train")]


def divide(items: Sequence[Item], alike: Iterable[tuple[int, int]], settings: ImportSettings) -> dict[str, Order]:
    """The numbers of the items of each part, in the order of their records; parts without any are left out.

    `alike` are pairs of items that must not be parted, beside those of one group. UsageError where a part that is
    asked for would be empty.
    """
    assigned: list[Part] = [item.part or "train" for item in items]
    numbers = divisible(items, settings)
    if numbers:
        for number, part in _assigned(items, numbers, alike, settings).items():
            assigned[number] = part
    parts: dict[str, Order] = {part: [n for n, own in enumerate(assigned) if own == part] for part in PARTS}
    for part, share in (("val", settings.val), ("test", settings.test)):
        if share and not parts[part]:
            one = len({items[number].group for number in numbers}) == 1 and items[numbers[0]].group is not None
            raise UsageError(
                f"--{part} {share:g} of {len(numbers)} items leaves none for the part {part}",
                hint="all are of one group, which stays together; one series or text is divided by --set test_last=0.2"
                if one
                else None,
            )
    if numbers and not parts["train"]:
        raise UsageError(f"--val {settings.val:g} and --test {settings.test:g} leave no items for the part train")
    if settings.shuffle:
        order = Stream(settings.seed, "import/order").permutation(len(parts["train"]))
        parts["train"] = [parts["train"][i] for i in order]
    return {part: order for part, order in parts.items() if order}


def _assigned(
    items: Sequence[Item], numbers: Sequence[int], alike: Iterable[tuple[int, int]], settings: ImportSettings
) -> dict[int, Part]:
    strata = _strata(items, numbers)
    need: dict[Part, dict[int, float]] = {
        "val": _quota(strata, numbers, settings.val),
        "test": _quota(strata, numbers, settings.test),
    }
    rank = Stream(settings.seed, "import/division").permutation(len(numbers))
    groups = _groups(items, numbers, alike)
    shuffled = sorted(groups, key=lambda group: (-len(group), min(rank[i] for i in group)))
    parts: dict[int, Part] = {}
    for group in shuffled:
        counts: dict[int, int] = defaultdict(int)
        for i in group:
            counts[strata[numbers[i]]] += 1
        part = _best(counts, need)
        for i in group:
            parts[numbers[i]] = part
        if part != "train":
            for stratum, count in counts.items():
                need[part][stratum] -= count
    return parts


def _best(counts: Mapping[int, int], need: Mapping[Part, Mapping[int, float]]) -> Part:
    """The part that a group brings nearest to what it needs: val, test, or train, which takes the rest."""
    best: Part = "train"
    least = 0.0
    for part, wanted in need.items():
        change = sum(abs(wanted[s] - n) - abs(wanted[s]) for s, n in counts.items())
        if change < least:
            best, least = part, change
    return best


def _quota(strata: dict[int, int], numbers: Sequence[int], share: float) -> dict[int, float]:
    """How many of each stratum a part gets: whole numbers, by the largest remainders, that add up to its share."""
    sizes: dict[int, int] = defaultdict(int)
    for number in numbers:
        sizes[strata[number]] += 1
    exact = {stratum: size * share for stratum, size in sizes.items()}
    quota = {stratum: float(int(value)) for stratum, value in exact.items()}
    missing = round(len(numbers) * share) - int(sum(quota.values()))
    by_rest = sorted(exact, key=lambda stratum: (quota[stratum] - exact[stratum], stratum))
    for stratum in by_rest[: max(0, missing)]:
        quota[stratum] += 1
    return defaultdict(float, quota)


def _strata(items: Sequence[Item], numbers: Sequence[int]) -> dict[int, int]:
    """By item, what shares are kept of: its class; of boxes the rarest class among them; -1 where it has none."""
    counts: dict[int, int] = defaultdict(int)
    boxed = {number: {box.label for box in items[number].boxes or ()} for number in numbers}
    for labels in boxed.values():
        for label in labels:
            counts[label] += 1

    def stratum(number: int) -> int:
        label = items[number].label
        if label is not None:
            return label
        return min(boxed[number], key=lambda value: (counts[value], value), default=-1)

    return {number: stratum(number) for number in numbers}


def _groups(items: Sequence[Item], numbers: Sequence[int], alike: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Positions in `numbers`, those that must stay together in one list."""
    parent: npt.NDArray[np.intp] = np.arange(len(numbers))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    def join(i: int, j: int) -> None:
        one, other = sorted((root(i), root(j)))
        parent[other] = one

    first: dict[str, int] = {}
    for i, number in enumerate(numbers):
        group = items[number].group
        if group is not None:
            join(first.setdefault(group, i), i)
    place = {number: i for i, number in enumerate(numbers)}
    for one, other in alike:
        join(place[one], place[other])
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(numbers)):
        groups[root(i)].append(i)
    return list(groups.values())
