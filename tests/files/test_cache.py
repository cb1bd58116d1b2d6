"""What one process leaves for the next: found again when whole, and never in the way."""

from __future__ import annotations

import errno
import logging
import stat
from pathlib import Path

import pytest

from brew.files import cache


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder; no variable says where caches lie."""
    for name in ("BREW_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_where_it_lies(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep("a", "1", b"in the home")
    assert [p.relative_to(home).as_posix() for p in home.rglob("1")] == [".cache/brew/a/1"]
    assert stat.S_IMODE((home / ".cache/brew/a").stat().st_mode) == 0o700
    for variable, place in (("XDG_CACHE_HOME", "xdg/brew"), ("BREW_CACHE", "own")):
        monkeypatch.setenv(variable, str(home / place.split("/")[0]))
        assert cache.read("a", "1") is None
        cache.keep("a", "1", place.encode())
        assert (home / place / "a" / "1").is_file() and cache.read("a", "1") == place.encode()


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:40] + b"x" + c[41:], lambda c: c[:5], lambda c: b""])
def test_what_is_damaged_is_as_if_it_were_not_there(home: Path, damage: object) -> None:
    cache.keep("a", "1", b"twenty bytes of text")
    (path,) = home.rglob("1")
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert cache.read("a", "1") is None
    cache.keep("a", "1", b"anew")
    assert cache.read("a", "1") == b"anew"
    assert len(list(path.parent.iterdir())) == 1, "nothing half written stays"


def test_a_file_under_another_s_name_is_as_if_it_were_not_there(home: Path) -> None:
    """Machine code of another function, called as if it were this one, ends the process."""
    cache.keep("a", "1", b"one")
    cache.keep("a", "2", b"two")
    folder = home / ".cache/brew/a"
    (folder / "1").write_bytes((folder / "2").read_bytes())
    assert cache.read("a", "1") is None and cache.read("a", "2") == b"two"
    (folder.parent / "b").mkdir()
    (folder.parent / "b" / "2").write_bytes((folder / "2").read_bytes())
    assert cache.read("b", "2") is None


def test_where_nothing_can_be_written_only_a_line_for_us_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("BREW_CACHE", str(home / "file"))
    with caplog.at_level("DEBUG", "brew"):
        cache.keep("a", "1", b"text")
    assert cache.read("a", "1") is None
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


def test_a_full_disk_leaves_nothing_half_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    cache.keep("a", "1", b"text")
    assert cache.read("a", "1") is None
    assert not list((home / ".cache/brew/a").iterdir())


def test_without_a_home_there_is_no_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    cache.keep("a", "1", b"text")
    assert cache.read("a", "1") is None
