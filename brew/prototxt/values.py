"""One scalar of prototxt: from the token's text to the value of its field, or an error."""

from __future__ import annotations

import math
import re

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from brew.errors import PrototxtError, did_you_mean

from .hints import value_hint
from .paths import check_path
from .schema import Field

Scalar = int | float | bool | str | bytes

_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?")
_NOT_FINITE = re.compile(r"(-?(?:inf|infinity|nan))f?", re.IGNORECASE)
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_LARGEST = {  # from here on a number rounds to infinity
    FieldDescriptor.TYPE_FLOAT: 3.4028235677973366e38,
    FieldDescriptor.TYPE_DOUBLE: math.inf,
}
_BOOLS = {
    "true": True,
    "True": True,
    "t": True,
    "1": True,
    "false": False,
    "False": False,
    "f": False,
    "0": False,
}
_DIGITS = 40  # more than any integer or limit of the schema needs
_STORED = frozenset({"BlobProto", "Datum"})  # computed values, not settings: NaN is kept
_BOUNDS = frozenset({"ClipParameter"})  # settings for which infinity means "no bound"


def scalar(field: Field, kind: str, text: str) -> Scalar:
    """The value of `field` written as a token of `kind` (name or number) and `text`; PrototxtError."""
    if field.enum is not None:
        return _enum_value(field, field.enum, kind, text)
    if field.type == FieldDescriptor.TYPE_BOOL and text in _BOOLS:
        return _BOOLS[text]
    if field.type in _RANGES and _INTEGER.fullmatch(text):
        return _integer(field, text)
    if field.type in _LARGEST:
        if _FLOAT.fullmatch(text):
            return _float(field, text)
        if special := _NOT_FINITE.fullmatch(text):
            return _not_finite(field, text, float(special[1]))
        if text.lstrip("-").startswith("0"):
            raise wrong(field, text, "a zero in front would make it octal")
    raise wrong(field, text, value_hint(field, text))


def string(field: Field, value: bytes, literal: str) -> Scalar:
    """The value of `field` written as string literals that stand for `value`; PrototxtError."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return value
    if field.type != FieldDescriptor.TYPE_STRING:
        if str(field) == "V1LayerParameter.type":
            hint = f'"layers" is the format of 2013 and 2014; with type: {literal} write "layer"'
            raise PrototxtError(f'a layer of "layers" has no type in quotes, such as {literal}', hint=hint)
        raise wrong(field, literal, hint="without quotes")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise PrototxtError(f"the escapes of {field} make bytes that are not UTF-8 text") from None
    check_path(field, text, literal)
    return text


def wrong(field: Field, came: str, hint: str | None = None) -> PrototxtError:
    """The error for a value of another type than the field's."""
    came = came if len(came) <= _DIGITS else came[: _DIGITS - 3] + "..."
    return PrototxtError(f"{field} must be {field.wanted}, not {came or 'the end of the file'}", hint=hint)


def _integer(field: Field, text: str) -> int:
    low, high = _RANGES[field.type]
    value = _whole(text) if len(text) <= _DIGITS else None
    if value is None or not low <= value <= high:
        shown = text if value is not None else f"{text[: _DIGITS - 3]}..."
        raise PrototxtError(f"{field} must be a whole number from {low} to {high}, not {shown}")
    return value


def _whole(text: str) -> int:
    """A whole number as C writes it: hexadecimal after 0x, octal after 0."""
    digits = text.lstrip("-")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    return int(text, base)


def _float(field: Field, text: str) -> float:
    value = float(text.rstrip("fF"))
    if abs(value) >= _LARGEST[field.type]:
        raise PrototxtError(f"{field} must be a number its type can hold, not {text[:_DIGITS]}")
    return value


def _not_finite(field: Field, text: str, value: float) -> float:
    if field.owner in _STORED or (field.owner in _BOUNDS and math.isinf(value)):
        return value
    raise PrototxtError(f"{field} must be finite, not {text}")


def _enum_value(field: Field, enum: EnumDescriptor, kind: str, text: str) -> int:
    if kind == "name":
        known = enum.values_by_name.get(text)
        if known is not None:
            return int(known.number)
    elif kind == "number" and _INTEGER.fullmatch(text) and len(text) <= _DIGITS:
        number = _whole(text)
        if number in enum.values_by_number:
            return number
    hint = did_you_mean(text, enum.values_by_name) if kind == "name" else None
    raise wrong(field, text, hint)
