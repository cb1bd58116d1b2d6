"""Nets in a child made by fork: the thread that came through has lost OpenMP's threads, and does not know.

libgomp keeps a team for each thread that ever ran one. In the child the team's threads are not there, and the thread
that forked would wait for them for ever. Another thread gets a team of its own: what would run on OpenMP is handed to
one. multiprocessing forks by default up to Python 3.13.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import threads

log = logging.getLogger("brew")


class Inherited:
    """`thread`: the one that came through a fork with a team, by its number; None in nearly every process."""

    thread: int | None = None
    beside: ThreadPoolExecutor | None = None


def run(call: Callable[..., Any], *arguments: Any) -> Any:
    """`call(*arguments)`, which runs on OpenMP, on a thread that can; asked only where `Inherited.thread` is set."""
    if threading.get_ident() != Inherited.thread:
        return call(*arguments)
    if Inherited.beside is None:
        Inherited.beside = ThreadPoolExecutor(1, "brew-after-fork")
        log.debug("made by fork after nets ran: they run on a thread of their own here")
    return Inherited.beside.submit(call, *arguments).result()


def _note() -> None:
    """In the child: what a thread beside did for its parent is gone too."""
    if threads.has_openmp_team():
        Inherited.thread = threading.get_ident()
    Inherited.beside = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
