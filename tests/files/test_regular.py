"""Only files that have an end are read: everything else is refused, at once, by every reader."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew import prototxt
from brew.checks import files as checks
from brew.checks.records import walks
from brew.checks.records.check import Limits
from brew.checks.states import Options
from brew.data.databases.opening import open_database
from brew.data.hdf5 import source
from brew.data.image_source import ImageList
from brew.data.images import decoding
from brew.data.window_list import WindowList
from brew.errors import BrewError, Place
from brew.files import regular
from brew.files.regular import NotRegular
from brew.files.weights import caffemodel, hdf5, reading, safetensors
from brew.proto.brew_pb2 import NetParameter
from brew.solver.snapshots import snapshot
from brew.tools.parts.report import block

READERS: dict[str, Callable[[Path], Any]] = {
    "bytes": regular.read_bytes,
    "text": regular.read_text,
    "head": lambda p: regular.head(p, 9),
    "prototxt": lambda p: prototxt.read(p, NetParameter),
    "weights": reading.read,
    "state": snapshot.read_state,
    "mean": caffemodel.read_blob,
    "digest": caffemodel.sha256_of,
    "HDF5 weights": hdf5.read_weights,
    "safetensors": safetensors.read_weights,
    "image": lambda p: decoding.read_image(p, decoding.ImageRule(color=True)),
    "image list": lambda p: ImageList.read(p, what="source"),
    "HDF5 list": lambda p: source.read_list(p, what="source", place=None),
    "HDF5": source.open_hdf5,
    "window list": lambda p: WindowList.read(p, fg_threshold=0.5, bg_threshold=0.5, what="source"),
    "data check": lambda p: walks.walk(p, 0, Limits(None, None, (), 60, 1 << 30)),
}


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def of_a_socket(path: Path) -> None:
    there = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(there)


def promptly(call: Callable[[], Any]) -> BaseException | None:
    """What `call` raises; the test fails where it has not come back in ten seconds."""
    raised: list[BaseException | None] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert raised, "it hangs"
    return raised[0]


@pytest.mark.parametrize("make", [fifo, device, of_a_socket, Path.mkdir])
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_or_reads_without_end(reader: str, make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "x")
    error = promptly(lambda: READERS[reader](tmp_path / "x"))
    assert isinstance(error, BrewError | NotRegular), repr(error)
    assert any(word in str(error) for word in ("FIFO", "device", "socket", "folder", "neither")), str(error)


@pytest.mark.parametrize("name", ["data.mdb", "CURRENT"])
def test_nor_a_database(name: str, tmp_path: Path) -> None:
    fifo(tmp_path / name)
    error = promptly(lambda: open_database(tmp_path))
    assert isinstance(error, BrewError) and ("FIFO" in str(error) or "plyvel" in str(error)), repr(error)


def test_check_and_an_error_that_points_there(tmp_path: Path) -> None:
    fifo(tmp_path / "x")
    found: list[Any] = []
    assert promptly(lambda: found.extend(checks.check(str(tmp_path / "x"), Options()))) is None
    assert [finding.severity for finding in found] == ["error"]
    error = BrewError("not a net", place=Place(str(tmp_path / "x"), 1, 1))
    assert promptly(lambda: found.append(block(error))) is None
    assert found[1] == f"error[B000]: not a net\n  --> {tmp_path / 'x'}:1:1"


def test_what_is_longer_than_asked_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NotRegular, match=f"the file has {1 << 40} bytes, up to {regular.MOST} are read"):
        regular.read_bytes(tmp_path / "x")
    assert regular.head(tmp_path / "x", 3) == bytes(3)


def test_line_ends_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\r\nb\rc\n\xff")
    assert regular.read_text(tmp_path / "x", errors="surrogateescape") == "a\nb\nc\n\udcff"
