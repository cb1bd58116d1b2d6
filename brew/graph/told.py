"""The moments of a run at which brew.checks warns, in the log, of mistakes in its nets.

Nets and trainings announce a moment and know no rule; the functions registered with `teller` are called. brew.checks,
which registers them, is imported with the first net.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from .definition import NetDefinition, NetSource
    from .graph import Graph

P = ParamSpec("P")

_RULES = "brew.checks.telling"


class Moment(Generic[P]):
    """Calling it calls all functions that were registered for it with `teller`, with the same arguments."""

    def __init__(self) -> None:
        self._tellers: list[Callable[P, None]] = []

    def teller(self, function: Callable[P, None]) -> Callable[P, None]:
        """Decorator: call `function` at every such moment."""
        self._tellers.append(function)
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        importlib.import_module(_RULES)
        for tell in self._tellers:
            tell(*args, **kwargs)


# A net's graph stands, as it is written.
net_built: Moment[[NetSource, Graph]] = Moment()
# A training's nets stand: the train net and the test nets, and what all of them are made of.
training_built: Moment[[Sequence[tuple[NetSource, Graph]], Sequence[NetDefinition]]] = Moment()
# The first step of a train net: the layers whose weights are not what their fillers make, and the weight_decay.
training_begins: Moment[[NetSource, Graph, Container[str], float]] = Moment()
