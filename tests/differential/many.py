"""Many random nets, in several processes; a module of its own, which their children can import."""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import files, grammar, ways
from .ways import Checked

Task = tuple[int, int, int, int]


def checked(
    seed: int, numbers: Iterable[int], *, more: int, length: int, jobs: int
) -> Iterator[tuple[int, Checked, float]]:
    """(number, what came of it, seconds) of each net, in order."""
    tasks = [(seed, number, more, length) for number in numbers]
    if jobs == 1:
        _begin()
        yield from map(_check, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _begin) as pool:
        yield from pool.imap(_check, tasks, chunksize=4)


def _begin() -> None:
    logging.getLogger("brew").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="differential"))
    files.write(folder)
    os.chdir(folder)


def _check(task: Task) -> tuple[int, Checked, float]:
    seed, number, more, length = task
    began = time.perf_counter()
    case = grammar.make(seed, number, length)
    return number, ways.check(case, ways.drawn(case, more)), time.perf_counter() - began
