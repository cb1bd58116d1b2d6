from __future__ import annotations

from pathlib import Path

import pytest

from brew.errors import DataError
from brew.files.paths import expanded, find


def test_working_directory_then_folder(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "brew")
    folder, here = tmp_path / "nets", tmp_path / "here"
    for place in (folder, here):
        place.mkdir()
        (place / "both").touch()
    (folder / "one").touch()
    monkeypatch.chdir(here)
    assert find("both", folder, what="x").resolve() == here / "both"
    assert not caplog.records
    assert find("one", folder, what="x") == folder / "one"
    assert f"x: one is taken from {folder}" in caplog.text
    with pytest.raises(DataError, match=rf"x: there is no two; looked for {here}/two and {folder}/two"):
        find("two", folder, what="x")


def test_absolute_and_home(tmp_path, monkeypatch):
    (tmp_path / "db").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find(str(tmp_path / "db"), tmp_path, what="x") == tmp_path / "db"
    assert find("~/db", tmp_path, what="x") == tmp_path / "db"
    with pytest.raises(DataError, match=f"x: there is no {tmp_path}/nowhere"):
        find(f"{tmp_path}/nowhere", tmp_path, what="x")
    with pytest.raises(DataError, match="x is empty"):
        find("", tmp_path, what="x")


def test_the_home_of_nobody_is_a_name_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/x") == tmp_path / "x"
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    with pytest.raises(DataError, match="x: there is no ~nobody-of-that-name/x; looked for"):
        find("~nobody-of-that-name/x", tmp_path, what="x")
