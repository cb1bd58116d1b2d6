"""Weights, means and solver states at the speed of memory, beyond protobuf's 2 GiB, with any fields of forks.

A reader maps the file and walks its wire format for a layer's name, type and blobs alone; the values come as
views into the map. Everything else is skipped, so that the fields of forks, whatever their numbers mean, cannot
break it. Field numbers: Caffe's schema; 10 to 13 of BlobProto are NVIDIA Caffe's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError

from brew.errors import Place, WeightsError
from brew.files.finite import not_finite
from brew.proto.brew_pb2 import ResumeState, SolverState, V1LayerParameter
from brew.proto.old_types import V0_TYPES, present_type

from .beginnings import begins_as_state, begins_as_weights
from .blob_proto import stored_blob
from .caffemodel_writer import write_solver_state, write_weights
from .cursor import BYTES, VARINT, Cursor, Malformed, signed
from .digest import HashedStream, sha256_of
from .recognising import BLOB, STATE, WEIGHTS, recognise
from .stored import LayerBlobs, StoredBlob, StoredState, mapped

__all__ = [
    "HashedStream",
    "begins_as_state",
    "begins_as_weights",
    "read_blob",
    "read_solver_state",
    "read_weights",
    "sha256_of",
    "write_solver_state",
    "write_weights",
]

T = TypeVar("T")


def read_weights(path: str | Path) -> list[LayerBlobs]:
    """All layers of a .caffemodel of any age (V0, V1, current), in the file's order; WeightsError."""
    return _read(path, "weights (.caffemodel)", WEIGHTS, _net)


def read_blob(path: str | Path, name: str = "mean") -> StoredBlob:
    """The one blob of a mean file (.binaryproto), or of one that holds a `name`; WeightsError, also for NaN in it."""
    scan = partial(_named, f"the {name}", _filled)
    blob = _read(path, f"a {name} file (.binaryproto)", BLOB, scan)
    if bad := sum(not_finite(piece) for piece in blob.pieces()):
        what = f"{bad} of the {blob.raw.size} numbers of the {name} are NaN or infinite"
        raise WeightsError(what, place=Place(str(path)))
    return blob


def read_solver_state(path: str | Path) -> StoredState:
    """The contents of a .solverstate of Caffe's or ours; WeightsError."""
    return _read(path, "a solver state (.solverstate)", STATE, _state)


def _read(path: str | Path, wanted: str, noun: str, scan: Callable[[Cursor], T]) -> T:
    buffer = mapped(path, wanted)
    try:
        return scan(Cursor(buffer, 0, len(buffer)))
    except Malformed as error:
        known = recognise(path)
        known = None if known and known.noun == noun else known
        said = f"this is {known.noun}" if known else f"damaged, truncated or of another kind: {error}"
        message = f"{said}; the file has {len(buffer)} bytes, {wanted} was expected"
        raise WeightsError(message, place=Place(str(path)), hint=known.use if known else None) from None


def _filled(cursor: Cursor) -> StoredBlob:
    """A blob with values. Other messages whose first field is a number pass for one without."""
    blob = stored_blob(cursor)
    if not blob.raw.size:
        raise Malformed("no value in it")
    return blob


def _named(name: str, scan: Callable[[Cursor], T], cursor: Cursor) -> T:
    try:
        return scan(cursor)
    except Malformed as error:
        raise Malformed(f"{name}: {error}") from None


def _net(cursor: Cursor) -> list[LayerBlobs]:
    layers: list[LayerBlobs] = []
    recognised = False
    while cursor.step():
        if cursor.number not in (1, 2, 100):
            continue
        if cursor.wire != BYTES:
            raise Malformed(f"field {cursor.number} is not what a net has there")
        recognised = True
        if cursor.number != 1:
            found = _Layer()
            scan = found.read if cursor.number == 100 else found.read_v1
            _named(f"layer {len(layers)}", scan, cursor.inside())
            layers.append(found.stored(old=cursor.number == 2))
    if not recognised:
        raise Malformed("no layer in it")
    return layers


@dataclass(slots=True)
class _Layer:
    """The fields found of a layer; its blobs are read once its name is known."""

    name: str = ""
    type: str = ""
    blobs: list[Cursor] = field(default_factory=list)

    def read(self, cursor: Cursor, name: int = 1, type: int = 2, blobs: int = 7) -> None:
        """A LayerParameter, or with other field numbers a V0LayerParameter."""
        while cursor.step():
            if cursor.wire != BYTES:
                continue
            if cursor.number == name:
                self.name = cursor.text()
            elif cursor.number == type:
                self.type = cursor.text()
            elif cursor.number == blobs:
                self.blobs.append(cursor.inside())

    def read_v1(self, cursor: Cursor) -> None:
        """A V1LayerParameter, with a V0LayerParameter inside it or not."""
        while cursor.step():
            if cursor.number == 5 and cursor.wire == VARINT:
                known = V1LayerParameter.LayerType.DESCRIPTOR.values_by_number.get(cursor.value)
                self.type = present_type(known.name) if known else ""
            elif cursor.wire != BYTES:
                continue
            elif cursor.number == 1:
                self.read(cursor.inside(), name=1, type=2, blobs=50)
                self.type = present_type(V0_TYPES.get(self.type, self.type.upper()))
            elif cursor.number == 4:
                self.name = cursor.text()
            elif cursor.number == 6:
                self.blobs.append(cursor.inside())

    def stored(self, *, old: bool) -> LayerBlobs:
        """The layer with its blobs read."""
        blobs = [
            _named(f'layer "{self.name}", blob {index}', stored_blob, cursor) for index, cursor in enumerate(self.blobs)
        ]
        return LayerBlobs(self.name, self.type, blobs, old=old)


def _state(cursor: Cursor) -> StoredState:
    numbers: dict[int, int] = {}
    learned_net, history, resume = "", list[StoredBlob](), None
    while cursor.step():
        number, wire = cursor.number, cursor.wire
        if number in (1, 2, 3, 4) and wire != (BYTES if number in (2, 3) else VARINT):
            raise Malformed(f"field {number} is not what a solver state has there")
        if wire == VARINT:
            numbers[number] = signed(cursor.value)
        elif number == 2:
            learned_net = cursor.text()
        elif number == 3:
            history.append(_named(f"history {len(history)}", stored_blob, cursor.inside()))
        elif number == SolverState.BREW_RESUME_FIELD_NUMBER and wire == BYTES:
            resume = _resume(cursor)
    if 1 not in numbers:
        raise Malformed("no iteration in it")
    return StoredState(numbers[1], learned_net, history, numbers.get(4, 0), resume)


def _resume(cursor: Cursor) -> ResumeState:
    try:
        return ResumeState.FromString(bytes(cursor.buffer[cursor.start : cursor.at]))
    except DecodeError as error:
        raise Malformed(f"the state for resuming: {error}") from None
