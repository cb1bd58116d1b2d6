"""Event files, read back by a reader written from TFRecord's description: frames, checksums, scalars, purges."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brew.errors import ResourceError
from brew.solver.tensorboard import TensorBoard
from brew.solver.training import events
from brew.solver.training.events import Displayed, Snapshotted


def crc32c(data: bytes) -> int:
    """Castagnoli's polynomial, bit by bit."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F6_3B78 * (crc & 1))
    return crc ^ 0xFFFF_FFFF


def checked(data: bytes, stored: bytes) -> bytes:
    crc = crc32c(data)
    rotated = (crc >> 15 | crc << 17) & 0xFFFF_FFFF
    assert struct.unpack("<I", stored)[0] == (rotated + 0xA282_EAD8) & 0xFFFF_FFFF
    return data


def events_of(path: Path) -> Iterator[Any]:
    from tensorboardX.proto.event_pb2 import Event

    data = path.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", checked(data[:8], data[8:12]))
        yield Event.FromString(checked(data[12 : 12 + length], data[12 + length : 16 + length]))
        data = data[16 + length :]


def scalars_of(path: Path) -> dict[tuple[str, int], float]:
    return {(value.tag, e.step): value.simple_value for e in events_of(path) for value in e.summary.value}


def test_the_checksum_of_this_test_is_crc32c():
    assert crc32c(b"123456789") == 0xE306_9283  # RFC 3720, and every list of CRCs


def test_scalars_are_read_back(tmp_path: Path):
    board = TensorBoard(tmp_path / "new" / "folder")
    board(Displayed(20, 0.5, 0.25, {"loss": 2.0, "accuracy": 0.75, "p[1]": 3.0}, seconds=2.0, images=128))
    board(events.Tested(20, 1, {"loss": 4.0}))
    board(Snapshotted(20, Path("w"), Path("s")))
    first, *_ = events_of(board.path)
    assert first.file_version == "brain.Event:2" and first.wall_time > 1.6e9
    assert scalars_of(board.path) == {
        ("train/loss", 20): 0.5, ("train/rate", 20): 0.25, ("train/images_per_second", 20): 64.0,
        ("train/output/loss", 20): 2.0, ("train/accuracy", 20): 0.75, ("train/p[1]", 20): 3.0,
        ("test1/loss", 20): 4.0,
    }  # fmt: skip


def test_a_first_display_has_no_speed_and_a_diverged_one_says_so(tmp_path: Path):
    board = TensorBoard(tmp_path)
    board(Displayed(0, float("inf"), 0.25, {}, seconds=0.1, images=0))
    assert scalars_of(board.path) == {("train/loss", 0): float("inf"), ("train/rate", 0): 0.25}


def test_a_resumed_training_purges_what_it_does_again(tmp_path: Path):
    from tensorboardX.proto.event_pb2 import SessionLog

    first, second = TensorBoard(tmp_path), TensorBoard(tmp_path, iteration=30)
    assert first.path.name < second.path.name  # though made within a second: TensorBoard reads them in this order
    [start] = [e for e in events_of(second.path) if e.HasField("session_log")]
    assert (start.step, start.session_log.status) == (30, SessionLog.START)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ResourceError, match="cannot make the folder"):
        TensorBoard(tmp_path / "taken" / "logs")
