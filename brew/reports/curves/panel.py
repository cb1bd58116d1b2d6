"""One panel of a chart: some series of some runs over one axis, with a legend."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from brew.reports.drawing.picture import text_width

from . import ticks
from .marks import Dot, Line, Mark, Point, Text
from .series import Numbers
from .smoothing import averaged, smoothed, thinned, width_for

_MOST = 1500  # points of a curve that are drawn
_FEW = 45  # points that are marked with dots
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 3), (1.5, 2.5), (8, 3, 1.5, 3))
_LEFT, _RIGHT, _BELOW, _LINE = 40.0, 76.0, 24.0, 17.0  # around the plot; of a line of the legend
_SPARE = 1.12  # fonts may be wider than text_width has them
_LEAST_APART = 12.0  # between values written at the ends of curves
_HIDDEN = 0.005  # the share of the highest values that a few spikes may be, which are then cut


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve as it is drawn: `x`, `y` (n); `colour` and `dash` are numbers."""

    name: str
    x: Numbers
    y: Numbers
    colour: int
    dash: int = 0
    width: float = 0.0  # of the smoothing, in units of x

    def calm(self) -> tuple[Numbers, Numbers]:
        """The strong line."""
        if not self.width:
            return thinned(self.x, self.y, _MOST)
        x, y = averaged(self.x, self.y, _MOST)
        return x, smoothed(x, y, self.width)


def curve(name: str, x: Numbers, y: Numbers, colour: int, dash: int = 0, smooth: float | None = None) -> Curve:
    """A curve smoothed over about `smooth` points; None: as suits it."""
    told = np.isfinite(x)
    x, y = x[told], y[told]
    return Curve(name, x, y, colour, dash, width_for(x, smooth))


class Panel:
    """Draws `curves` in a box; `at` is its upper left corner."""

    def __init__(
        self, title: str, curves: list[Curve], x_axis: ticks.Axis, at: Point, width: float, height: float,
        *, y_axis: ticks.Axis, x_title: str = "", left: float = _LEFT,
    ) -> None:  # fmt: skip
        self.title, self.curves, self.x_axis = title, curves, x_axis
        self.at, self.width, self.height = at, width, height
        self.x_title = x_title
        legend = self._legend()
        self._left, self._top = (
            at[0] + left,
            at[1] + 12 + _LINE * (1 + max((line for line, _, _ in legend), default=0)),
        )
        self._wide, self._high = width - left - _RIGHT, at[1] + height - _BELOW - self._top
        self.y_axis = y_axis
        self.marks: list[Mark] = [*self._grid(), *self._heading(legend)]
        for each in curves:  # all that is faint lies below all that is not
            self.marks += self._raw(each)
        for each in curves:
            self.marks += self._curve(each)
        self.marks += self._last_values()

    # --- around the plot ------------------------------------------------------------------------------------------

    def _grid(self) -> list[Mark]:
        marks: list[Mark] = []
        for value, text in zip(self.y_axis.ticks, self.y_axis.texts, strict=True):
            y = self._y(value)
            marks.append(Line([(self._left, y), (self._left + self._wide, y)], "grid", 1.0 if text else 0.5))
            marks.append(Text((self._left - 6, y + 3.8), text, anchor="end"))
        bottom = self._top + self._high
        marks.append(Line([(self._left, bottom), (self._left + self._wide, bottom)], "faint", 1.0))
        for value, text in zip(self.x_axis.ticks, self.x_axis.texts, strict=True):
            x = self._x(value)
            marks.append(Line([(x, bottom), (x, bottom + 4)], "faint", 1.0))
            marks.append(Text((x, bottom + 16), text, anchor="middle"))
        marks.append(Text((self._left + self._wide + 22, bottom + 16), self.x_title))
        return marks

    def _legend(self) -> list[tuple[int, float, Curve]]:
        """(line, x, curve) of each entry, behind the title and then below it."""
        entries, x, line = [], self.at[0] + 10 + _SPARE * text_width(self.title, 13) + 22, 0
        if len(self.curves) == 1 and self.curves[0].name == self.title:
            return []
        for each in self.curves:
            wide = 24 + _SPARE * text_width(each.name, 11) + 16
            if x + wide > self.at[0] + self.width and x > self.at[0] + _LEFT:
                x, line = self.at[0] + _LEFT, line + 1
            entries.append((line, x, each))
            x += wide
        return entries

    def _heading(self, legend: list[tuple[int, float, Curve]]) -> list[Mark]:
        marks: list[Mark] = [Text((self.at[0] + 10, self.at[1] + 16), self.title, 13, "ink", bold=True)]
        for line, x, each in legend:
            y = self.at[1] + 16 + _LINE * line
            marks.append(Line([(x, y - 4), (x + 18, y - 4)], each.colour, 2.2, dash=_DASHES[each.dash % len(_DASHES)]))
            marks.append(Text((x + 23, y), each.name))
        return marks

    # --- curves ---------------------------------------------------------------------------------------------------

    def _raw(self, each: Curve) -> list[Mark]:
        if not each.width:
            return []
        return [Line(piece, each.colour, 1.0, 0.3) for piece in self._pieces(*thinned(each.x, each.y, _MOST))]

    def _curve(self, each: Curve) -> list[Mark]:
        dash = _DASHES[each.dash % len(_DASHES)]
        pieces = self._pieces(*each.calm())
        marks: list[Mark] = [Line(piece, each.colour, 2.0, dash=dash) for piece in pieces if len(piece) > 1]
        if len(each.x) <= _FEW:
            marks += [Dot(point, 2.4, each.colour) for piece in pieces for point in piece]
        return marks

    def _pieces(self, x: Numbers, y: Numbers) -> list[list[Point]]:
        """The curve in places of the chart; values that are not finite leave a gap."""
        if self.y_axis.is_log:
            y = np.where(y > 0, y, np.nan)
        pieces: list[list[Point]] = [[]]
        for place, value in zip(x.tolist(), y.tolist(), strict=True):
            if np.isfinite(value):
                pieces[-1].append((self._x(place), self._y(value)))
            elif pieces[-1]:
                pieces.append([])
        return [piece for piece in pieces if piece]

    def _last_values(self) -> list[Mark]:
        """The last value of each curve at its right end, one below another where they would lie upon each other."""
        found = []
        for each in self.curves:
            x, y = each.calm()
            finite = np.flatnonzero(np.isfinite(y))
            if len(finite) and x[finite[-1]] > self.x_axis.low + 0.9 * (self.x_axis.high - self.x_axis.low):
                found.append((self._y(float(y[finite[-1]])) + 3.8, float(y[finite[-1]]), each))
        if len(found) > 6:
            return []
        found.sort(key=lambda entry: entry[0])
        places = _spread([entry[0] for entry in found], self._top + 3.8, self._top + self._high + 3.8)
        edge = self._left + self._wide + 6
        return [
            Text((edge, place), _said(value), 10.5, each.colour, bold=True)
            for place, (_, value, each) in zip(places, found, strict=True)
        ]

    def _x(self, value: float) -> float:
        return self._left + self._wide * self.x_axis.share(value)

    def _y(self, value: float) -> float:
        return self._top + self._high * (1 - self.y_axis.share(value))


