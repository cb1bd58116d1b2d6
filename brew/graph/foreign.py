"""Fields of Caffe's forks: an error where they would change the numbers, else a warning.

Reading a text only records them (Document.foreign). `judge` gives all verdicts on them; `admit_net` and `admit_solver`
act on these: a warning once for each kind of field, or an error. `unknown_layer_hint` knows the layer types of forks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from brew.errors import InputError, NetError, Place, SolverError, did_you_mean
from brew.layer import registry
from brew.proto.brew_pb2 import TEST, SolverParameter
from brew.prototxt import Document
from brew.prototxt.forks import EFFECTS, FieldPath, ForeignField, layer_type
from brew.prototxt.hints import layer_type_hint
from brew.prototxt.placed import PlacedLayer

log = logging.getLogger("brew")

Level = Literal["error", "warning", "info"]
_LEVELS: tuple[Level, ...] = ("error", "warning", "info")
_NETS = ("net_param", "train_net_param", "test_net_param")
_LAYERS = ("layer", "layers")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on all fields of one kind: `fields`, in the order of the text; the first is placed.

    "error": the results would not be those of the file. "warning": it does nothing here, and the results are the
    same. "info": its value asks for what Brew does anyway.
    """

    level: Level
    message: str
    place: Place
    hint: str | None
    fields: tuple[ForeignField, ...]


def judge(
    document: Document[Any], fields: Iterable[ForeignField] | None = None, phase: int | None = None
) -> list[Verdict]:
    """The verdicts on `fields`, or on all of the document's: errors first, each level in the order of the text.

    For one `phase`, or for both. Fields of layers of unknown type are skipped: the type is an error when the
    layer is made.
    """
    kinds: dict[tuple[Level, str], list[ForeignField]] = {}
    for field in document.foreign if fields is None else fields:
        level = _level(document, field, phase)
        if level is not None:
            kinds.setdefault((level, field.fact.name), []).append(field)
    verdicts = [_verdict(document, level, alike) for (level, _), alike in kinds.items()]
    return sorted(verdicts, key=lambda verdict: _LEVELS.index(verdict.level))


def admit_net(
    document: Document[Any] | None, prefix: Sequence[str | int], layers: Iterable[PlacedLayer], phase: int
) -> None:
    """Act on the fields of the net at `prefix` within `document`, and of its layers that are in use.

    NetError for the first that would change the numbers; one line in the log for each kind of the others.
    """
    if document is not None and document.foreign:
        used = {source.place() for source in layers}
        _heed(document, [f for f in document.foreign if _counts(document, f, tuple(prefix), used)], NetError, phase)


def admit_solver(document: Document[SolverParameter]) -> None:
    """The same for a solver's own fields, with SolverError. Nets written inside it are for admit_net."""
    if document.foreign:
        _heed(document, [f for f in document.foreign if f.path[:1] not in [(name,) for name in _NETS]], SolverError)


def left_out(document: Document[Any] | None) -> bool:
    """Warn, once for each kind, of fields that writing the message again loses; returns whether there are any."""
    kinds: dict[str, list[ForeignField]] = {}
    for field in document.foreign if document else ():
        kinds.setdefault(field.fact.name, []).append(field)
    for fields in kinds.values():
        log.warning(
            "%s: %s comes from %s: left out%s", fields[0].place, fields[0], fields[0].fact.owners, _times(fields)
        )
    return bool(kinds)


def unknown_layer_hint(type_name: str) -> str:
    """The hint for an unknown layer type: the fork of Caffe that has it, or the nearest names."""
    fact = layer_type(type_name)
    if fact is None:
        near = layer_type_hint(type_name) or _nearest(type_name, tuple(registry.layer_type_list()))
        return f"{near + ' ' if near else ''}brew layers lists all types"
    note = f"; {fact.note}" if fact.note else ""
    return f"{type_name} comes from {fact.owners} and is not available here{note}; brew layers lists what is"


