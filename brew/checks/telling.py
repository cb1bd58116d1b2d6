"""What runs say of mistakes in nets: the rules of `brew check` that are told, in the log, each once."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

import numpy as np

from brew.graph import Graph
from brew.layer import TEST
from brew.net_source import NetSource

from . import parameter_rules, score_rules, start_rules
from .net_rules import NET_RULES
from .rules import Note, Told
from .view import EVERYTHING, View

if TYPE_CHECKING:
    from brew.net import Net

log = logging.getLogger("brew")

RULES = (parameter_rules, score_rules, start_rules)  # imported for the rules they register


def tell(
    source: NetSource, graph: Graph, when: Told = "net", *, loaded: Container[str] = EVERYTHING, decay: float = 0.0
) -> None:
    """Warn of what looks like a mistake in a net, one line for each rule; once for nets made of one text.

    `loaded` has the layers whose weights do not come from their fillers, `decay` is the solver's weight_decay.
    """
    state = "TEST" if source.state.phase == TEST else "TRAIN"
    view = View(state, source.state.phase, source.written, loaded, graph, decay)
    for code, notes in NET_RULES.notes(view, when):
        new = {f"{code} {note.place or note.message}": note for note in notes}
        new = {key: note for key, note in new.items() if key not in source.said}
        source.said.update(new)
        if new:
            _warn(code, list(new.values()))


def _warn(code: str, notes: Sequence[Note]) -> None:
    note = notes[0]
    where = f"{note.place}: " if note.place else ""
    more = f", and {len(notes) - 1} more like it" if notes[1:] else ""
    log.warning("%s%s%s (%s) [%s]", where, note.message, more, note.hint, code)


def tell_training(net: Net, decay: float) -> None:
    """The same of what counts when a training begins, with weights as they then are; nothing when it goes on."""
    if "training" in net.source.said:
        return
    net.source.said.add("training")
    tell(net.source, net.graph, "training", loaded=_Changed(net), decay=decay)


class _Changed:
    """The layers whose first parameter is no longer what a constant filler made of it."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._nodes = {node.layer.name: node for node in net.graph.nodes if node.params}

    def __contains__(self, name: object) -> bool:
        node = self._nodes.get(str(name))
        if node is None:
            return True
        declared, blob = self._net.graph.params[node.params[0]].declared, self._net.params[node.layer.name][0]
        filled = declared.filler.value if declared.filler is not None else 0.0
        return bool((blob.data_memory.host(blob.shape) != np.asarray(filled, self._net.dtype)).any())
