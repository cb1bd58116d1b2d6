"""Several settings from a command line: those of one repeated field add up, of others the last counts."""

from __future__ import annotations

import pytest

from brew import prototxt
from brew.errors import PrototxtError
from brew.proto.brew_pb2 import SolverParameter


def overridden(*settings: str) -> SolverParameter:
    param = SolverParameter(test_iter=[9], stepvalue=[1, 2], base_lr=0.5)
    prototxt.override_all(param, settings)
    return param


def test_one_setting_replaces_what_the_file_says() -> None:
    assert list(overridden("test_iter=3").test_iter) == [3]
    assert list(overridden("test_iter=3,4").test_iter) == [3, 4]


def test_several_of_a_repeated_field_add_up() -> None:
    param = overridden("stepvalue=10", "test_iter=3", "stepvalue = 20,30", "test_iter=[4]", "weights=a", "weights=b")
    assert list(param.stepvalue) == [10, 20, 30]
    assert list(param.test_iter) == [3, 4]
    assert list(param.weights) == ["a", "b"]


def test_messages_and_fields_within_them_too() -> None:
    param = overridden("train_state.stage=a", "train_state.stage=b", "test_state={level: 1}", "test_state={level: 2}")
    assert list(param.train_state.stage) == ["a", "b"]
    assert [state.level for state in param.test_state] == [1, 2]


def test_of_a_single_field_the_last_counts() -> None:
    assert overridden("base_lr=1", "base_lr=2").base_lr == 2


def test_an_error_names_its_setting() -> None:
    with pytest.raises(PrototxtError, match="--set stepvalue=x"):
        overridden("stepvalue=1", "stepvalue=x")
