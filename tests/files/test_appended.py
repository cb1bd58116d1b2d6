"""AppendedFile: whole pieces, and a full disk that comes and goes."""

from __future__ import annotations

import errno
import io
import logging
from pathlib import Path
from typing import Any

import pytest

from brew.errors import ResourceError
from brew.files import appended
from brew.files.appended import AppendedFile


class Disk:
    """Stands before the files of `Path.open`; `room` is what they can still take, None without end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        disk, real = self, Path.open

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                if disk.room is not None:
                    data = bytes(data)[: disk.room]
                    disk.room -= len(data)
                    if not data:
                        raise OSError(errno.ENOSPC, "No space left on device")
                return super().write(data)

        def opened(path: Path, mode: str = "r", buffering: int = -1, **rest: Any) -> Any:
            return File(path, mode) if (mode, buffering) == ("ab", 0) else real(path, mode, buffering, **rest)

        monkeypatch.setattr(Path, "open", opened)


def test_pieces_that_find_no_room_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    disk, file = Disk(monkeypatch), AppendedFile(tmp_path / "f")
    caplog.set_level(logging.INFO, "brew")
    file.write(b"one\n")
    disk.room = 2  # the write that fails has written two bytes
    for piece in (b"two\n", b"three\n"):
        file.write(piece)
        assert file.path.read_bytes() == b"one\n"
    disk.room = None
    file.write(b"four\n")
    assert file.path.read_bytes() == b"one\ntwo\nthree\nfour\n"
    assert caplog.messages == [
        f"cannot write {file.path}: No space left on device; the training goes on, and what is missing is written "
        "when it can be",
        f"{file.path} can be written again",
    ]


def test_a_long_shortage_keeps_the_newest_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(appended, "WAITING", 2)
    disk, file = Disk(monkeypatch), AppendedFile(tmp_path / "f")
    disk.room = 0
    for piece in (b"a", b"b", b"c"):
        file.write(piece)
    disk.room = None
    file.write(b"d")
    assert file.path.read_bytes() == b"cd"


def test_what_stands_in_the_file_stays(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"before ")
    AppendedFile(tmp_path / "f").write(b"after")
    assert (tmp_path / "f").read_bytes() == b"before after"


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path):
    with pytest.raises(ResourceError, match="cannot write"):
        AppendedFile(tmp_path)
