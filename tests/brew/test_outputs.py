"""Means over test passes."""

from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.outputs import Means, by_name


def test_means_are_element_by_element():
    means = Means()
    for value in (1, 3):
        means.add([("a", np.float32([value]), 0.0), ("b", np.float32([value, 10 * value]), 2.0)])
    assert by_name(means.outputs()) == {"a": 2, "b[0]": 2, "b[1]": 20}
    assert [(name, weight) for name, _, weight in means.outputs()] == [("a", 0.0), ("b", 2.0)]


def test_an_output_that_changes_its_size_has_no_mean():
    means = Means()
    means.add([("a", np.zeros(2), 0.0)])
    with pytest.raises(NetError, match='output "a" has 3 elements in this test pass, 2 in those before'):
        means.add([("a", np.zeros(3), 0.0)])
