"""A finding: an error that would stop Brew, or a warning of something allowed that looks like a mistake."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from brew.errors import BrewError, Place

_MOST_ALIKE = 3  # findings of one file with the same message; of more, the first stands for all
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake, its place, and the remedy.

    `code` is an error's own (brew.errors) or a warning's (docs/check.md). `states` names the states of the net it was
    found in, such as "TRAIN"; none where it does not depend on one.
    """

    severity: Literal["error", "warning"]
    code: str
    message: str
    place: Place
    hint: str | None = None
    states: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: BrewError, file: str, *states: str) -> Finding:
        """The finding for an error that was raised about `file`."""
        return cls("error", error.code, error.message, error.place or Place(file), error.hint, states)

    def as_dict(self) -> dict[str, object]:
        """The finding for programs; line and column are 0 where it is about the whole file."""
        file, line, column = self.place.file, self.place.line, self.place.column
        return {
            "file": file, "line": line, "column": column, "severity": self.severity, "code": self.code,
            "message": self.message, "remedy": self.hint, "states": list(self.states),
        }  # fmt: skip

    def __str__(self) -> str:
        where = f" (in {' and '.join(self.states)})" if self.states else ""
        return f"{self.place}: {self.severity} {self.code}: {self.message}{where}"


def merged(findings: Iterable[Finding], files: Iterable[str] = ()) -> list[Finding]:
    """Findings of several states, those that differ only in numbers (a batch size) merged into one.

    They come by file, `files` first, and by line.
    """
    first: dict[object, Finding] = {}
    for finding in findings:
        key = finding.code, finding.place, _NUMBER.sub("0", finding.message)
        known = first.setdefault(key, finding)
        states = dict.fromkeys([*known.states, *finding.states])
        first[key] = replace(known, states=tuple(states))
    ordered = list(dict.fromkeys([*files, *(finding.place.file for finding in first.values())]))
    return sorted(first.values(), key=lambda f: (ordered.index(f.place.file), f.place.line, f.place.column))


def folded(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings as they are printed: many with one message about one file are folded into one with their number."""
    worded = [((f.place.file, f.code, f.message, f.hint, f.states), f) for f in findings]
    alike = Counter(words for words, _ in worded)
    said = set()
    for words, finding in worded:
        if alike[words] <= _MOST_ALIKE:
            yield finding
        elif words not in said:
            said.add(words)
            yield replace(finding, message=f"{finding.message} (and {alike[words] - 1} more like it)")
