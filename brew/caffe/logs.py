"""pycaffe's `init_log` and `log`, on the logger that all of Brew writes to."""

from __future__ import annotations

import logging
import os
import sys

_log = logging.getLogger("brew")
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)  # glog's 0 to 3


def init_log(level: int = 0, stderr: bool = False) -> None:
    """Show log lines from `level` on: 0 all, 1 warnings, 2 errors, 3 nothing but the fatal.

    They go to stderr, wherever `stderr` says: Brew writes no log files. Handlers that the program has set stay.
    """
    _log.setLevel(_LEVELS[min(max(int(level), 0), 3)])
    if not _log.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        _log.addHandler(handler)


def log(message: str) -> None:
    """Write a line to the log."""
    _log.info("%s", message, stacklevel=2)


def heed_environment() -> None:
    """GLOG_minloglevel, which scripts set before they import caffe, holds here too."""
    level = os.environ.get("GLOG_minloglevel", "")  # noqa: SIM112 that is how glog spells it
    if level.isdigit() and int(level):
        _log.setLevel(_LEVELS[min(int(level), 3)])
