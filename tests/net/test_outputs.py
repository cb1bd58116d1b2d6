"""Means over test passes."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from brew.errors import NetError
from brew.net.outputs import MOST_SHOWN, Means, by_name, first, log_outputs


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


OUTPUTS = [("a", np.arange(3.0), 0.5), ("big", np.arange(250.0), 0.0), ("c", np.float64([7]), 0.0)]


def test_of_a_large_output_the_first_elements_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "brew")
    log_outputs("Test", OUTPUTS, {"glog": "solver.cpp:404"})
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3 + MOST_SHOWN + 1 + 1
    assert lines[2] == "    Test net output #2: a = 2 (* 0.5 = 1 loss)"
    assert lines[2 + MOST_SHOWN] == f"    Test net output #{2 + MOST_SHOWN}: big = {MOST_SHOWN - 1}"
    assert lines[3 + MOST_SHOWN].startswith("    big has 150 more elements that are left out")
    assert lines[-1] == "    Test net output #253: c = 7"  # numbered as if all were there
    assert all(record.glog == "solver.cpp:404" for record in caplog.records)  # type: ignore[attr-defined]


def test_all_are_told_to_those_who_ask(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "brew")
    log_outputs("Test", OUTPUTS, {})
    assert len(caplog.records) == 254


def test_of_scores_the_first_of_each_output() -> None:
    scores = by_name(OUTPUTS)
    assert len(scores) == 254
    assert first(scores, 2) == {"a[0]": 0, "a[1]": 1, "big[0]": 0, "big[1]": 1, "c": 7} == by_name(OUTPUTS, 2)
    assert first(scores, 1000) == scores
