"""Which way a pass goes where there are several: by a rule, or by timing the first iterations (docs/decisions/0005).

A pass is named by its key, a text with all that its time depends on. An implementation that can compute a pass in
several ways asks `way`; where the answer is None, it tries the ways in turn, reports each time to `timed`, and asks
again. Ways differ in rounding, so the decisions are stored in snapshots and replayed on resume.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from brew.files.cache import keep, read

log = logging.getLogger("brew")

_FOLDER = "choices"
_RUNS = 3  # of each way; the fastest counts, because other programs use the machine too


@dataclass(slots=True)
class _Open:
    """A pass without a decision: its ways, the rule's first, and the seconds that each has taken."""

    ways: tuple[str, ...]
    times: dict[str, list[float]] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        return all(len(self.times.get(way, ())) >= _RUNS for way in self.ways)

    def fastest(self) -> str:
        return min(self.ways, key=lambda way: min(self.times[way]))


class Choices:
    """The choices of one net.

    measured  decide by timing, where no decision is known; else by the rule
    machine   gives the name of the machine, for decisions kept across trainings; None: none are read or kept
    decided   the way of every pass that is decided
    """

    def __init__(
        self,
        *,
        measured: bool = False,
        machine: Callable[[], str] | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.measured, self.clock = measured, clock
        self._machine = machine  # called late: it loads oneDNN and LLVM
        self.decided: dict[str, str] = {}
        self._open: dict[str, _Open] = {}
        self._timed: dict[str, str] = {}  # decided by this net's times, and not yet kept
        self._known: Mapping[str, str] | None = None  # decisions kept on this machine
        self._told = False

    def way(self, key: str, ways: Sequence[str]) -> str | None:
        """The way of a pass, one of `ways`, the first by the rule; None where they are to be timed."""
        if self.decided.get(key) in ways:
            return self.decided[key]
        if not self.measured:
            return self._decide(key, ways[0])
        if self._known is None:
            self._known = _known(self._machine()) if self._machine else {}
        if self._known.get(key) in ways:
            log.debug("choice: %s: %s, as it was timed before", key, self._known[key])
            return self._decide(key, self._known[key])
        self._open.setdefault(key, _Open(tuple(ways)))
        return None

    def timed(self, key: str, way: str, seconds: float) -> None:
        """Note the seconds of a run of an open pass; the last run needed decides it."""
        timing = self._open.get(key)
        if timing is None:
            return
        timing.times.setdefault(way, []).append(seconds)
        if timing.enough:
            self._timed[key] = self._decide(key, timing.fastest())
            log.debug("choice: %s: %s, of %s", key, self._timed[key], timing.times)
            if not any(other.times for other in self._open.values()):
                self._tell()

    def decide(self) -> None:
        """Decide open passes by the rule: before a snapshot, so that a resumed training goes the same ways."""
        for key, timing in list(self._open.items()):
            log.debug("choice: %s: %s, by the rule: a snapshot came first", key, timing.ways[0])
            self._decide(key, timing.ways[0])
        if self._timed:
            self._tell()

    def replay(self, decided: Mapping[str, str]) -> None:
        """Go the ways of `decided` from now on; other passes are undecided again."""
        self.decided = dict(decided)
        self._open.clear()

    def _decide(self, key: str, way: str) -> str:
        self.decided[key] = way
        self._open.pop(key, None)
        return way

    def _tell(self) -> None:
        """All passes are timed: log it once, and keep the decisions for this machine."""
        if not self._told:
            counts = ", ".join(f"{n} {way}" for way, n in sorted(Counter(self._timed.values()).items()))
            log.info("Timed every way of %d kinds of passes; the fastest: %s.", len(self._timed), counts)
        self._told = True
        if self._machine:
            machine = self._machine()
            keep(_FOLDER, _file(machine), json.dumps({**_known(machine), **self._timed}, indent=0).encode())
        self._timed.clear()


# --- what the machine knows from earlier trainings --------------------------------------------------------------------


def _known(machine: str) -> dict[str, str]:
    content = read(_FOLDER, _file(machine))
    try:
        known = json.loads(content or b"{}")
    except ValueError as error:
        log.debug("choice: what was timed before cannot be read: %s", error)
        return {}
    return known if isinstance(known, dict) else {}


def _file(machine: str) -> str:
    return f"{machine}.json"
