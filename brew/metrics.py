"""metrics.jsonl: a training in numbers, one JSON object a line, for programs (docs/logs.md has the fields).

A line stands for a display, a test, a snapshot or the end. What a resumed training does again replaces what stood.
"""

from __future__ import annotations

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

from brew.appending import AppendedFile
from brew.atomic import replacing
from brew.errors import ResourceError
from brew.events import Displayed, Event, Snapshotted, Stopped, Tested

log = logging.getLogger("brew")


class Metrics:
    """A watcher of a solver (`Solver.watch`) that appends its events to the file `path`.

    `iteration` is where the training begins: 0, or what it was resumed at. Lines of what is still to come are dropped
    first, and so is a last line that a kill cut short. ResourceError when the file cannot be written at the start;
    later the training goes on without it (AppendedFile).
    """

    def __init__(self, path: str | Path, iteration: int = 0) -> None:
        self.path = Path(path)
        _rewind(self.path, iteration)
        self._file = AppendedFile(self.path)

    def __call__(self, event: Event) -> None:
        record = _record(event)
        if record is not None:
            self._file.write(_line({"time": round(time.time(), 3), **record}))


def _record(event: Event) -> dict[str, Any] | None:
    """The fields of an event's line; None for one that has no line."""
    match event:
        case Displayed():
            speed = event.images / event.seconds if event.images and event.seconds > 0 else None
            return {
                "iteration": event.iteration, "kind": "train", "loss": _number(event.loss),
                "rate": _number(event.rate), "images_per_second": speed, "outputs": _numbers(event.outputs),
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
            return {"iteration": event.iteration, "kind": "stop", "reason": event.reason}
    return None


def _number(value: float) -> float | None:
    """JSON knows neither NaN nor infinity: null, which keeps a column numeric for those who read tables of it."""
    return float(value) if math.isfinite(value) else None


def _numbers(outputs: dict[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in outputs.items()}


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False).encode() + b"\n"


def _rewind(path: Path, iteration: int) -> None:
    """Leave in the file what happened before a training that begins at `iteration`, in whole lines."""
    try:
        if not path.exists():
            return
        with path.open("rb") as file:
            lines = [(line, _parsed(line)) for line in file]
        whole = [(line, record) for line, record in lines if record is not None]
        kept = [line for line, record in whole if not _is_to_come(record, iteration)]
        if len(kept) < len(lines):
            with replacing(path) as new, new.open("wb") as file:
                file.writelines(kept)
    except OSError as error:
        raise ResourceError(f"cannot read {path}: {error.strerror or error}") from error
    if len(kept) < len(whole):
        log.info("%s: lines from iteration %d on are dropped: %d", path, iteration, len(whole) - len(kept))
    if len(whole) < len(lines):
        log.warning("%s: damaged lines are dropped: %d", path, len(lines) - len(whole))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object a line holds; None where it was cut short or is none of ours."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("iteration"), int) else None


def _is_to_come(record: dict[str, Any], iteration: int) -> bool:
    """Displays and tests count the updates before them, so those of `iteration` itself come again after a resume."""
    comes_again = record.get("kind") in ("train", "test") or iteration == 0
    return bool(record["iteration"] >= iteration if comes_again else record["iteration"] > iteration)
