"""What a training has to say about its data before it begins; `brew check` finds the same, and more."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from brew.layer import TEST
from brew.net_source import NetDefinition
from brew.net_state import filter_layers, merged_state

if TYPE_CHECKING:
    from brew.checks.rules import Note
    from brew.net import Net

log = logging.getLogger("brew")


def tell(nets: Sequence[Net], definitions: Iterable[NetDefinition]) -> None:
    """Warnings about the data of a train net and its test nets, the first of `nets` and the others.

    `definitions` are what they are made of.
    """
    from brew.checks import data_rules, label_rules  # a program that trains nothing does without
    from brew.checks.view import View

    label_rules.tell((net.graph, net.phase) for net in nets)
    views = [View(str(number), net.phase, net.source.layers, used=True) for number, net in enumerate(nets)]
    for note in data_rules.same_source(views):
        log.warning("%s", _line(note))
    if len(nets) == 1:
        for line in dict.fromkeys(line for definition in definitions for line in _no_test_data(definition)):
            log.warning("%s", line)


def _line(note: Note) -> str:
    return f"{note.place}: {note.message} ({note.hint})" if note.place else f"{note.message} ({note.hint})"


def _no_test_data(definition: NetDefinition) -> Iterator[str]:
    """A net with layers for TEST, and rules that leave TEST without data."""
    state = merged_state(TEST, definition.net.shell.state)
    there = filter_layers(definition.net.layers, state) if state.phase == TEST else []
    meant = [source for source in there if any(rule.phase == TEST for rule in source.param.include)]
    if meant and all(source.param.bottom for source in there):
        name, place = meant[0].param.name, meant[0].place()
        where = f"{place}: " if place else ""
        yield (
            f'{where}layer "{name}" ({meant[0].param.type}) is for TEST, where no layer makes data: this net cannot be '
            "tested (a data layer with include { phase: TEST })"
        )
