"""Event files for TensorBoard: the scalars of a training, drawn by `tensorboard --logdir FOLDER`.

tensorboardX gives the messages and the checksum. Its SummaryWriter is not used: the thread it writes from ends with
the first full disk, and the training would then wait for it for ever.

The frame of a record is TFRecord's (TensorFlow, tfrecord_writer): length as uint64, masked CRC-32C of the length,
message, masked CRC-32C of the message, all little-endian.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brew.errors import ResourceError
from brew.files.appended import AppendedFile
from brew.solver.training.events import Displayed, Event, Tested

_OWN = ("loss", "rate", "images_per_second")


class TensorBoard:
    """A watcher of a solver (`Solver.watch`) that writes a new event file into `folder`, which it makes.

    train/loss (smoothed), train/rate, train/images_per_second and train/<output> at every display; test<k>/<output>
    for every test of net k. An output called like one of the first three is train/output/<output>.
    `iteration` is where the training begins: TensorBoard forgets what earlier files in the folder say from there on.
    ResourceError when the file cannot be written at the start; later the training goes on without it (AppendedFile).
    """

    def __init__(self, folder: str | Path, iteration: int = 0) -> None:
        self._file = AppendedFile(_new_file(Path(folder)))
        self._write(file_version="brain.Event:2")
        self._write(step=iteration, session_log={"status": "START"})

    @property
    def path(self) -> Path:
        """The event file."""
        return self._file.path

    def __call__(self, event: Event) -> None:
        if isinstance(event, Displayed):
            scalars = {"train/loss": event.loss, "train/rate": event.rate}
            if event.images and event.seconds > 0:
                scalars["train/images_per_second"] = event.images / event.seconds
            for name, value in event.outputs.items():
                scalars[f"train/output/{name}" if name in _OWN else f"train/{name}"] = value
            self._scalars(event.iteration, scalars)
        elif isinstance(event, Tested):
            self._scalars(event.iteration, {f"test{event.net}/{name}": v for name, v in event.scores.items()})

    def _scalars(self, iteration: int, scalars: Mapping[str, float]) -> None:
        values = [{"tag": tag, "simple_value": value} for tag, value in scalars.items()]
        self._write(step=iteration, summary={"value": values})

    def _write(self, **fields: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event as Message

        self._file.write(_framed(Message(wall_time=time.time(), **fields).SerializeToString()))


def _framed(message: bytes) -> bytes:
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(message))
    sums = [struct.pack("<I", masked_crc32c(part)) for part in (length, message)]
    return length + sums[0] + message + sums[1]


def _new_file(folder: Path) -> Path:
    """A name that is not taken; TensorBoard reads the files of a folder in the order of their names, so by second."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    second, host = int(time.time()), socket.gethostname()
    while (path := folder / f"events.out.tfevents.{second:010d}.{host}").exists():
        second += 1
    return path
