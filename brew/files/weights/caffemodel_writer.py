"""Weights and solver states onto a stream: values go out as they lie in memory, never through a whole message."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from brew.files import varints
from brew.proto.brew_pb2 import BlobShape, LayerParameter, NetParameter, ResumeState, SolverState

_log = logging.getLogger("brew")

Array = np.ndarray[Any, np.dtype[Any]]
_Piece = bytes | memoryview


class Writer(Protocol):
    """A stream to write to."""

    def write(self, piece: _Piece, /) -> int: ...


_BYTES = 2  # the wire type
_LARGEST_FOR_CAFFE = 2**31 - 1  # bytes of one message, protobuf's limit
_FIELDS = {"f4": (5, 6), "f8": (8, 9)}  # BlobProto data and diff, double_data and double_diff


def write_weights(
    stream: Writer,
    layers: Iterable[tuple[LayerParameter, Sequence[Array], Sequence[Array] | None]],
    name: str,
) -> int:
    """Write a NetParameter `name` as Caffe's .caffemodel and return its size in bytes.

    Each layer is its message without blobs, its parameters, and their gradients or None. float32 goes to data and
    diff, float64 to double_data and double_diff; anything else raises ValueError. Little more than one blob is
    held at a time. Over 2 GiB a warning says that Caffe itself cannot read the file.
    """
    number = NetParameter.LAYER_FIELD_NUMBER
    size = _write(stream, [NetParameter(name=name).SerializeToString()])
    for param, blobs, diffs in layers:
        if param.blobs:
            raise ValueError(f'layer "{param.name}": blobs go beside the message, not in it')
        if diffs is not None and len(diffs) != len(blobs):
            raise ValueError(f'layer "{param.name}": {len(blobs)} blobs with {len(diffs)} gradients')
        pieces: list[_Piece] = [param.SerializeToString()]
        for index, blob in enumerate(blobs):
            diff = None if diffs is None else diffs[index]
            pieces += _field(LayerParameter.BLOBS_FIELD_NUMBER, _blob(blob, diff))
        size += _write(stream, _field(number, pieces))
    if size > _LARGEST_FOR_CAFFE:
        _log.warning("the weights have %d bytes: Caffe reads .caffemodel files up to 2 GiB only", size)
    return size


def write_solver_state(
    stream: Writer,
    iter: int,
    learned_net: str,
    history: Iterable[Array],
    current_step: int,
    resume: ResumeState | None,
) -> int:
    """Write a SolverState as Caffe's .solverstate, with `resume` in the field of ours; its size in bytes."""
    size = _write(stream, [SolverState(iter=iter, learned_net=learned_net).SerializeToString()])
    for blob in history:
        size += _write(stream, _field(SolverState.HISTORY_FIELD_NUMBER, _blob(blob, None)))
    return size + _write(stream, [SolverState(current_step=current_step, brew_resume=resume).SerializeToString()])


def _write(stream: Writer, pieces: Sequence[_Piece]) -> int:
    for piece in pieces:
        stream.write(piece)
    return sum(len(piece) for piece in pieces)


def _blob(data: Array, diff: Array | None) -> list[_Piece]:
    """The pieces of one BlobProto."""
    pieces = _values(data, 0)
    if diff is not None:
        if diff.shape != data.shape:
            raise ValueError(f"a blob of shape {data.shape} with a gradient of shape {diff.shape}")
        pieces += _values(diff, 1)
    if data.ndim == 0:  # as num, channels, height, width: Caffe takes that for a scalar, OpenCV no shape without axes
        return [*pieces, *(varints.written(number << 3) + varints.written(1) for number in (1, 2, 3, 4))]
    return pieces + _field(7, [BlobShape(dim=data.shape).SerializeToString()])


def _values(array: Array, which: int) -> list[_Piece]:
    numbers = _FIELDS.get(array.dtype.str[1:])
    if numbers is None:
        raise ValueError(f"blobs are float32 or float64, not {array.dtype}")
    if array.size == 0:
        return []
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return _field(numbers[which], [little.reshape(-1).view(np.uint8).data])


def _field(number: int, pieces: Sequence[_Piece]) -> list[_Piece]:
    """`pieces` as the payload of a field: its tag and length go before."""
    return [varints.written(number << 3 | _BYTES) + varints.written(sum(len(piece) for piece in pieces)), *pieces]
