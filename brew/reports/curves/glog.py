"""Logs of Caffe, of its forks and of Brew, as series. Whatever else stands in such a file is passed by.

A log may hold stdout too, prefixes before each line (mpirun, docker), and several trainings of which each goes on with
the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from .series import Recorder, output_name

_NUMBER = r"(?P<value>[-+]?(?:nan|inf(?:inity)?|\d+(?:\.\d*)?(?:e[-+]?\d+)?))"
_STAMP = re.compile(r"\b[IWEF](?P<year>\d{4})?(?P<month>\d\d)(?P<day>\d\d) (?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?)")
_LOSS = re.compile(
    rf"\bIteration (?P<iteration>\d+)(?: \((?P<speed>\d+(?:\.\d*)?(?:e[-+]?\d+)?) iter/s[^)]*\))?, loss = {_NUMBER}",
    re.I,
)
_RATE = re.compile(rf"\bIteration (?P<iteration>\d+), lr = {_NUMBER}", re.I)
_TEST = re.compile(r"\bIteration (?P<iteration>\d+), Testing net \(#(?P<net>\d{1,6})\)", re.I)
_OUTPUT = re.compile(rf"\b(?P<phase>Train|Test) net (?:output #\d+|metric): (?P<name>.+?) = {_NUMBER}(?=\s|$)", re.I)
_TEST_LOSS = re.compile(rf"\bTest loss: {_NUMBER}", re.I)
_OLD_SCORE = re.compile(rf"\bTest score #(?P<number>\d+): {_NUMBER}", re.I)  # of Caffe before 2014
_EPOCH = re.compile(r"\bmax_epochs: (?P<epochs>\d+(?:\.\d*)?(?:e[-+]?\d+)?) is max_iter: (?P<iterations>\d+)")
_LEAP_YEAR = 2024  # glog's lines have no year; one that has every day


class Log:
    """Reads lines one after another into `recorder`."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.found = 0  # numbers
        self._when: float | None = None
        self._year, self._month = _LEAP_YEAR, 0
        self._train = self._test = 0.0  # the iterations that the last lines spoke of
        self._net = 0
        self._block: dict[str, list[float]] = {}  # outputs of the present display or test, by series

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._line(line)
        self._flush()

    def _line(self, line: str) -> None:
        if (stamp := _STAMP.search(line)) is not None:
            self._stamp(stamp)
        if (found := _OUTPUT.search(line)) is not None:
            name = found["name"].strip()
            series = output_name(name) if found["phase"].lower() == "train" else f"test{self._net}/{name}"
            self._block.setdefault(series, []).append(float(found["value"]))
        elif (found := _OLD_SCORE.search(line)) is not None:
            self._block.setdefault(f"test{self._net}/score {found['number']}", []).append(float(found["value"]))
        elif (found := _TEST_LOSS.search(line)) is not None:
            self._block.setdefault(f"test{self._net}/total loss", []).append(float(found["value"]))
        elif (found := _EPOCH.search(line)) is not None and float(found["epochs"]) > 0:
            self.recorder.epoch = float(found["iterations"]) / float(found["epochs"])
        elif "teration" in line:
            self._iteration(line)

    def _iteration(self, line: str) -> None:
        if (found := _LOSS.search(line)) is not None:
            self._flush()
            self._train = float(found["iteration"])
            self._add("train/loss", self._train, float(found["value"]))
            if found["speed"]:
                self._add("train/iterations_per_second", self._train, float(found["speed"]))
        elif (found := _RATE.search(line)) is not None:
            self._flush()
            self._add("train/rate", float(found["iteration"]), float(found["value"]))
        elif (found := _TEST.search(line)) is not None:
            self._flush()
            self._test, self._net = float(found["iteration"]), int(found["net"])

    def _stamp(self, stamp: re.Match[str]) -> None:
        """Note the time; a month that falls begins a new year."""
        month = int(stamp["month"])
        if stamp["year"]:
            self._year = int(stamp["year"])
        elif month < self._month:
            self._year += 1
        self._month = month
        text = f"{self._year:04d}-{month:02d}-{stamp['day']}T{stamp['clock']}"
        try:
            self._when = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        except ValueError:  # some other program's line
            return
        self.recorder.began(self._when)

    def _add(self, series: str, iteration: float, value: float) -> None:
        self.found += 1
        self.recorder.add(series, iteration, self._when, value)

    def _flush(self) -> None:
        """Add the outputs of a display or a test; one of several elements stands there as often."""
        for series, values in self._block.items():
            iteration = self._test if series.startswith("test") else self._train
            for number, value in enumerate(values):
                self._add(series if len(values) == 1 else f"{series}[{number}]", iteration, value)
        self._block = {}
