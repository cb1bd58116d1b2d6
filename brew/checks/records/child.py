"""The child process of `brew data check`: reads what may kill it, and writes a line before and after every record.

In: one JSON object on stdin, the sources and their limits. Out, on stdout, JSON lists: ["kind", kind, total],
["at", record], ["measures", those of some rows], ["fine", shape, lowest label, highest label, counts of labels,
measures], ["bad", reason], ["no mean", why], ["unusable", problem], ["end"], and ["failed", traceback] for a mistake of
ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from brew.errors import BrewError, DataError

from .check import Limits, as_problem
from .measures import Fact, Measurer
from .walks import walk

_AT_ONCE = 500  # rows whose measures are one line


def main() -> None:
    """Check the sources of stdin in turn."""
    task = json.load(sys.stdin)
    limits = Limits(**{**task["limits"], "tops": tuple(task["limits"]["tops"])})
    out = _Lines(os.dup(1))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # so that libraries cannot print to it
    _limit_memory(limits.memory)
    try:
        for number, source in enumerate(task["sources"]):
            _clock(limits.timeout)
            _check(source, task["start"] if number == 0 else 0, limits, out)
    except BrokenPipeError:
        return
    except Exception:
        out.say("failed", traceback.format_exc())
    out.flush()


class _Lines:
    """Lines for the parent. They leave before a record is touched, so that the parent knows it whatever happens."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._held: list[str] = []

    def say(self, *message: Any) -> None:
        self._held.append(json.dumps(message))

    def flush(self) -> None:
        data = "".join(line + "\n" for line in self._held).encode()
        self._held.clear()
        while data:
            data = data[os.write(self._file, data) :]


def _check(source: str, start: int, limits: Limits, out: _Lines) -> None:
    try:
        measurer = Measurer(limits)
        found = walk(Path(source), start, limits, measurer)
        out.say("kind", found.kind, found.total)
        for record, look in found.records:
            out.say("at", record)
            out.flush()
            _clock(limits.timeout)
            try:
                fact = look()
            except BrewError as error:
                out.say("bad", f"{error.message} ({error.hint})" if error.hint else error.message)
            except MemoryError:
                out.say("bad", f"it needs more than the {limits.memory >> 20} MiB of memory it may have")
            else:
                _tell(fact, limits, out)
            out.flush()
        if (why := measurer.finish(whole=start == 0)) is not None:
            out.say("no mean", why)
    except BrewError as error:
        out.say("unusable", as_problem(error))
    except MemoryError:
        out.say("unusable", f"it needs more than the {limits.memory >> 20} MiB of memory it may have")
    except OSError as error:
        out.say("unusable", as_problem(DataError(f"it cannot be read: {error}")))
    out.say("end")
    out.flush()


def _tell(fact: Fact, limits: Limits, out: _Lines) -> None:
    """What is known of a record, or of a dataset; the measures of many rows in several lines."""
    strange = _strange_labels(fact, limits)
    if strange:
        out.say("bad", strange)
        return
    measures = fact.measures
    while len(measures) > _AT_ONCE:
        out.say("measures", measures[:_AT_ONCE])
        out.flush()
        measures = measures[_AT_ONCE:]
    out.say("fine", fact.shape, fact.low, fact.high, list(fact.classes.items()), measures)


def _strange_labels(fact: Fact, limits: Limits) -> str | None:
    """The mistake in the labels of a record or a dataset, if any."""
    low, high, classes = fact.low, fact.high, limits.classes
    if classes is None or low is None or high is None or 0 <= low <= high < classes:
        return None
    if (
        limits.ignored is not None
        and fact.classes
        and all(0 <= n < classes or n == limits.ignored for n in fact.classes)
    ):
        return None
    labels = f"label {low}" if low == high else f"labels {low} to {high}"
    return f"{labels}: 0 to {classes - 1} are allowed"


def _clock(seconds: float) -> None:
    """Die by SIGALRM in so many seconds, even within a library that never comes back."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory(size: int) -> None:
    """`size` bytes more than now; where the system has no such limit, none. And no core files."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        import h5py
        import lmdb
        import PIL.Image

        del h5py, lmdb, PIL  # imported before the limit holds
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = Path("/proc/self/status").read_text()
        used = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (used + size, used + size))


if __name__ == "__main__":
    main()
