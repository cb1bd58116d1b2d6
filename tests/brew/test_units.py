"""Sizes and lengths of time as people write them."""

from __future__ import annotations

import pytest

from brew import units


@pytest.mark.parametrize(
    ("text", "size"),
    [("8G", 8 << 30), ("8 GiB", 8 << 30), ("500mb", 500 << 20), ("1.5k", 1536), ("2T", 2 << 40), ("7", 7), ("0", None),
     ("G", None), ("-1G", None), ("8X", None), ("", None), ("1e9", None)],
)  # fmt: skip
def test_sizes(text: str, size: int | None) -> None:
    assert units.size(text) == size


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90m", 5400),
        ("1d12h", 129600),
        ("30", 30),
        ("0.5 h", 1800),
        ("0", None),
        ("h", None),
        ("4h!", None),
        ("", None),
    ],
)
def test_lengths_of_time(text: str, length: float | None) -> None:
    assert units.seconds(text) == length
