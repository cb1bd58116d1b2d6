"""Log records as lines on stderr: Caffe's (glog's) off a terminal, plain ones on it.

The library writes Caffe's sentences through `logging.getLogger("brew")`; records that stand for a line of Caffe's log
carry `extra={"glog": "solver.cpp:218"}`, the place glog would have named. Caffe's parse_log.py and
extract_seconds.py read month, day, time and text off such lines. A record is one line; one of several carries
`extra={"lines": True}`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TextIO

import click

from brew.plain_text import one_line, plain

from .output import fitting, silence

_LETTERS = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}


def _text(record: logging.LogRecord) -> str:
    """The message; a name in it makes no new line."""
    return (plain if hasattr(record, "lines") else one_line)(record.getMessage())


class GlogFormatter(logging.Formatter):
    """`I1121 01:02:03.123456   123 solver.cpp:218] message`, in local time, with the id of the calling thread.

    Every line of a message gets the stamp: parse_log.py gives up on a line without one.
    """

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created)
        letter = _LETTERS.get(record.levelno, "I")
        place = getattr(record, "glog", None) or f"{record.filename}:{record.lineno}"
        stamp = f"{letter}{when:%m%d %H:%M:%S.%f} {threading.get_native_id():5d} {place}] "
        return "\n".join(stamp + line for line in _text(record).split("\n"))


class TerminalFormatter(logging.Formatter):
    """The message alone; warnings and errors begin with their level."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = _text(record)
        if record.levelno < logging.WARNING:
            return message
        level = record.levelname.lower()
        if self.colour:
            level = click.style(level, fg="yellow" if level == "warning" else "red", bold=True)
        return f"{level}: {message}"


class OursOnly(logging.Filter):
    """Leaves Caffe's per-iteration and set-up lines to log files: on a terminal the live line says the same.

    Lines that the user has asked for by name (debug_info) are shown in any case.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        caffes = hasattr(record, "glog") and not hasattr(record, "asked_for")
        return record.levelno >= logging.WARNING or not caffes


def attach(*, terminal: bool, colour: bool, verbosity: int) -> logging.Handler:
    """Send brew's records to stderr; `verbosity` -1 shows warnings only, 0 the usual lines, 1 all of them.

    Replaces the handler of an earlier call, so that commands can run one after another in one process.
    """
    logger = logging.getLogger("brew")
    detach()
    handler = _Handler()
    handler.setFormatter(TerminalFormatter(colour=colour) if terminal else GlogFormatter())
    if terminal and verbosity < 1:
        handler.addFilter(OursOnly())
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
    return handler


def detach() -> None:
    """Take our handler off brew's logger; its records go on to the root logger again."""
    logger = logging.getLogger("brew")
    for handler in [h for h in logger.handlers if isinstance(h, _Handler)]:
        logger.removeHandler(handler)
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


@contextlib.contextmanager
def when_reader_goes(callback: Callable[[], None]) -> Iterator[None]:
    """A context in which a pipe whose reader has ended calls `callback`, once, and raises nothing.

    Later log lines are dropped.
    """
    handlers = [h for h in logging.getLogger("brew").handlers if isinstance(h, _Handler)]
    for handler in handlers:
        handler.reader_goes = callback
    try:
        yield
    finally:
        for handler in handlers:
            handler.reader_goes = None


class _Handler(logging.StreamHandler[TextIO]):
    """Brew's handler, told from others by its class. Writes to the present `sys.stderr`: the live line replaces it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.reader_goes: Callable[[], None] | None = None

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def format(self, record: logging.LogRecord) -> str:
        return fitting(super().format(record), self.stream)

    def handleError(self, record: logging.LogRecord) -> None:
        """A reader that has ended ends the command, as with any filter; a full disk under the log does not.

        A training handles it itself (`when_reader_goes`).
        """
        error = sys.exception()
        if isinstance(error, BrokenPipeError):
            if self.reader_goes is None:
                raise error
            silence(sys.stderr)
            self.reader_goes()
            return
        if not isinstance(error, OSError):
            super().handleError(record)
