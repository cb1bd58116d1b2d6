"""A training read from what it left: metrics.jsonl, a log, TensorBoard's event files, or a folder with one of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brew.errors import InputError
from brew.files import regular
from brew.files.signatures import is_binary, noun_of

from . import events
from .glog import Log
from .series import RESERVED, Recorder, Run, output_name

log = logging.getLogger("brew")

_HEAD = 1 << 16  # bytes by which a file is told
_UNDERSTOOD = "metrics.jsonl, logs of Caffe and of brew train, TensorBoard's event files, and folders with one of them"


def read_run(path: str | Path, name: str | None = None) -> Run:
    """The training at `path`; InputError where nothing of one is there."""
    path = Path(path)
    recorder = Recorder()
    try:
        for file in _files_in(path) if path.is_dir() else [path]:
            _read(file, recorder)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    run = recorder.run(name or named(path))
    if not run.series:
        raise InputError(f"{path}: no display and no test of a training is in it", hint=f"understood are {_UNDERSTOOD}")
    return run


def named(path: Path) -> str:
    """What a run is called: the folder of a metrics.jsonl, else the file's name without its ending."""
    whole = path.absolute()
    plain = whole.stem.lower() in ("metrics", "log", "train", "events", "output")
    return whole.parent.name if plain and whole.parent.name else whole.name if whole.is_dir() else whole.stem


def distinct(paths: Sequence[Path]) -> list[str]:
    """A name for each path; paths of the same name get the folder before it, or a number."""
    names = [named(path) for path in paths]
    longer = [
        f"{path.absolute().parent.name}/{name}" if names.count(name) > 1 else name
        for path, name in zip(paths, names, strict=True)
    ]
    return [f"{name} ({number})" if longer.count(name) > 1 else name for number, name in enumerate(longer, 1)]


def from_records(records: Iterable[Mapping[str, Any]], name: str) -> Run:
    """The training that these lines of metrics.jsonl tell (docs/logs.md)."""
    recorder = Recorder()
    for record in records:
        _record(recorder, record)
    return recorder.run(name)


def _files_in(folder: Path) -> list[Path]:
    """What of `folder` is read: its metrics.jsonl, else all event files, else the one log."""
    if (metrics := folder / "metrics.jsonl").is_file():
        return [metrics]
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if found := [path for path in files if ".tfevents." in path.name]:
        return found
    found = [path for path in files if path.suffix in (".jsonl", ".log", ".txt") or ".INFO." in path.name]
    runs = [path for path in found if _tells(path)]
    if len(runs) > 1:
        names = ", ".join(path.name for path in runs)
        raise InputError(f"{folder}: several trainings are there: {names}", hint="name the files to draw")
    if not runs:
        raise InputError(f"{folder}: nothing in this folder tells of a training", hint=f"understood are {_UNDERSTOOD}")
    return runs


def _tells(path: Path) -> bool:
    """Whether a text file has numbers of a training in it."""
    recorder = Recorder()
    try:
        _read(path, recorder)
    except (InputError, OSError):
        return False
    return bool(recorder.run("").series)


def _read(path: Path, recorder: Recorder) -> None:
    head = regular.head(path, _HEAD)
    if events.is_events(head):
        events.read(path, recorder)
        return
    if is_binary(head) and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = noun_of(head[:512]) or "a binary file"
        raise InputError(
            f"{path}: this is {what}, which tells nothing of a training", hint=f"understood are {_UNDERSTOOD}"
        )
    if head.lstrip().startswith(b"{"):
        _metrics(path, recorder)
        return
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))  # as PowerShell's > writes
    with regular.opened(path) as file:
        lines = file.read().decode("utf-16", "replace").splitlines() if utf16 else (_text(line) for line in file)
        Log(recorder).read(lines)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _metrics(path: Path, recorder: Recorder) -> None:
    damaged = 0
    with regular.opened(path) as file:
        for line in file:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                damaged += 1
                continue
            if isinstance(record, dict):
                _record(recorder, record)
    if damaged:
        log.warning("%s: lines that are no JSON are passed over: %d", path, damaged)


def _record(recorder: Recorder, record: Mapping[str, Any]) -> None:
    """A line of metrics.jsonl. What is not as Brew writes it is passed by."""
    iteration, when = _number(record.get("iteration")), _number(record.get("time"))
    kind, outputs = record.get("kind"), record.get("outputs")
    if iteration is None or not isinstance(record["iteration"], int) or kind not in ("train", "test"):
        return
    values = outputs if isinstance(outputs, dict) else {}
    if kind == "test":
        net = record.get("net") if isinstance(record.get("net"), int) else 0
        for name, value in values.items():
            recorder.add(f"test{net}/{name}", iteration, when, _number(value))
        return
    for name in RESERVED:
        if name in record and (record[name] is not None or name in ("loss", "rate")):
            recorder.add(f"train/{name}", iteration, when, _number(record[name]))
    for name, value in values.items():
        recorder.add(output_name(name), iteration, when, _number(value))
    if (epoch := _number(record.get("epoch")) or 0.0) > 0 and iteration:
        recorder.epoch = iteration / epoch


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
