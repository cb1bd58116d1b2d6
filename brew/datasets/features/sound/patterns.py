"""What the names of files say: "{label}_{speaker}_{index}.wav", and which of them are for test."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brew.datasets.features.options import Options
from brew.datasets.sources.items import Part
from brew.errors import UsageError

_FIELD = re.compile(r"\{(\w*)\}")
_RANGE = re.compile(r"(\d+)-(\d+)")
_MOST = 1_000_000  # numbers in a range


class Pattern:
    """A pattern of names; a field is in braces, and stands for one or more characters, but for "/".

    UsageError for what is no pattern.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields = tuple(name for name in _FIELD.findall(text) if name)
        rest = _FIELD.sub("", text)
        if not self.fields or len(set(self.fields)) < len(self.fields) or "{" in rest or "}" in rest:
            raise UsageError(
                f'--set pattern={text}: fields in braces are expected, each once: "{{label}}_{{speaker}}.wav"'
            )
        pieces = _FIELD.split(text)  # text, field, text, ..., text
        body = "".join(
            re.escape(piece) if number % 2 == 0 else f"(?P<{piece}>[^/]+?)" if piece else "[^/]+?"
            for number, piece in enumerate(pieces)
        )
        ending = "" if re.search(r"\.\w+$", text) else r"(\.\w+)?"
        self._regex = re.compile(rf"(?:.*/)?{body}{ending}", re.DOTALL)

    def fields_of(self, name: str) -> dict[str, str] | None:
        """The fields of the name of a file, which may have folders before it; None where it is another name."""
        match = self._regex.fullmatch(name)
        return None if match is None else {field: match[field] for field in self.fields}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which names are in a part: those whose `field` has one of `values`."""

    part: Part
    field: str
    values: frozenset[str]

    def takes(self, fields: Mapping[str, str]) -> bool:
        """Whether a name with these fields is in the part; numbers agree by value."""
        value = fields[self.field]
        return value in self.values or (value.isdecimal() and str(int(value)) in self.values)


def selections(options: Options, known: Sequence[str]) -> tuple[Selection, ...]:
    """What the options `test` and `val` select by: FIELD:VALUES, values with commas, numbers also as 0-4."""
    parts: tuple[Part, ...] = ("test", "val")
    return tuple(_selection(part, text, options, known) for part in parts if (text := options.text(part)) is not None)


def _selection(part: Part, text: str, options: Options, known: Sequence[str]) -> Selection:
    field, colon, values = text.partition(":")
    if not colon or not values:
        raise options.wrong(part, "FIELD:VALUES, as index:0-4 or speaker:ann,bob,")
    if field not in known:
        raise options.wrong(part, f"one of the fields {', '.join(known) or '(there are none)'}")
    found: set[str] = set()
    for value in filter(None, (value.strip() for value in values.split(","))):
        match = _RANGE.fullmatch(value)
        if match is None:
            found.add(value)
        elif int(match[2]) - int(match[1]) not in range(_MOST):
            raise options.wrong(part, "a range of numbers that rises")
        else:
            found |= {str(number) for number in range(int(match[1]), int(match[2]) + 1)}
    return Selection(part, field, frozenset(found))
