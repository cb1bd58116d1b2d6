"""Which shape of a net's blob takes the values of a file: Caffe's rule for its shapes of always four axes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from brew.files.weights.stored import StoredBlob


@pytest.mark.parametrize(
    ("stored", "legacy", "shape", "fits"),
    [
        ((10, 4), False, (10, 4), True),
        ((1, 1, 10, 4), True, (10, 4), True),
        ((1, 1, 1, 10), True, (10,), True),
        ((1, 1, 1, 1), True, (), True),
        ((1, 1, 10, 4), True, (1, 10, 4), True),
        ((1, 1, 10, 4), False, (10, 4), False),  # four axes that were meant
        ((10, 4), False, (1, 1, 10, 4), False),  # nor the other way
        ((10, 4, 1, 1), True, (10, 4), False),  # ones in front, not behind
        ((1, 1, 4, 10), True, (10, 4), False),
        ((1, 1, 10, 4), True, (1, 1, 1, 10, 4), False),  # more than four axes never
    ],
)
def test_ones_in_front_of_a_legacy_shape_count_for_nothing(
    stored: tuple[int, ...], legacy: bool, shape: tuple[int, ...], fits: bool
) -> None:
    assert StoredBlob(stored, legacy, np.zeros(math.prod(stored), np.float32)).fits(shape) is fits
