"""Registers of rules. A rule looks for one mistake; its docstring is its line in docs/check.md."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from brew.errors import Place

from .finding import Finding

T = TypeVar("T")
# When a run logs the warnings of a rule: as soon as there is a net, before a training begins, or never.
When: TypeAlias = Literal["net", "training", ""]


@dataclass(frozen=True, slots=True)
class Note:
    """A mistake that a rule has found, its place, and the remedy."""

    message: str
    place: Place | None
    hint: str


class Rules(Generic[T]):
    """Rules about things of one kind, by code."""

    def __init__(self) -> None:
        self._rules: dict[str, Callable[[T], Iterator[Note]]] = {}
        self._logged: dict[str, When] = {}

    def add(
        self, code: str, *, logged: When = ""
    ) -> Callable[[Callable[[T], Iterator[Note]]], Callable[[T], Iterator[Note]]]:
        """Decorator: register the function under `code`. `logged`: when a run warns of it, besides `brew check`."""

        def register(rule: Callable[[T], Iterator[Note]]) -> Callable[[T], Iterator[Note]]:
            if code in self._rules:
                raise ValueError(f"{code} is taken")
            self._rules[code] = rule
            self._logged[code] = logged
            return rule

        return register

    def findings(self, thing: T, file: str, *states: str) -> Iterator[Finding]:
        """The findings of all rules; `file` is the place of notes without one."""
        for code, rule in self._rules.items():
            for note in rule(thing):
                yield Finding("warning", code, note.message, note.place or Place(file), note.hint, states)

    def notes(self, thing: T, when: When) -> Iterator[tuple[str, list[Note]]]:
        """Code and notes of each rule that a run logs at that time and that has found something."""
        for code, rule in self._rules.items():
            if self._logged[code] == when and (found := list(rule(thing))):
                yield code, found

    def meanings(self) -> dict[str, str]:
        """By code, one line on its warning."""
        return {code: (inspect.getdoc(rule) or "").split("\n")[0] for code, rule in self._rules.items()}