def left_of(axis: ticks.Axis) -> float:
    """The room that the texts of an axis of values need at the left of a plot."""
    return max([_LEFT, *(_SPARE * text_width(text, 11) + 14 for text in axis.texts)])


def value_axis(curves: list[Curve], *, log: bool = False) -> ticks.Axis:
    """The axis of the values: all of them, but for spikes over the highest half percent; shares end at 1."""
    values = np.concatenate([each.y for each in curves] or [np.zeros(0)])
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not len(values):
        return ticks.linear(0.0, 1.0)
    calm = np.concatenate([each.calm()[1] for each in curves])
    calm = calm[np.isfinite(calm) & ((calm > 0) | (not log))]
    low, high = float(values.min()), float(values.max())
    if len(values) > 50 and len(calm):
        low = min(float(np.quantile(values, _HIDDEN)), float(calm.min()))
        high = max(float(np.quantile(values, 1 - _HIDDEN)), float(calm.max()))
    if log:
        return ticks.logarithmic(low / (high / low) ** 0.03 / 1.001, high * (high / low) ** 0.03 * 1.001)
    margin = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    is_share = low >= 0 and high <= 1
    bottom = 0.0 if 0 <= low < 0.25 * high else low - margin
    return ticks.linear(bottom, 1.0 if is_share and high > 0.8 else high + margin, 5)


def _said(value: float) -> str:
    """The last value of a curve, in a few letters.

    >>> _said(0.98765), _said(1234.5), _said(15312)
    ('0.9877', '1234', '15.31k')
    """
    return ticks.short(value) if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def _spread(places: list[float], top: float, bottom: float) -> list[float]:
    """Rising `places`, moved so that none is nearer to the next than a line of text."""
    moved = [max(place, top) for place in places]
    for number, (above, below) in enumerate(pairwise(list(moved)), 1):
        moved[number] = max(below, moved[number - 1] + _LEAST_APART) if below or above else below
    excess = moved[-1] - bottom if moved else 0.0
    limit = bottom
    for number in reversed(range(len(moved))):
        if excess <= 0:
            break
        moved[number] = min(moved[number], limit)
        limit = moved[number] - _LEAST_APART
    return moved
