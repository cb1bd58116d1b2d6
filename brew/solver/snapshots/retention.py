"""How many snapshots stay on disk (`keep`): older ones of the run go once a new one is known to be good."""

from __future__ import annotations

import logging
from pathlib import Path

from brew.errors import BrewError
from brew.files.atomic import old_name, reason

from . import latest, snapshot
from .snapshot import SnapshotPaths

log = logging.getLogger("brew")


def prune(prefix: str | Path, keep: int, written: Path) -> list[Path]:
    """Delete the run's snapshots under `prefix` but the newest `keep` (0: none); returns the deleted states.

    `written` is the state of the snapshot that was just taken; it counts as one. It is read back first: where it
    cannot be, nothing is deleted. Only snapshots of this run, or of one that it resumed from, are deleted: both files
    named `<prefix>_iter_<N>`, N not above that of `written`, the state with the same seed in Brew's own record. So
    Caffe's snapshots, other trainings' and the best weights (`<prefix>_best`) stay. A failure is a warning.
    """
    if keep < 1:
        return []
    try:
        new = latest.check(written)
    except (BrewError, OSError) as error:
        log.warning("no older snapshot is deleted, because the new one cannot be read back: %s", error)
        return []
    run = _seed(written)
    ours = [s for s in latest.state_files(prefix) if latest.iteration_of(s) <= new.iteration and s != written]
    ours = [s for s in ours if run is not None and _seed(s) == run]
    for old in latest.state_files(prefix, ".old"):
        if run is not None and _seed(old) == run:
            _finish(snapshot.of_state(old.with_suffix("")))
    whole = [s for s in ours if snapshot.of_state(s).weights.is_file()]
    return [state for state in ours if state not in whole[: keep - 1] and _delete(snapshot.of_state(state))]


def _seed(state: Path) -> int | None:
    """The seed, which identifies a run; None for a state that is not Brew's or cannot be read."""
    try:
        resume = snapshot.read_state(state).resume
    except (BrewError, OSError):
        return None
    return resume.random_seed if resume is not None and resume.HasField("random_seed") else None


def _delete(files: SnapshotPaths) -> bool:
    """Rename the state, so that every state on disk is whole; it is deleted last, because it names the other files."""
    try:
        files.state.replace(old_name(files.state))
    except OSError as error:
        log.warning("%s stays, it cannot be deleted: %s", files.state, reason(error))
        return False
    _finish(files)
    log.info("Deleted the snapshot %s: keep says how many stay", files.state)
    return True


def _finish(files: SnapshotPaths) -> None:
    """Delete the files of a renamed state, unless they have been written anew since."""
    rest = () if files.state.exists() else (files.average, files.weights)
    try:
        for path in (*rest, *map(old_name, rest), old_name(files.state)):
            path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("files of %s stay, they cannot be deleted: %s", files.state, reason(error))
