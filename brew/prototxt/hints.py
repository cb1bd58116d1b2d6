"""Hints for unknown fields and values of a wrong kind: also for words of old formats and other frameworks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from brew.errors import did_you_mean
from brew.proto.brew_pb2 import SolverParameter, V1LayerParameter
from brew.proto.old_types import V0_TYPES, present_type

from .other_words import FIELDS, LAYER_TYPES
from .schema import Field, fields_of

MISSING_BRACE = 'is a "}" missing before it?'
_FILE_KINDS = {"NetParameter": "net", "SolverParameter": "solver"}
_OLD = ("V0LayerParameter", "V1LayerParameter")
_LAYERS = ("LayerParameter", "V1LayerParameter")
_PARAMETERS = re.compile(r"(\w+?)_?(?:params?|paramm|parm|pram|parameters?)", re.IGNORECASE)
_OF_A_FORK = "no layer type of Brew has parameters of this name: it is of a fork of Caffe, or somebody's own"
_WRITTEN = {  # how to write a message of this type
    "FillerParameter": 'type: "xavier"',
    "BlobShape": "dim: 1 dim: 3",
    "NetStateRule": "phase: TRAIN",
    "NetState": 'stage: "deploy"',
    "ParamSpec": "lr_mult: 1",
}


def unknown_field_hint(name: str, open_messages: Sequence[Message]) -> str | None:
    """The hint for a field `name`, unknown to the last of `open_messages` (root first)."""
    here = open_messages[-1]
    outer = next((m for m in reversed(open_messages[:-1]) if name in fields_of(m.DESCRIPTOR)), None)
    unclosed = outer and f"{name} is a field of {outer.DESCRIPTOR.name}: {MISSING_BRACE}"
    if outer and unclosed and fields_of(outer.DESCRIPTOR)[name].message:
        return unclosed
    kind = _FILE_KINDS.get(here.DESCRIPTOR.name) if len(open_messages) == 1 else None
    for other, other_kind in _FILE_KINDS.items():
        schema = here.DESCRIPTOR.file.message_types_by_name
        if kind and kind != other_kind and name in fields_of(schema[other]):
            return f"this looks like a {other_kind} file; a {kind} file was expected"
    inside = _holders(name, here)
    return (
        unclosed
        or _called(name, here)
        or (f"{name} stands inside {_listed(inside)}" if inside else None)
        or _beside(name, open_messages)
        or _elsewhere(name, open_messages[0].DESCRIPTOR)
        or _near(name, here)
        or (_OF_A_FORK if _of_parameters(name) and here.DESCRIPTOR.name in _LAYERS else None)
        or _nearly_inside(name, here)
    )


def value_hint(field: Field, came: str) -> str | None:
    """How a field is written that came as something else: a message as a word, an old type of layer as today's."""
    if str(field) == "LayerParameter.param" and came[:1] in ("'", '"'):
        return f"as in param {{ name: {came} }}"
    if field.message is not None:
        written = _WRITTEN.get(field.message.name)
        return f"as in {field.name} {{ {written} }}" if written else None
    if str(field) == "LayerParameter.type":
        today = _today(came) or came
        return f'write type: "{today}"' if today.isidentifier() else None
    if str(field) == "V1LayerParameter.param":
        return 'in "layers", rates are blobs_lr: 1 and names of shared weights param: "w"'
    return None


def layer_type_hint(name: str) -> str | None:
    """The hint for a layer type that Caffe's formats of 2013 and 2014, or other frameworks, call so."""
    meant = _today(name) or next((text for text, words in LAYER_TYPES.items() if name.lower() in words.split()), None)
    return meant and (f'did you mean "{meant}"?' if meant.isidentifier() else f"it is {meant}.")


def _today(name: str) -> str:
    """Today's name of a layer type of 2013 (V0) or 2014 (V1); "" for a name that never was one."""
    if name in V0_TYPES:
        return present_type(V0_TYPES[name])
    return present_type(name) if name in V1LayerParameter.LayerType.DESCRIPTOR.values_by_name else ""


def _called(name: str, message: Message) -> str | None:
    """The field of this message that has the name in an old format, or in another framework."""
    asked = _of_parameters(name) or name.lower()
    for meant, others in FIELDS.get(message.DESCRIPTOR.name, {}).items():
        if asked in others.split():
            return f'did you mean "{meant}"?' if meant in fields_of(message.DESCRIPTOR) else f"it is written {meant}"
    return None


def _near(name: str, message: Message) -> str | None:
    """The field with a similar name; the part that all names of parameters share does not count."""
    fields = fields_of(message.DESCRIPTOR)
    asked = _of_parameters(name)
    if asked is None:
        return did_you_mean(name, fields)
    stem = asked.removesuffix("_param")
    stems = {field.removesuffix("_param"): field for field in fields if field.endswith("_param")}
    near = [s for s in stems if s.startswith(f"{stem}_")] or difflib.get_close_matches(stem, stems, n=1, cutoff=0.8)
    return f'did you mean "{stems[near[0]]}"?' if near else None


def _of_parameters(name: str) -> str | None:
    """`convParams` and `conv_parm` as "conv_param"; None for a name that is not one of parameters."""
    match = _PARAMETERS.fullmatch(name)
    return f"{match[1].lower()}_param" if match else None


def _beside(name: str, open_messages: Sequence[Message]) -> str | None:
    """The hint for a field of another message of the same layer, or of the solver."""
    layer = next((m for m in reversed(open_messages[:-1]) if m.DESCRIPTOR.name in _LAYERS), None)
    if layer is not None and (holders := _holders(name, layer)):
        return f"{name} stands inside {_listed(holders)} of the layer"
    in_a_net = open_messages[0].DESCRIPTOR.name == "NetParameter"
    return f"{name} is a field of the solver" if in_a_net and name in fields_of(SolverParameter.DESCRIPTOR) else None


def _holders(name: str, message: Message) -> list[str]:
    """The sub-messages of `message` that have a field `name`; those the message's type suggests, if any."""
    fields = fields_of(message.DESCRIPTOR).values()
    holders = [f.name for f in fields if f.message and name in fields_of(f.message)]
    layer_type = str(getattr(message, "type", "")).lower()
    stem = "convolution" if layer_type == "deconvolution" else layer_type
    fitting = [h for h in holders if stem and h.removesuffix("_param").replace("_", "") == stem]
    return fitting or holders


def _listed(holders: Sequence[str]) -> str:
    shown = [f"{holder} {{ }}" for holder in holders[:4]]
    if len(holders) > 4:
        shown.append("others")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _elsewhere(name: str, root: Any) -> str | None:
    owners = [message.name for message in _reachable(root) if name in fields_of(message)]
    today = [owner for owner in owners if owner not in _OLD] or owners
    return f"{name} is a field of {' and '.join(today[:3])}" if today else None


def _reachable(root: Any) -> Iterator[Descriptor]:
    seen, waiting = {root.full_name}, [root]
    while waiting:
        message = waiting.pop(0)
        yield message
        for inner in fields_of(message).values():
            if inner.message and inner.message.full_name not in seen:
                seen.add(inner.message.full_name)
                waiting.append(inner.message)


def _nearly_inside(name: str, message: Message) -> str | None:
    """The hint for a misspelt field that also lacks its sub-message."""
    children = [f.message for f in fields_of(message.DESCRIPTOR).values() if f.message]
    near = did_you_mean(name, {field for child in children for field in fields_of(child)})
    if near is None:
        return None
    holders = _holders(near.split('"')[1], message)
    return f"{near} It stands inside {_listed(holders)}"
