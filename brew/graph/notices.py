"""Notices that a net or a training is built: brew.checks logs its warnings of mistakes then (checks.run_warnings).

Nets and trainings give notice and know no rule; a notice calls its listeners. checks.run_warnings, which adds them, is
imported with the first notice.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from .definition import NetDefinition, SelectedNet
    from .graph import Graph

P = ParamSpec("P")

_LISTENERS = "brew.checks.run_warnings"


class Notice(Generic[P]):
    """Calling it calls all its listeners with the same arguments."""

    def __init__(self) -> None:
        self._listeners: list[Callable[P, None]] = []

    def listener(self, function: Callable[P, None]) -> Callable[P, None]:
        """Decorator: call `function` with every such notice."""
        self._listeners.append(function)
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        importlib.import_module(_LISTENERS)
        for listener in self._listeners:
            listener(*args, **kwargs)


# A net's graph stands, as it is written.
net_built: Notice[[SelectedNet, Graph]] = Notice()
# A training's nets stand: the train net and the test nets, and what all of them are made of.
training_built: Notice[[Sequence[tuple[SelectedNet, Graph]], Sequence[NetDefinition]]] = Notice()
# A solver begins to step: its train net, the layers whose weights a constant filler has not made, and the weight_decay.
training_begins: Notice[[SelectedNet, Graph, Container[str], float]] = Notice()
