"""The tables that Caffe's parse_log.py and parse_log.sh make of a training's log."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from brew.errors import InputError
from brew.files import regular
from brew.files.atomic import replacing
from brew.files.overwriting import Kind

Row = dict[str, float]

_NUMBER = r"([-+]?(?:nan|inf(?:inity)?|\d*\.?\d+(?:e[-+]?\d+)?))"
_ITERATION = re.compile(r"Iteration (\d+)")
_OUTPUT = re.compile(rf"(Train|Test) net output #(\d{{1,6}}): (\S+) = {_NUMBER}", re.I)
_RATE = re.compile(rf"lr = {_NUMBER}", re.I)
_LOSS = re.compile(rf"Iteration (\d+).*, loss = {_NUMBER}", re.I)
_TESTING = re.compile(r"Iteration (\d+), Testing net")
_STAMP = re.compile(r"^[IWEF](?:\d{4})?(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{1,6})\b")
_START = "Solving"
_LEAP_YEAR = 2024  # stamps have no year; one that has every day
_OURS = (b"NumIters", b"#Iters ")  # how tables begin

TABLE_KIND = Kind("a table of a log", lambda path: regular.head(path, 8).startswith(_OURS))


@dataclass
class LogTables:
    """Rows of numbers: `train` and `test` those of parse_log.py, by the names of their columns; `train_lines` and
    `test_lines` those of parse_log.sh: iteration, seconds, then loss and rate, or the test net's first two outputs.
    """

    train: list[Row] = field(default_factory=list)
    test: list[Row] = field(default_factory=list)
    train_lines: list[list[float]] = field(default_factory=list)
    test_lines: list[list[float]] = field(default_factory=list)
    started: bool = True  # a line told when the training began


def read_tables(path: Path) -> LogTables:
    """The tables of the log at `path`; InputError where it cannot be read or no line of it has a stamp of glog's."""
    try:
        text = regular.read_text(path, errors="replace")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    stamped = list(_stamped(text.split("\n")))
    if not stamped:
        raise InputError(
            f"{path}: no line begins with a time as glog writes it",
            hint="Caffe's log on stderr is meant: brew train ... 2>&1 | tee train.log",
        )
    return _Reader().read(stamped)


def _stamped(lines: Iterable[str]) -> Iterator[tuple[datetime, str]]:
    """Lines with their time; a month that falls begins a new year. Lines without a stamp are passed over."""
    year, last = _LEAP_YEAR, 0
    for line in lines:
        found = _STAMP.match(line.strip())
        if found is None:
            continue
        month, day, hour, minute, second = (int(found[i]) for i in range(1, 6))
        year, last = year + (month < last), month
        try:
            yield datetime(year, month, day, hour, minute, second, int(found[6].ljust(6, "0"))), line
        except ValueError:
            continue


class _Reader:
    def __init__(self) -> None:
        self.tables = LogTables()
        self._rows: dict[str, Row | None] = {"train": None, "test": None}  # not complete yet
        self._rate = math.nan

    def read(self, stamped: Sequence[tuple[datetime, str]]) -> LogTables:
        starts = [number for number, (_, line) in enumerate(stamped) if _START in line]
        first = starts[0] if starts else 0
        self.tables.started = bool(starts)
        begin, iteration = stamped[first][0], -1.0
        for when, line in stamped[first + bool(starts) :]:
            if (found := _ITERATION.search(line)) is not None:
                iteration = float(found[1])
            if iteration < 0:
                continue
            seconds = (when - begin).total_seconds()
            if (found := _RATE.search(line)) is not None:
                self._rate = float(found[1])
            self._line(line, iteration, seconds)
        for name, rows in (("train", self.tables.train), ("test", self.tables.test)):
            left = self._rows[name]
            if left is not None and not rows:  # the only one: parse_log.py loses it
                rows.append(left)
            if len(rows) > 1:
                rows[0]["LearningRate"] = rows[1]["LearningRate"]  # the first rate is told after the first test
        return self.tables

    def _line(self, line: str, iteration: float, seconds: float) -> None:
        tables = self.tables
        if (found := _LOSS.search(line)) is not None:
            tables.train_lines.append([float(found[1]), seconds, float(found[2])])
        elif (found := _TESTING.search(line)) is not None:
            tables.test_lines.append([float(found[1]), seconds])
        elif (found := _RATE.search(line)) is not None and tables.train_lines:
            tables.train_lines[-1][3:] = [float(found[1])]
        output = _OUTPUT.search(line)
        if output is not None:
            self._output(output, iteration, seconds)
        for name, rows in (("train", tables.train), ("test", tables.test)):
            row = self._rows[name]
            if row is not None and rows and len(row) == len(rows[0]):
                rows.append(row)
                self._rows[name] = None

    def _output(self, found: re.Match[str], iteration: float, seconds: float) -> None:
        name = found[1].lower()
        rows, row = getattr(self.tables, name), self._rows[name]
        if row is None or row["NumIters"] != iteration:
            if row is not None:
                rows.append(row)
            row = {"NumIters": iteration, "Seconds": seconds, "LearningRate": self._rate}
            self._rows[name] = row
        row[found[3]] = float(found[4])
        lines = self.tables.test_lines
        if name == "test" and int(found[2]) < 2 and lines and len(lines[-1]) == 2 + int(found[2]):
            lines[-1].append(float(found[4]))


def as_csv(rows: Sequence[Row], delimiter: str = ",") -> str:
    """Rows as parse_log.py writes them, with a line of titles; the columns of all rows, in the order they came up."""
    titles = list(dict.fromkeys(title for row in rows for title in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, titles, dialect="excel", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_columns(titles: str, lines: Sequence[Sequence[float]]) -> str:
    """Lines as parse_log.sh writes them, in columns, below the titles."""
    cells = [[f"{line[0]:.0f}", f"{line[1]:f}", *(f"{value:.6g}" for value in line[2:])] for line in lines]
    widths = [max((len(row[i]) for row in cells if len(row) > i), default=0) for i in range(4)]
    rows = ["  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in cells]
    return "\n".join([titles, *rows, ""])


def write_table(path: Path, text: str) -> None:
    """Write a table, also in place of an older one; ResourceError."""
    with replacing(path, TABLE_KIND) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))
