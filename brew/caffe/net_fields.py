"""Python values into the fields of a layer's message: numbers, names of enums, lists, dictionaries, arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from brew.errors import NetError, Place, did_you_mean
from brew.graph.foreign import unknown_layer_hint
from brew.layer.registry import layer_class
from brew.layer.sections import read_by
from brew.proto import caffe_pb2
from brew.proto.caffe_pb2 import LayerParameter
from brew.prototxt.hints import unknown_field_hint
from brew.prototxt.schema import Field, fields_of

_WHOLE = (
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
)


class UnknownField(NetError, AttributeError):
    """A keyword that is no field of the layer; the message lists those there are."""


class WrongValue(NetError, TypeError, ValueError):
    """A value that its field does not take."""


@cache
def _own_params() -> dict[str, str]:
    fields = LayerParameter.DESCRIPTOR.fields
    messages = {f.name: f.message_type.name for f in fields if f.message_type and f.name.endswith("_param")}
    return {message.removesuffix("Parameter"): name.removesuffix("_param") for name, message in messages.items()}


def param_name_dict() -> dict[str, str]:
    """The layer types that have a message of their own, with its name: {"InnerProduct": "inner_product", ...}."""
    return dict(_own_params())


def assign_proto(proto: Message, name: str, val: Any) -> None:
    """Set the field `name` of `proto`: to a list, tuple or array where it is repeated, from a dictionary where it is a
    message.

    One value stands for a list of one. Enums take their numbers or names. Raises UnknownField (an AttributeError) with
    the nearest name and all fields, and WrongValue (a TypeError and ValueError).
    """
    field = fields_of(proto.DESCRIPTOR).get(name)
    if field is None:
        fields = fields_of(proto.DESCRIPTOR)
        listed = ", ".join(fields)
        hint = unknown_field_hint(name, [proto])
        raise UnknownField(f'{proto.DESCRIPTOR.name} has no "{name}"; it has {listed}', hint=hint)
    if field.repeated:
        for item in _items(val):
            _append(getattr(proto, name), field, item)
    elif field.message is not None:
        _fill(getattr(proto, name), field, val)
    else:
        try:
            setattr(proto, name, _scalar(field, val))
        except (KeyError, TypeError, ValueError):
            raise _wrong(field, val) from None


def assign_keyword(layer: LayerParameter, name: str, value: Any, place: Place | None) -> None:
    """Set what a keyword of a layer means: a field of its type's own message, of the layer, or of another message that
    the type reads, as `ignore_label` of SoftmaxWithLoss, which stands in loss_param. Errors are put at `place`.
    """
    try:
        assign_proto(_holder(layer, name), name, value)
    except (UnknownField, WrongValue) as error:
        error.message = f'layer "{layer.name}", L.{layer.type}({name}=...): {error.message}'
        raise error.with_place(place) from None


def _holder(layer: LayerParameter, name: str) -> Message:
    own = f"{_own_params().get(layer.type, '')}_param"
    read = [own, *read_by(layer.type)] if own != "_param" else list(read_by(layer.type))
    of_layer = fields_of(LayerParameter.DESCRIPTOR)
    holding = [m for m in dict.fromkeys(read) if name in fields_of(getattr(layer, m).DESCRIPTOR)]
    if name in of_layer and (name.endswith("param") or own not in holding):
        return layer
    if holding and (holding[0] == own or len(holding) == 1):
        message: Message = getattr(layer, holding[0])
        return message
    if holding:
        raise UnknownField(f"{' and '.join(holding)} have this field: give one of them as a dict")
    listed = {m: fields_of(getattr(layer, m).DESCRIPTOR) for m in dict.fromkeys(read)}
    known = [field for fields in listed.values() for field in fields]
    there = [f"{m} has {', '.join(fields)}" for m, fields in listed.items()]
    rest = [field for field in of_layer if not field.endswith("_param") or field in listed]
    there.append(f"every layer has {', '.join(rest)}")
    if not read and layer_class(layer.type) is None:
        raise UnknownField(f"there is no layer type {layer.type} that has it", hint=unknown_layer_hint(layer.type))
    hint = did_you_mean(name, known) or unknown_field_hint(name, [caffe_pb2.NetParameter(), layer])
    raise UnknownField(f"there is no such field; {'; '.join(there)}", hint=hint)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, np.ndarray):
        return list(value.ravel()) if value.ndim else [value.item()]
    one = isinstance(value, str | bytes | Mapping | Message) or not isinstance(value, Iterable)
    return [value] if one else value


def _append(values: Any, field: Field, item: Any) -> None:
    if field.message is not None:
        _fill(values.add(), field, item)
        return
    try:
        values.append(_scalar(field, item))
    except (KeyError, TypeError, ValueError):
        raise _wrong(field, item) from None


def _fill(message: Message, field: Field, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            assign_proto(message, name, inner)
    elif isinstance(value, Message) and value.DESCRIPTOR == message.DESCRIPTOR:
        message.CopyFrom(value)
    else:
        raise _wrong(field, value)


def _scalar(field: Field, value: Any) -> Any:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if field.enum is not None and isinstance(value, str):
        return field.enum.values_by_name[value].number
    if field.type in _WHOLE and isinstance(value, float) and value.is_integer():
        return int(value)  # what a division gives
    return value


def _wrong(field: Field, value: Any) -> WrongValue:
    wanted = f"a dict of fields of {field.message.name}" if field.message is not None else field.wanted
    hint = did_you_mean(value, field.enum.values_by_name) if field.enum is not None and isinstance(value, str) else None
    return WrongValue(f"{field} takes {wanted}, not {value!r} ({type(value).__name__})", hint=hint)
