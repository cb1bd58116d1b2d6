"""The newest snapshot that is whole, from which `brew train --resume` goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from brew.errors import BrewError, WeightsError
from brew.files.weights import reading
from brew.files.weights.stored import StoredState

from . import snapshot


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that is whole: both files can be read, and the weights are those that the state names."""

    iteration: int
    state: Path
    weights: Path
    stored: StoredState


@dataclass(frozen=True, slots=True)
class Skipped:
    """A state that cannot be resumed from, and why."""

    state: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Newest:
    """The snapshot that `newest` found, None where none is whole, and the newer ones that are not."""

    found: Snapshot | None
    skipped: tuple[Skipped, ...]


def newest(prefix: str | Path) -> Newest:
    """The snapshot of the highest iteration under `prefix` that is whole, in either format.

    Of one iteration in both formats, the one written last. Reads all of its weights once.
    """
    skipped: list[Skipped] = []
    for state in state_files(prefix):
        try:
            return Newest(check(state), tuple(skipped))
        except (BrewError, OSError) as error:
            skipped.append(Skipped(state, str(error).removeprefix(f"{state}: ")))
    return Newest(None, tuple(skipped))


def check(state: str | Path) -> Snapshot:
    """The snapshot of a state file, read and verified; WeightsError when it is not whole.

    A state of Caffe's does not identify its weights: a weights file of its name has to exist.
    """
    stored = snapshot.read_state(state)
    found = snapshot.weights_of(stored, state)
    if found is None:
        raise WeightsError(f"{state}: names no weights")
    snapshot.average_of(stored, state)
    if stored.resume is None or not stored.resume.weights_sha256:
        reading.read(found)
    return Snapshot(stored.iter, Path(state), found, stored)


def state_files(prefix: str | Path, ending: str = "") -> list[Path]:
    """The files `<prefix>_iter_<N>.solverstate` and `.solverstate.h5`, the newest first; with `ending` behind them."""
    return [path for _, _, path in sorted(_state_files(prefix, ending), reverse=True)]


def iteration_of(state: Path) -> int:
    """N of a file that `state_files` returns."""
    return int(state.name.rpartition("_iter_")[2].partition(".")[0])


def _state_files(prefix: str | Path, ending: str) -> Iterator[tuple[int, int, Path]]:
    first = Path(f"{prefix}_iter_")
    name = re.compile(re.escape(first.name) + r"\d+\.solverstate(\.h5)?" + re.escape(ending))
    if first.parent.is_dir():
        for path in first.parent.iterdir():
            if name.fullmatch(path.name):
                yield iteration_of(path), path.stat().st_mtime_ns, path
