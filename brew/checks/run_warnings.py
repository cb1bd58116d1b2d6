"""Warnings that runs log of mistakes in nets and their data, of those that `brew check` finds, each once."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Sequence

from brew.graph import notices
from brew.graph.definition import NetDefinition, SelectedNet
from brew.graph.graph import Graph
from brew.graph.states import filter_layers, merged_state
from brew.layer import TEST

from .all_net_rules import NET_RULES
from .rules import Note, When
from .view import EVERYTHING, View

log = logging.getLogger("brew")


@notices.net_built.listener
def warn_of_net(source: SelectedNet, graph: Graph) -> None:
    """Warn of likely mistakes in a net as soon as its graph is built."""
    _apply_rules(source, graph, "net")


@notices.training_begins.listener
def warn_of_start(source: SelectedNet, graph: Graph, loaded: Container[str], decay: float) -> None:
    """The same when a training begins, with the weights as they are then; nothing in a resumed training.

    `loaded` has the layers whose weights do not come from their fillers, `decay` is the solver's weight_decay.
    """
    if "training" not in source.said:
        source.said.add("training")
        _apply_rules(source, graph, "training", loaded, decay)


def _apply_rules(
    source: SelectedNet, graph: Graph, when: When, loaded: Container[str] = EVERYTHING, decay: float = 0.0
) -> None:
    """One line for each rule; once for nets made of one text."""
    state = "TEST" if source.state.phase == TEST else "TRAIN"
    view = View(state, source.state.phase, source.written, loaded, graph, decay)
    for code, notes in NET_RULES.notes(view, when):
        new = {f"{code} {note.place or note.message}": note for note in notes}
        new = {key: note for key, note in new.items() if key not in source.said}
        source.said.update(new)
        if new:
            _warn(code, list(new.values()))


def _warn(code: str, notes: Sequence[Note]) -> None:
    more = f", and {len(notes) - 1} more like it" if notes[1:] else ""
    log.warning("%s [%s]", _line(notes[0], more), code)


def _line(note: Note, more: str = "") -> str:
    where = f"{note.place}: " if note.place else ""
    return f"{where}{note.message}{more} ({note.hint})"


# --- the data of a training -----------------------------------------------------------------------------------------


@notices.training_built.listener
def warn_of_data(nets: Sequence[tuple[SelectedNet, Graph]], definitions: Sequence[NetDefinition]) -> None:
    """Warnings about the data of a train net and its test nets, the first of `nets` and the others.

    `definitions` are what they are made of.
    """
    from . import data_rules, label_rules  # not loaded by programs that train nothing

    label_rules.warn((graph, source.state.phase) for source, graph in nets)
    views = [View(str(number), source.state.phase, source.layers, used=True) for number, (source, _) in enumerate(nets)]
    for note in data_rules.same_source(views):
        log.warning("%s", _line(note))
    if len(nets) == 1:
        for line in dict.fromkeys(line for definition in definitions for line in _no_test_data(definition)):
            log.warning("%s", line)


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
