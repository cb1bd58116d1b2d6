"""`brew data check`: every record of a source read once, in a child process.

LMDB and HDF5 trust their files: a damaged one can kill its reader (SIGSEGV, SIGBUS), keep it busy for ever, or ask
for all the memory there is. None of it reaches this process: the child has a limit on memory and a clock that kills
it, and the reason of its death becomes a bad record.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias

from brew.errors import BrewError

from .facts import Facts

Progress: TypeAlias = Callable[[str, int, int | None], None]

_DEATHS = 100  # of one image list, after which the rest is not read
_STEP = 200  # records between two calls of the progress


class CheckFailed(RuntimeError):
    """A mistake of Brew's own in the child; the text is its traceback."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`classes`: labels must be from 0 to classes - 1 (None: any). `root` is the prefix of names in an image list
    (None: the folder in which they are found). `tops` are the datasets wanted of HDF5 files (none: all). `timeout`:
    seconds a record may take. `memory`: bytes the child may allocate. `ignored`: a label that is allowed, too.
    `compare`: hashes are made, by which records are compared. `mean`: the file (.npy) that gets the mean image."""

    classes: int | None = None
    root: str | None = None
    tops: tuple[str, ...] = ()
    timeout: float = 60.0
    memory: int = 4 << 30
    ignored: int | None = None
    compare: bool = False
    mean: str | None = None


@dataclass(frozen=True, slots=True)
class BadRecord:
    """The record's key, path or dataset, and the reason that it is bad."""

    record: str
    reason: str


@dataclass(slots=True)
class Report:
    """The results for one source. `bad` counts all bad records, `bad_records` holds the first of them.

    `kind` is "LMDB", "LEVELDB", "HDF5" or "images", "" where that could not be told; `shapes` counts records by
    shape; `labels` are the lowest and the highest; `facts` what was measured of good records. `problem` says why the
    source cannot be read (to its end).
    """

    source: str
    kind: str = ""
    total: int | None = None
    checked: int = 0
    bad: int = 0
    bad_records: list[BadRecord] = field(default_factory=list)
    shapes: Counter[str] = field(default_factory=Counter)
    labels: tuple[int, int] | None = None
    facts: Facts = field(default_factory=Facts)
    problem: str | None = None

    @property
    def usable(self) -> bool:
        return self.problem is None


def check(
    sources: Sequence[str], limits: Limits = Limits(), *, listed: int = 20, progress: Progress | None = None
) -> Iterator[Report]:
    """A report for each of `sources` (folders of LMDB or LevelDB, HDF5 files and lists of them, lists of images).

    At most `listed` bad records of a source are kept. Raises CheckFailed for a bug in Brew.
    """
    waiting = [_Pending(Report(source)) for source in sources]
    while waiting:
        with tempfile.TemporaryFile() as errors, _Child(waiting, limits, errors) as child:
            yield from child.reports(listed, progress)
        if waiting and not child.survives(waiting[0], limits, listed):
            yield waiting.pop(0).report


@dataclass(slots=True)
class _Pending:
    """An unfinished report: where it goes on, and the record that the child is reading."""

    report: Report
    start: int = 0
    deaths: int = 0
    record: str | None = None
    behind: str | None = None

    def hear(self, message: list[Any], listed: int) -> None:
        """Take over one line of the child."""
        report = self.report
        match message:
            case ["kind", kind, total]:
                report.kind, report.total = kind, total
            case ["at", record]:
                self.record = record
            case ["fine", shape, low, high, classes, measures]:
                report.shapes[shape] += 1
                report.facts.add(self.record or "", classes, measures)
                if low is not None:
                    report.labels = min(low, (report.labels or (low,))[0]), max(high, (report.labels or (0, high))[1])
                self._done()
            case ["bad", reason]:
                self.blame(reason, listed)
            case ["measures", measures]:
                report.facts.add("", (), measures)
            case ["no mean", why]:
                report.facts.no_mean = why
            case ["unusable", problem]:
                report.problem = problem

    def blame(self, reason: str, listed: int) -> None:
        """Count the record at hand as bad."""
        self.report.bad += 1
        if len(self.report.bad_records) < listed:
            self.report.bad_records.append(BadRecord(self.record or "", reason))
        self._done()

    def _done(self) -> None:
        self.report.checked += 1
        self.behind, self.record = self.record, None


class _Child:
    """A process that reads the sources in `waiting` and takes finished ones from it; its stderr goes to `errors`."""

    def __init__(self, waiting: list[_Pending], limits: Limits, errors: IO[bytes]) -> None:
        self._waiting = waiting
        self._errors = errors
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "brew.checks.records.child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=_environment(),
        )  # fmt: skip
        task = {"sources": [p.report.source for p in waiting], "start": waiting[0].start, "limits": asdict(limits)}
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write(json.dumps(task).encode())

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def reports(self, listed: int, progress: Progress | None) -> Iterator[Report]:
        """The finished reports; afterwards the first one waiting, if any, is the one the child died of."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message[0] == "failed":
                raise CheckFailed(f"{self._waiting[0].report.source}: {message[1]}")
            pending = self._waiting[0]
            report = pending.report
            if message[0] != "end":
                pending.hear(message, listed)
            if progress is not None and (message[0] == "end" or report.checked % _STEP == 0):
                progress(report.source, report.checked, report.total)
            if message[0] == "end":
                yield self._waiting.pop(0).report
        self.code = self._process.wait()
        self._errors.seek(0)
        self._said = self._errors.read()[-2000:].decode(errors="replace").strip()

    def survives(self, pending: _Pending, limits: Limits, listed: int) -> bool:
        """Whether the source can be read on behind the record that killed the child."""
        if self.code >= 0:  # it ended by itself without an answer
            raise CheckFailed(f"{pending.report.source}: the child ended with exit code {self.code}: {self._said}")
        report = pending.report
        how = f"reading it kills the process that reads ({_signal_name(-self.code)})"
        if self.code == -getattr(signal, "SIGALRM", 0):
            how = f"reading it took more than {limits.timeout:g} seconds"
        if report.kind == "images" and pending.record is not None and pending.deaths < _DEATHS:
            pending.blame(how, listed)
            pending.deaths += 1
            pending.start = report.checked
            return True
        where = f"record {pending.record!r}: " if pending.record is not None else ""
        where = where or (f"behind record {pending.behind!r}: " if pending.behind is not None else "")
        last = self._said.splitlines()[-1:]
        report.problem = f"{where}{how}" + (f": {last[0]}" if last else "")
        return False


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _environment() -> dict[str, str]:
    """The child's environment: this very Brew, one thread for BLAS, and no HDF5 filters from the machine's folders."""
    here = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}


def as_problem(error: BrewError) -> str:
    """An error's text for a report: with its place, without its hint."""
    return f"{error.place}: {error.message}" if error.place else error.message
