from __future__ import annotations

from collections import Counter

import pytest

from brew.datasets.division import divide
from brew.datasets.settings import ImportSettings
from brew.datasets.sources.items import Box, Item
from brew.errors import UsageError


def items(*counts: int) -> list[Item]:
    """Items of as many classes as counts, so many of each."""
    return [Item(f"{label}/{i}", label) for label, count in enumerate(counts) for i in range(count)]


def classes(some: list[Item], order: list[int]) -> Counter[int | None]:
    return Counter(some[number].label for number in order)


def test_shares_are_kept_in_every_class() -> None:
    some = items(100, 50, 10)
    parts = divide(some, [], ImportSettings(val=0.1, test=0.2))
    assert classes(some, parts["val"]) == {0: 10, 1: 5, 2: 1}
    assert classes(some, parts["test"]) == {0: 20, 1: 10, 2: 2}
    assert sorted(number for order in parts.values() for number in order) == list(range(160))
    assert parts["val"] == sorted(parts["val"]) and parts["train"] != sorted(parts["train"])


def test_sizes_add_up_where_classes_are_small() -> None:
    parts = divide(items(*[3] * 100), [], ImportSettings(val=0.1))
    assert len(parts["val"]) == 30


def test_the_seed_alone_decides() -> None:
    some = items(40, 40)
    first, again, other = (divide(some, [], ImportSettings(val=0.25, seed=seed)) for seed in (1, 1, 2))
    assert first == again and first["val"] != other["val"]
    assert divide(some, [], ImportSettings(shuffle=False))["train"] == list(range(80))


def test_groups_stay_together() -> None:
    some = [Item(f"{i}", i % 2, group=f"speaker {i // 7}") for i in range(140)]
    parts = divide(some, [], ImportSettings(val=0.2, test=0.1))
    where = {some[number].group: part for part, order in parts.items() for number in order}
    assert all(where[some[number].group] == part for part, order in parts.items() for number in order)
    assert abs(len(parts["val"]) - 28) <= 7 and abs(len(parts["test"]) - 14) <= 7


def test_pairs_and_chains_of_them_stay_together() -> None:
    some = items(100)
    pairs = [(i, i + 1) for i in range(0, 99, 2)] + [(1, 2), (40, 41)]
    parts = divide(some, pairs, ImportSettings(val=0.3))
    where = {number: part for part, order in parts.items() for number in order}
    assert all(where[one] == where[other] for one, other in pairs) and len(parts["val"]) == 30


def test_parts_of_the_source_are_kept_and_train_is_divided() -> None:
    some = [Item(f"{i}", 0, part="train" if i < 80 else "test") for i in range(100)]
    parts = divide(some, [], ImportSettings(val=0.25))
    assert parts["test"] == list(range(80, 100)) and len(parts["val"]) == 20 and max(parts["val"]) < 80
    with pytest.raises(UsageError, match="the source has a part test itself"):
        divide(some, [], ImportSettings(test=0.1))


def test_of_boxes_the_rarest_class_counts() -> None:
    boxes = [(Box(0, 0, 0, 1, 1), *([Box(1, 0, 0, 1, 1)] if i % 10 == 0 else [])) for i in range(100)]
    some = [Item(str(i), boxes=own) for i, own in enumerate(boxes)]
    val = divide(some, [], ImportSettings(val=0.2))["val"]
    assert len(val) == 20 and sum(number % 10 == 0 for number in val) == 2


@pytest.mark.parametrize("settings", [{"val": 0.01}, {"val": 0.5, "test": 0.01}])
def test_a_part_that_would_be_empty_is_an_error(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"of 10 items leaves none for the part"):
        divide(items(10), [], ImportSettings(**settings))
