"""metrics.jsonl: a training in numbers, one JSON object a line, for programs (docs/logs.md has the fields).

A line stands for a display, a test, a snapshot or the end. A resumed training replaces the lines that it repeats.
"""

from __future__ import annotations

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

from brew.errors import ResourceError
from brew.files import regular
from brew.files.appended import AppendedFile, Sink
from brew.files.atomic import replacing
from brew.files.overwriting import Kind, check
from brew.solver.snapshots.snapshot import of_state
from brew.solver.training.events import Displayed, Event, Snapshotted, Stopped, Tested

log = logging.getLogger("brew")

_START = b'{"time": '


class Metrics:
    """A watcher of a solver (`Solver.watch`) that appends its events to the file `path`, or sends them to a sink.

    `iteration` is where the training begins: 0, or what it was resumed at, from the solver state `state`. Lines of
    later iterations are dropped first, and so is a last line that a kill cut short. Where a kill came between a
    snapshot and its line, the line is added. ResourceError when the file cannot be written at the start; later
    the training goes on without it (AppendedFile). Nothing can be dropped from a sink.
    """

    def __init__(self, path: str | Path | Sink, iteration: int = 0, state: str | Path | None = None) -> None:
        kept: list[dict[str, Any]] = []
        if isinstance(path, str | Path):
            kept = _rewind(Path(path), iteration)
            path = AppendedFile(path)
        self._file: Sink = path
        snapshots = [record for record in kept if (record["iteration"], record.get("kind")) == (iteration, "snapshot")]
        self._known = {(iteration, record.get("state")) for record in snapshots}
        if state is not None and kept and not snapshots:
            files = of_state(Path(state))
            self._write(Snapshotted(iteration, files.weights, files.state), files.state.stat().st_mtime)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Snapshotted) and (event.iteration, str(event.state)) in self._known:
            return  # written once more at the end of a training that was resumed there
        self._write(event, time.time())

    def _write(self, event: Event, when: float) -> None:
        record = _record(event)
        if record is not None:
            self._file.write(_line({"time": round(when, 3), **record}))
        if isinstance(event, Snapshotted):
            self._known.add((event.iteration, str(event.state)))


def _record(event: Event) -> dict[str, Any] | None:
    """The fields of an event's line; None for one that has no line."""
    match event:
        case Displayed():
            speed = event.images / event.seconds if event.images and event.seconds > 0 else None
            return {
                "iteration": event.iteration, "kind": "train", "loss": _number(event.loss),
                "rate": _number(event.rate), "images_per_second": speed, "data_wait_seconds": round(event.waited, 6),
                "outputs": _numbers(event.outputs),
            }  # fmt: skip
        case Tested():
            return {
                "iteration": event.iteration, "kind": "test", "net": event.net, "outputs": _numbers(event.scores)
            }  # fmt: skip
        case Snapshotted():
            return {
                "iteration": event.iteration, "kind": "snapshot",
                "weights": str(event.weights), "state": str(event.state),
            }  # fmt: skip
        case Stopped():
            return {
                "iteration": event.iteration, "kind": "stop", "reason": event.reason,
                "seconds": round(event.seconds, 3), "data_wait_seconds": round(event.waited, 3),
            }  # fmt: skip
    return None


def _number(value: float) -> float | None:
    """A number for JSON, which has no NaN and infinity: they become null, so that columns stay numeric in tables."""
    return float(value) if math.isfinite(value) else None


def _numbers(outputs: dict[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in outputs.items()}


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False).encode() + b"\n"


def _rewind(path: Path, iteration: int) -> list[dict[str, Any]]:
    """Cut the file to the whole lines from before `iteration`; returns them."""
    try:
        if not path.exists():
            return []
        check(path, KIND)
        with regular.opened(path) as file:
            lines = [(line, _parsed(line)) for line in file]
        whole = [(line, record) for line, record in lines if record is not None]
        kept = [(line, record) for line, record in whole if not _is_to_come(record, iteration)]
        if len(kept) < len(lines):
            with replacing(path, KIND) as new, new.open("wb") as file:
                file.writelines(line for line, _ in kept)
    except OSError as error:
        raise ResourceError(f"cannot read {path}: {error.strerror or error}") from error
    if len(kept) < len(whole):
        log.info("%s: lines from iteration %d on are dropped: %d", path, iteration, len(whole) - len(kept))
    if len(whole) < len(lines):
        log.warning("%s: damaged lines are dropped: %d", path, len(lines) - len(whole))
    return [record for _, record in kept]


def _is_ours(path: Path) -> bool:
    """Whether half of the lines are Brew's, or the only one is a line of Brew's that was cut short."""
    with regular.opened(path) as file:
        start = file.read(len(_START))
        file.seek(0)
        whole = [_parsed(line) is not None for line in file]
    return 2 * sum(whole) >= len(whole) or (len(whole) == 1 and start == _START)


KIND = Kind("metrics", _is_ours)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None where it was cut short or is not Brew's."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("iteration"), int) else None


def _is_to_come(record: dict[str, Any], iteration: int) -> bool:
    """Whether a training resumed at `iteration` writes it again. Of `iteration` itself these are displays and tests,
    which count the updates before them, and the end, where it has moved or is reached at once."""
    comes_again = record.get("kind") in ("train", "test", "stop") or iteration == 0
    return bool(record["iteration"] >= iteration if comes_again else record["iteration"] > iteration)
