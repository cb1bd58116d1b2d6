"""The net that stands in a .caffemodel beside its weights: every layer's message, without the values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from brew.errors import Place, WeightsError
from brew.files import varints
from brew.proto.brew_pb2 import NetParameter, V1LayerParameter

from .cursor import BYTES, VARINT, Cursor, Malformed
from .stored import mapped

_BLOBS = {100: 7, 2: 6}  # the field of a layer's blobs, by the field of the layer in a net
_COPY = re.compile(r"_\d+_split_\d+$")
_V0 = 1  # the field of a V0 layer inside a V1 layer, whose blobs are field 50
_V0_BLOBS = 50


def read_stored_net(path: str | Path) -> NetParameter:
    """The net in the .caffemodel `path`, of any age: of TRAIN mostly, without blobs and without the Splits put in.

    WeightsError for another file, and for one that holds names and values of layers alone.
    """
    buffer = mapped(path, "weights (.caffemodel)")
    try:
        net = NetParameter.FromString(b"".join(_kept(Cursor(buffer, 0, len(buffer)), 0)))
    except (Malformed, DecodeError):
        raise WeightsError("no net can be read from it", place=Place(str(path))) from None
    if not any(layer.bottom or layer.top for layers in (net.layer, net.layers) for layer in layers):
        raise WeightsError("it holds weights alone, and no net", place=Place(str(path)))
    for layers in (net.layer, net.layers):
        _join(layers)
    return net


def _join(layers: Any) -> None:
    """Take out the Splits that were put in when the net was made: who reads their tops reads their bottom again."""
    original: dict[str, str] = {}
    for number in reversed(range(len(layers))):
        layer = layers[number]
        if layer.type in ("Split", V1LayerParameter.SPLIT) and all(_COPY.search(top) for top in layer.top):
            original.update(dict.fromkeys(layer.top, layer.bottom[0]))
            del layers[number]
    for layer in layers:
        layer.bottom[:] = [original.get(name, name) for name in layer.bottom]


def _kept(cursor: Cursor, parent: int) -> Iterator[bytes]:
    """The fields of a message in the wire format, without blobs; `parent` is its own number, 0 for the net."""
    begin = cursor.at
    while cursor.step():
        number, wire = cursor.number, cursor.wire
        if parent == 0 and number in _BLOBS and wire == BYTES:
            yield _field(number, b"".join(_kept(cursor.inside(), number)))
        elif parent == 2 and number == _V0 and wire == BYTES:
            yield _field(number, b"".join(_kept(cursor.inside(), -_V0)))
        elif number != (_V0_BLOBS if parent == -_V0 else _BLOBS.get(parent)) or wire == VARINT:
            yield bytes(cursor.buffer[begin : cursor.at])
        begin = cursor.at


def _field(number: int, content: bytes) -> bytes:
    return varints.written(number << 3 | BYTES) + varints.written(len(content)) + content
