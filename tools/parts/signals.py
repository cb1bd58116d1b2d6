"""The effect of SIGINT, SIGHUP and SIGTERM on a training: stop, snapshot, or nothing; a log without a reader stops it.

A handler only leaves a request with the solver, which acts on it after the present iteration. A second SIGINT or
SIGTERM does not wait for that, nor for threads that hang.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from .log import when_reader_goes

_log = logging.getLogger("brew")
_PATIENCE = 5.0  # seconds from the second signal on
EFFECTS = ("stop", "snapshot", "none")


class Requestable(Protocol):
    """The receiver of requests: a Solver."""

    def request(self, action: str) -> None: ...


@dataclass
class Signals:
    """The signal that ended the run, if any, and whether the reader of its log has ended."""

    solver: Requestable
    effects: dict[int, str]
    own_process: bool = False  # a second signal may end it, whatever hangs
    stopped_by: int | None = None
    reader_gone: bool = False

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal that stopped the run, as shells count; 1 where its log had no reader."""
        return 128 + self.stopped_by if self.stopped_by is not None else int(self.reader_gone)

    def lose_reader(self) -> None:
        """Stop as for SIGTERM, with a snapshot, though its log line reaches no reader."""
        self.reader_gone = True
        self.solver.request("stop")

    def handle(self, number: int, _: FrameType | None) -> None:
        effect = self.effects[number]
        if number in (signal.SIGINT, signal.SIGTERM) and self.stopped_by is not None:
            if self.own_process:
                _end_soon(128 + self.stopped_by)
            raise KeyboardInterrupt
        if effect == "none" or self.stopped_by is not None:
            return
        if effect == "stop":
            self.stopped_by = number
            # A line written here might interrupt one that is half written.
            with suppress(RuntimeError):  # there is no room for a thread
                threading.Thread(target=_say_stopping, args=(number,), daemon=True).start()
        self.solver.request(effect)


def _end_soon(code: int) -> None:
    """End the process in any case: a thread that hangs in a read would keep it for ever, at the exit too."""
    with suppress(RuntimeError):
        timer = threading.Timer(_PATIENCE, os._exit, (code,))
        timer.daemon = True
        timer.start()


def _say_stopping(number: int) -> None:
    """Say that the signal has arrived: a long iteration may follow."""
    again = "Ctrl-C again" if number == signal.SIGINT else "Ctrl-C"
    _log.info("stopping after this pass (%s stops at once)", again)


@contextmanager
def handled(solver: Requestable, sigint: str, sighup: str, *, own_process: bool) -> Iterator[Signals]:
    """Send signals to `solver` for the length of a `with`; SIGTERM always snapshots and stops.

    A second SIGINT or SIGTERM raises KeyboardInterrupt, and ends the process after seconds where that is the solver's
    own.
    """
    effects: dict[int, str] = {signal.SIGINT: sigint, signal.SIGTERM: "stop"}
    if hasattr(signal, "SIGHUP"):
        effects[signal.SIGHUP] = sighup
    signals = Signals(solver, effects, own_process)
    before: dict[int, Any] = {number: signal.signal(number, signals.handle) for number in effects}
    try:
        with when_reader_goes(signals.lose_reader):
            yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
