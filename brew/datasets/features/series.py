"""Time series: windows of the rows of a table, each with what comes a few steps behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from brew.datasets.sources.items import Content, Item, Pile
from brew.datasets.sources.tables import Table, read_table
from brew.errors import DataError, Place, UsageError

from . import columns, parts_in_time
from .columns import DATE, NAMES, NUMBER, Column, cells_of
from .options import Options
from .series_preparation import PREVIOUS, SKIP, SeriesPreparation
from .standard import NOTHING, measured
from .targets import targets

Array = npt.NDArray[np.float64]
_MOST = 1 << 24  # steps
_TOLERANCE = 1e-6  # of a step of time


class Series(Pile):
    """Windows of one or several series."""

    kind = "a time series"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "window": "steps of a window (must be said)",
        "horizon": "how many steps behind the window's last one the target is: 1; 0 is that step itself",
        "stride": "steps from window to window: 1",
        "target": "the column, or columns with commas between them, that are predicted",
        "task": "class or value (by what stands in the target)",
        "inputs": "the columns of the window (all that hold numbers)",
        "time": "the column of the time: numbers or dates (the order of the lines)",
        "group": "the column that tells several series apart; those of one stay in one part",
        **parts_in_time.OPTIONS,
        "missing": "skip (windows with missing values are left out) or previous (the value before counts); skip",
        "scale_target": "whether targets are standardised as well: yes or no; no",
        "decimal": "point or comma; point",
        "header": "whether the first line has titles: yes or no (by what stands below)",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        given = Options(options, "series")
        table = read_table(path, header=given.flag("header", True) if "header" in given else None)
        self._window, horizon = given.whole("window", 1, _MOST), given.whole("horizon", 0, _MOST)
        if self._window is None:
            raise UsageError(f"{path}: how many steps has a window?", hint="--set window=24")
        self._ahead = self._window - 1 + (1 if horizon is None else horizon)
        self._targets = targets(table, given)
        self.labels, self.target_names = self._targets.labels, self._targets.titles
        self._comma = self._targets.comma
        self._scales = given.flag("scale_target", False)
        self._order, times, groups, notes = _ordered(table, given, comma=self._comma)
        inputs, more = self._inputs(table, given)
        missing = given.choice("missing", (SKIP, PREVIOUS), SKIP)
        self._values = self._matrix(table, inputs)
        self._prepared = SeriesPreparation(
            self._window, tuple(c.title for c in inputs), NOTHING, missing, self.target_names,
            self._ahead - self._window + 1, NOTHING,
        )  # fmt: skip
        self._starts: dict[str, int] = {}
        self.items, counted = self._windows(table, given, times, groups)
        self.notes = [*self._targets.notes, *notes, *more, *counted]
        if not self.items:
            raise DataError(f"{path} has no window of {self._ahead + 1} steps", hint="; ".join(counted) or None)

    @staticmethod
    def recognises(path: Path) -> bool:
        """A table is not taken for a series unless that is said."""
        return False

    @property
    def preparation(self) -> Mapping[str, Any]:  # type: ignore[override]
        """What is done to each window."""
        return self._prepared.words()

    def fit(self, items: Sequence[Item]) -> None:
        """Measure the columns over all steps that windows of `items` have, each once; and their targets."""
        within = np.zeros(len(self._values), bool)
        for item in items:
            start = self._starts[item.name]
            within[start : start + self._prepared.window] = True
        scaling = NOTHING
        if self._scales and self.target_names:
            scaling = measured([np.array([item.targets for item in items])])
            self.items = [replace(item, targets=tuple(scaling(np.array(item.targets)).tolist())) for item in self.items]
        self._prepared = replace(self._prepared, standard=measured([self._values[within]]), scaling=scaling)

    def read(self, item: Item) -> Content:
        start = self._starts[item.name]
        values = self._prepared.values(self._values[start : start + self._prepared.window])
        return Content(values.pop("data"), more=values)

    def _inputs(self, table: Table, given: Options) -> tuple[list[Column], list[str]]:
        """The columns of a window, and which others were left out."""
        if "inputs" in given:
            said = columns.chosen(table, given.names("inputs"), "inputs")
            held = [columns.found(table, number, comma=self._comma) for number in said]
            return [Column(c.number, c.title, NUMBER) if c.holds == NAMES else c for c in held], []
        beside = {table.column(name) for option in ("time", "group") if (name := given.text(option)) is not None}
        found = [columns.found(table, n, comma=self._comma) for n in range(table.width) if n not in beside]
        held = [column for column in found if column.holds == NUMBER]
        classes = {column.number for column in self._targets.columns if self.labels}
        left = [c.title for c in found if c.holds != NUMBER and c.number not in classes]
        inputs = [column for column in held if column.number not in classes]
        if not inputs:
            raise UsageError(f"{table.path} has no column of numbers for a window")
        notes = [f"columns left out, no numbers: {', '.join(left)}"] if left else []
        return inputs, [f"columns of a window: {', '.join(c.title for c in inputs)}", *notes]

    def _matrix(self, table: Table, inputs: Sequence[Column]) -> Array:
        """The values of all steps in their order, (steps, columns); NaN are missing."""
        held = [columns.values(cells_of(table, c.number), c, comma=self._comma)[self._order] for c in inputs]
        return np.stack(held, axis=-1)

    def _windows(
        self, table: Table, given: Options, times: Array, groups: Sequence[str]
    ) -> tuple[list[Item], list[str]]:
        """The windows, and how many were left out and why."""
        stride = given.whole("stride", 1, _MOST) or 1
        divided = parts_in_time.parts_in_time(given, times)
        skip = self._prepared.missing == SKIP
        gaps = [bool(missing.any()) for missing in np.isnan(self._values)]
        items: list[Item] = []
        incomplete = between = 0
        for start, stop in _runs(groups):
            for first in range(start, stop - self._ahead, stride):
                last = first + self._ahead
                row = table.rows[self._order[last]]
                part = divided.part(times[first], times[last]) if divided else None
                try:
                    label, values = self._targets.label(row.cells), self._targets.values(row.cells)
                except (ValueError, IndexError):
                    incomplete += 1
                    continue
                if skip and any(gaps[first : first + self._prepared.window]):
                    incomplete += 1
                elif divided and part is None:
                    between += 1
                else:
                    line = table.rows[self._order[first]].line
                    self._starts[f"line{line}"] = first
                    place = Place(str(self.path), line)
                    items.append(Item(f"line{line}", label, values, group=groups[first], part=part, place=place))
        notes = [f"{incomplete} windows left out, in which a value is missing"] if incomplete else []
        return items, [*notes, *([f"{between} windows left out, which reach from part to part"] if between else [])]


def _ordered(table: Table, given: Options, *, comma: bool) -> tuple[npt.NDArray[np.intp], Array, list[str], list[str]]:
    """(order of the rows, their times, their groups, notes): by group, as they first come, and by time within one.

    Where no column is said to be the time, it is the number of a row within its group, over the group's rows.
    """
    group, time = given.text("group"), given.text("time")
    names = ["all"] * len(table.rows) if group is None else cells_of(table, table.column(group))
    first = {name: number for number, name in reversed(list(enumerate(names)))}
    ranks = np.array([first[name] for name in names])
    if time is None:
        order = np.argsort(ranks, kind="stable")
        groups = [names[number] for number in order]
        times = np.concatenate([np.arange(stop - start) / (stop - start) for start, stop in _runs(groups)])
        return order, times, groups, []
    column = columns.found(table, table.column(time), comma=comma)
    if column.holds == NAMES:
        raise UsageError(f'"{column.title}" holds no times; numbers, or dates as 2024-12-31 or 2024-12-31 23:59')
    at = columns.values(cells_of(table, column.number), column, comma=comma)
    if np.isnan(at).any():
        line = table.rows[int(np.flatnonzero(np.isnan(at))[0])].line
        raise DataError(f'"{column.title}", the time, is missing', place=Place(str(table.path), line))
    order = np.lexsort((at, ranks))
    groups = [names[number] for number in order]
    notes = ["the rows were brought into the order of time"] if (np.diff(order) < 0).any() and group is None else []
    return order, at[order], groups, [*notes, *_uneven(at[order], groups, column)]


def _uneven(times: Array, groups: Sequence[str], column: Column) -> list[str]:
    """A note where not all steps of time are alike: a window takes rows as they come."""
    steps = np.concatenate([np.diff(times[start:stop]) for start, stop in _runs(groups)])
    if not steps.size or np.ptp(steps) <= _TOLERANCE * abs(steps.max()):
        return []
    unit = " days" if column.holds == DATE else ""
    return [
        f"the steps of time are not alike: {steps.min():g} to {steps.max():g}{unit}; a window takes rows as they come"
    ]


def _runs(groups: Sequence[str]) -> list[tuple[int, int]]:
    """Where each group begins and ends, of groups that lie together."""
    edges = [n for n in range(1, len(groups)) if groups[n] != groups[n - 1]]
    return list(zip([0, *edges], [*edges, len(groups)], strict=True))
