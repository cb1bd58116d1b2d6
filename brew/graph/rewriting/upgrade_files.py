"""Files in Caffe's earlier formats written again in today's: what `brew upgrade` does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from brew import prototxt
from brew.errors import InputError, Place
from brew.files import regular
from brew.files.atomic import replacing
from brew.files.overwriting import Kind
from brew.files.signatures import noun_of
from brew.files.weights.caffemodel import begins_as_weights
from brew.files.weights.recognising import WEIGHTS, recognise
from brew.graph import foreign
from brew.proto.brew_pb2 import NetParameter, SolverParameter
from brew.prototxt import Document
from brew.prototxt.net_or_solver import holds_net, holds_solver
from brew.prototxt.portable import separate_inputs
from brew.prototxt.upgrade import upgrade_net, upgrade_solver
from brew.prototxt.upgrade_pooling import is_doubtful

M = TypeVar("M", NetParameter, SolverParameter)
log = logging.getLogger("brew")

_LARGEST_MESSAGE = (2 << 30) - 1  # bytes
_ROUNDING = "%s: field 13 of pooling_param is read as Caffe's round_mode; in some forks it is ceil_mode, the opposite"


def upgrade_net_file(source: str, target: str, *, overwrite: bool = False) -> bool:
    """Write the net in `source` to `target` in today's format: text as text, binary as binary. Comments are lost.

    The two may be one file; another net at `target` is replaced only with `overwrite`. Returns whether every field
    was kept. InputError where `source` cannot be read or upgraded, ResourceError where `target` cannot be written.
    """
    old, document = _read(source, NetParameter)
    with _text_is_utf8(source):
        upgraded = upgrade_net(old, document, file=source)
        new = _separated(upgraded.message(), old)
        _write(new, target, old, source, text=document is not None, overwrite=overwrite)
    return upgraded.complete and not foreign.left_out(document)


def _separated(net: NetParameter, old: NetParameter) -> NetParameter:
    """`net` with a layer for each input, where `old` has them as fields of the net."""
    if len(old.input) > 1:
        separate_inputs(net)
    return net


def upgrade_solver_file(source: str, target: str, *, overwrite: bool = False) -> bool:
    """The same for a solver, with the nets written inside it."""
    old, document = _read(source, SolverParameter)
    with _text_is_utf8(source):
        new, complete = upgrade_solver(old, document, file=source)
        for field in ("net_param", "train_net_param", "test_net_param"):
            inner, before = getattr(new, field), getattr(old, field)
            pairs = zip(inner, before, strict=True) if field == "test_net_param" else [(inner, before)]
            for net, old_net in pairs:
                _separated(net, old_net)
        _write(new, target, old, source, text=document is not None, overwrite=overwrite)
    return complete and not foreign.left_out(document)


@contextmanager
def _text_is_utf8(source: str) -> Iterator[None]:
    """InputError where a string of a binary message is not UTF-8; protobuf does not check them."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(
            f"a name or other text in the file is not UTF-8: {error.object!r:.80}", place=Place(source)
        ) from None


def _read(source: str, message_type: type[M]) -> tuple[M, Document[M] | None]:
    """The message in a file, with its document unless the file is binary."""
    path = Path(source)
    size = path.stat().st_size if path.is_file() else 0
    if size > _LARGEST_MESSAGE:
        raise InputError(
            f"the file has {size} bytes; protobuf takes up to {_LARGEST_MESSAGE}", place=Place(source),
            hint="there is no need to upgrade weights: those of any age are read",
        )  # fmt: skip
    contents = regular.read_bytes(path) if size else b""
    if contents and noun_of(contents[:512]) is None:
        message, known = message_type(), recognise(source)
        wanted = WEIGHTS if isinstance(message, NetParameter) else None
        with suppress(DecodeError):
            if known is None or known.noun == wanted:
                message.ParseFromString(contents)
                if not isinstance(message, NetParameter) or message.layer or message.layers:
                    _warn_of_rounding(message, source)
                    return message, None
        if b"\0" in contents:
            what = f"neither prototxt nor a binary {message_type.DESCRIPTOR.name}"
            what = (
                f"this is {known.noun}, {what}" if known else f"damaged, truncated or of another kind: this is {what}"
            )
            raise InputError(what, place=Place(source), hint=known.use if known else None)
    document = prototxt.read(source, message_type)
    return document.message, document


def _warn_of_rounding(message: Message, source: str) -> None:
    if isinstance(message, NetParameter) and is_doubtful(message):
        log.warning(_ROUNDING, source)


def _write(new: M, target: str, old: M, source: str, *, text: bool, overwrite: bool) -> None:
    if new == old:
        log.info("%s: nothing to upgrade", source)
    contents = prototxt.to_text(new).encode() if text else new.SerializeToString()

    def holds(path: Path) -> bool:
        if isinstance(new, NetParameter):
            return holds_net(path) if text else begins_as_weights(path)
        return holds_solver(path) if text else _read(str(path), type(new))[1] is None

    def wrote(path: Path) -> bool:
        return path.samefile(source) or regular.read_bytes(path) == contents

    kind = Kind("a net" if isinstance(new, NetParameter) else "a solver", holds, wrote)
    with replacing(target, kind, overwrite=overwrite) as temporary:
        temporary.write_bytes(contents)
