"""Names that NumPy and others have dropped, in scripts that `brew run` runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from brew.caffe.python2 import removed


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The lines told; the modules are as they were afterwards."""
    modules = [importlib.import_module(name) for name in ("collections", "numpy", "time")]
    before = [dict(vars(module)) for module in modules]
    finders = list(sys.meta_path)
    lines: list[str] = []
    removed.install(lines.append)
    yield lines
    sys.meta_path[:] = finders
    for name in ("scipy.misc", "scipy"):
        sys.modules.pop(name, None)
    for module, names in zip(modules, before, strict=True):
        vars(module).clear()
        vars(module).update(names)


def attribute(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("module", "name", "line"),
    [
        ("numpy", "float", "numpy.float is gone: float stands for it"),
        ("numpy", "int", "numpy.int is gone: int stands for it"),
        ("numpy", "float_", "numpy.float_ is gone: numpy.float64 stands for it"),
        ("numpy", "asscalar", "numpy.asscalar is gone: Brew's stands for it"),
        ("time", "clock", "time.clock is gone: time.perf_counter stands for it"),
        ("collections", "Mapping", "collections.Mapping is gone: collections.abc.Mapping stands for it"),
    ],
)
def test_each_is_there_and_told_of_once(told: list[str], module: str, name: str, line: str) -> None:
    assert attribute(module, name) is attribute(module, name)
    assert told == [line]


def test_they_do_what_they_did(told: list[str]) -> None:
    assert np.zeros((0, 9), attribute("numpy", "float")).dtype == np.float64
    assert attribute("numpy", "asscalar")(np.array([3])) == 3
    assert isinstance({}, attribute("collections", "Mapping"))


def test_what_is_there_is_left_alone(told: list[str]) -> None:
    assert attribute("numpy", "bool") is np.bool_
    assert attribute("numpy", "float32") is np.float32 and attribute("numpy", "testing").assert_allclose
    assert told == []


def test_what_never_was_there_is_not(told: list[str]) -> None:
    for module in ("numpy", "time"):
        with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'flaot'"):
            attribute(module, "flaot")
    assert told == []


@pytest.mark.parametrize("there", [True, False], ids=["scipy has a module of this name", "it has none"])
def test_scipy_misc(told: list[str], there: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").touch()
    if there:
        (tmp_path / "scipy" / "misc.py").write_text("def face(): return 'a raccoon'\n")
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("scipy", None)
    misc: ModuleType = importlib.import_module("scipy.misc")
    big = misc.imresize(np.zeros((4, 6, 3), np.uint8), 2.0)
    assert big.shape == (8, 12, 3)
    assert told == ["scipy.misc.imresize is gone: Brew's stands for it"]
    assert hasattr(misc, "face") == there
