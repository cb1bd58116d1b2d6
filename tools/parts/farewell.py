"""The last line of a training: the file of its weights, and a command for the next step."""

from __future__ import annotations

import logging
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brew.proto.brew_pb2 import SolverParameter
    from brew.solver.training.events import Event

_log = logging.getLogger("brew")


class Farewell:
    """Remembers the last snapshot of the training by the file `solver`, and prints a command that uses it.

    Caffe's parse_log.sh reads the lines with "Iteration " or ", loss = " in them; in these there is neither.
    """

    def __init__(self, solver: str, param: SolverParameter) -> None:
        self.solver = solver
        self.net = param.net or param.train_net
        self.weights = self.state = ""

    def __call__(self, event: Event) -> None:
        from brew.solver.training.events import Snapshotted

        if isinstance(event, Snapshotted):
            self.weights, self.state = str(event.weights), str(event.state)

    def say(self, *, done: bool) -> None:
        """One line, where there is a snapshot."""
        if not self.weights:
            return
        quoted = shlex.quote
        if not done:
            following = f"brew train {quoted(self.solver)} --snapshot {quoted(self.state)} goes on from there"
        elif self.net:
            following = f"brew test --model {quoted(self.net)} --weights {quoted(self.weights)} scores them"
        else:
            following = f"brew deploy {quoted(self.solver)} deploy.prototxt makes the net to use"
        _log.info("The weights are in %s; %s.", self.weights, following)
