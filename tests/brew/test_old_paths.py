"""Modules that layers outside of Brew import are found at the paths they had before the rooms, with a warning."""

from __future__ import annotations

import importlib
import sys

import pytest

import brew


@pytest.mark.parametrize("old", brew._MOVED)
def test_an_old_path_leads_to_the_module_and_says_where_it_is(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=rf"{old} is now {brew._MOVED[old]}") as told:
        found = importlib.import_module(old)
    assert found is importlib.import_module(brew._MOVED[old])
    assert found.__name__ == brew._MOVED[old]
    assert len(told) == 1
    monkeypatch.delitem(sys.modules, old)


def test_the_warning_stands_at_the_line_of_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "brew.registry", raising=False)
    with pytest.warns(DeprecationWarning) as told:
        exec(compile("from brew.registry import register_layer", "my_layer.py", "exec"), {})
    assert told[0].filename == "my_layer.py"
    monkeypatch.delitem(sys.modules, "brew.registry")


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"brew\.nonsense"):
        importlib.import_module("brew.nonsense")