@lru_cache
def _nearest(type_name: str, known: tuple[str, ...]) -> str | None:
    """Kept: a net may use one wrong name in each of thousands of layers."""
    return did_you_mean(type_name, known, most=3)


def _heed(
    document: Document[Any], fields: Sequence[ForeignField], error: type[InputError], phase: int | None = None
) -> None:
    for verdict in judge(document, fields, phase):
        if verdict.level == "error":
            raise error(verdict.message, place=verdict.place, hint=verdict.hint)
        kind = f"{verdict.level} {verdict.fields[0].fact.name}"
        if kind not in document.said:
            document.said.add(kind)
            log.log(logging.getLevelNamesMapping()[verdict.level.upper()], "%s: %s", verdict.place, verdict.message)


def _counts(document: Document[Any], field: ForeignField, prefix: FieldPath, used: set[Place | None]) -> bool:
    """Whether a field belongs to the net at `prefix`, and to a layer in use if it belongs to one."""
    if field.path[: len(prefix)] != prefix:
        return False
    layer = _layer(field.path[len(prefix) :])
    return not layer or document.place(*prefix, *layer) in used


def _layer(path: FieldPath) -> FieldPath:
    """The part of a path that leads to a layer, ("layer", 3)."""
    start = next((i for i, step in enumerate(path) if step in _LAYERS), None)
    return () if start is None else path[: start + 2]


def _message(document: Document[Any], path: FieldPath) -> Any:
    message: Any = document.message
    for step in path:
        message = message[step] if isinstance(step, int) else getattr(message, step)
    return message


def _level(document: Document[Any], field: ForeignField, phase: int | None) -> Level | None:
    level: Level = "info" if field.asks_nothing else "warning"
    effect = field.fact.effect
    if level == "warning" and (
        effect == "numbers"
        or (effect == "training" and phase != TEST)
        or (effect == "scale" and not _scaled(document, field.path))
    ):
        level = "error"
    path = _layer(field.path)
    layer = _message(document, path) if path else None
    if layer is None or path[-2] != "layer":
        return level
    if registry.layer_class(layer.type) is None:
        return None
    if field.fact.effect == "layer" and layer.type == field.fact.note:
        return "error"  # a registered layer of the user's: its parameters cannot reach it
    return level


def _scaled(document: Document[Any], path: FieldPath) -> bool:
    """Whether a Scale layer reads the top of the layer that `path` leads into."""
    own = _layer(path)
    net = _message(document, own[:-2])
    tops = _message(document, own).top
    return any(other.type == "Scale" and other.bottom[:1] == tops[:1] for other in net.layer)


def _verdict(document: Document[Any], level: Level, fields: Sequence[ForeignField]) -> Verdict:
    first = fields[0]
    fact = first.fact
    what = f"{first} comes from {fact.owners}"
    hint = None
    if level == "error":
        what += f" and is not available here; {EFFECTS['numbers' if fact.effect == 'scale' else fact.effect]}"
        hint = fact.note if fact.effect != "layer" else ""
        hint = hint or "take it away if the results may be others"
    elif level == "info":
        what += ": it asks for what is done anyway"
    else:
        what += f"; it does nothing here: {_reason(first)}"
    path = _layer(first.path)
    layer = _message(document, path) if path else None
    where = f'layer "{layer.name}": ' if layer is not None else ""
    return Verdict(level, f"{where}{what}{_times(fields)}", first.place, hint, tuple(fields))


def _times(fields: Sequence[ForeignField]) -> str:
    return f" ({len(fields)} times)" if len(fields) > 1 else ""


def _reason(field: ForeignField) -> str:
    fact = field.fact
    if fact.effect == "layer" and fact.note:
        return f"it belongs to {fact.note} layers"
    if fact.effect == "aside":
        return f"it only counts together with {fact.note}"
    return EFFECTS[fact.effect]
