"""What SIGINT, SIGHUP and SIGTERM do to a training: stop, snapshot, or nothing.

A handler only leaves a request with the solver, which honours it after the iteration at hand. A SIGINT that comes
while the solver is asked to stop does not wait for that.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

EFFECTS = ("stop", "snapshot", "none")


class Requestable(Protocol):
    """What takes the requests: a Solver."""

    def request(self, action: str) -> None: ...


@dataclass
class Signals:
    """Which signal ended the run, if one did."""

    solver: Requestable
    effects: dict[int, str]
    stopped_by: int | None = None

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal that stopped the run, as shells count; 0 where none did."""
        return 128 + self.stopped_by if self.stopped_by is not None else 0

    def handle(self, number: int, _: FrameType | None) -> None:
        effect = self.effects[number]
        if number == signal.SIGINT and self.stopped_by is not None:
            raise KeyboardInterrupt
        if effect == "none" or self.stopped_by is not None:
            return
        if effect == "stop":
            self.stopped_by = number
        self.solver.request(effect)


@contextmanager
def handled(solver: Requestable, sigint: str, sighup: str) -> Iterator[Signals]:
    """Send signals to `solver` for the length of a `with`; SIGTERM always snapshots and stops."""
    effects: dict[int, str] = {signal.SIGINT: sigint, signal.SIGTERM: "stop"}
    if hasattr(signal, "SIGHUP"):
        effects[signal.SIGHUP] = sighup
    signals = Signals(solver, effects)
    before: dict[int, Any] = {number: signal.signal(number, signals.handle) for number in effects}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
