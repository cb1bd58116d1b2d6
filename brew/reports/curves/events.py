"""TensorBoard's event files: their scalars. The frame of a record is described in brew/solver/tensorboard.py."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from brew.files import regular

from .series import Recorder

_HEADER, _SUM = 12, 4  # bytes: a length and its checksum; the checksum of a message
_MOST = 256 << 20  # bytes of a message; more is damage
_VERSION = b"brain.Event:"


def is_events(head: bytes) -> bool:
    """Whether a file that begins with `head` is an event file: its first message says the version."""
    return len(head) > _HEADER and struct.unpack("<Q", head[:8])[0] < 256 and _VERSION in head[:256]


def read(path: Path, recorder: Recorder) -> None:
    """Add the scalars of the file. A last record that was cut short, or is damaged, ends it."""
    with regular.opened(path) as file:
        for event in _events(file):
            if event.HasField("session_log"):
                if event.session_log.status == event.session_log.START:
                    recorder.restart(event.step)
                continue
            for value in event.summary.value:
                if (number := _scalar(value)) is not None:
                    recorder.add(value.tag, event.step, event.wall_time, number)


def _events(file: IO[bytes]) -> Iterator[Any]:
    from google.protobuf.message import DecodeError
    from tensorboardX.proto.event_pb2 import Event

    while len(header := file.read(_HEADER)) == _HEADER:
        (length,) = struct.unpack("<Q", header[:8])
        if length > _MOST:
            return
        message = file.read(length)
        if len(message) < length or len(file.read(_SUM)) < _SUM:
            return
        try:
            yield Event.FromString(message)
        except DecodeError:
            return


def _scalar(value: Any) -> float | None:
    """A simple value, or a tensor of one float, as TensorFlow 2 and PyTorch's newer writers have them."""
    if value.WhichOneof("value") == "simple_value":
        return float(value.simple_value)
    if value.WhichOneof("value") != "tensor":
        return None
    tensor = value.tensor
    if len(tensor.float_val) == 1:
        return float(tensor.float_val[0])
    single = tensor.dtype == 1 and len(tensor.tensor_content) == 4  # DT_FLOAT
    return float(struct.unpack("<f", tensor.tensor_content)[0]) if single else None
