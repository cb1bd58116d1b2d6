"""Where the lines of an axis stand, and what is written at them."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high` with lines at `ticks`; `texts` belong to them, "" for those without one."""

    low: float
    high: float
    ticks: tuple[float, ...]
    texts: tuple[str, ...]
    is_log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis `value` lies, from 0 to 1; what lies beyond an end is at it."""
        if self.is_log:
            value = math.log(max(value, 1e-300))
            low, high = math.log(self.low), math.log(self.high)
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), 0.0), 1.0)


def linear(low: float, high: float, count: int = 6) -> Axis:
    """An axis whose about `count` ticks are 1, 2, 2.5 or 5 times a power of ten.

    >>> linear(0, 1).texts, linear(0, 23000).texts
    (('0', '0.2', '0.4', '0.6', '0.8', '1'), ('0', '5k', '10k', '15k', '20k'))
    """
    low, high = _apart(low, high)
    step = _nice((high - low) / count)
    ticks = _multiples(low, high, step)
    return Axis(low, high, ticks, tuple(short(tick, step) for tick in ticks))


def times(low: float, high: float, count: int = 6) -> Axis:
    """An axis of seconds.

    >>> times(0, 3600).texts
    ('0', '10m', '20m', '30m', '40m', '50m', '1h')
    >>> times(0, 40).texts, times(0, 200000).texts
    (('0', '10s', '20s', '30s', '40s'), ('0', '12h', '1d', '1d12h', '2d'))
    """
    low, high = _apart(low, high)
    if high - low < 6:
        axis = linear(low, high, count)
        return Axis(low, high, axis.ticks, tuple(text if text == "0" else f"{text}s" for text in axis.texts))
    wanted = (high - low) / count
    step = min((s for s in _TIMES if s >= wanted * 0.8), default=_DAY * max(1.0, _nice(wanted / _DAY)))
    ticks = _multiples(low, high, step)
    return Axis(low, high, ticks, tuple(duration(tick) for tick in ticks))


def logarithmic(low: float, high: float) -> Axis:
    """An axis with lines at 1, 2, ... 9 times powers of ten; over few decades 2 and 5 are written too.

    >>> axis = logarithmic(0.01, 3)
    >>> [text for text in axis.texts if text]
    ['0.01', '0.02', '0.05', '0.1', '0.2', '0.5', '1', '2']
    """
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    span = math.log10(high / low)
    if span < 0.3:
        axis = linear(low, high)
        return Axis(axis.low, axis.high, axis.ticks, axis.texts, is_log=True)
    written = (1, 2, 5) if span < 2.6 else (1,)
    every = max(1, math.ceil(span / 8))
    marks = [(digit, decade) for decade in decades for digit in range(1, 10) if every == 1 or digit == 1]
    inside = [(d, p) for d, p in marks if low * 0.999 <= d * 10.0**p <= high * 1.001]
    texts = (short(d * 10.0**p) if d in written and p % every == 0 else "" for d, p in inside)
    return Axis(low, high, tuple(d * 10.0**p for d, p in inside), tuple(texts), is_log=True)


def short(value: float, step: float = 0.0) -> str:
    """A number for a tick; with `step`, with the digits that tell it from its neighbours.

    >>> short(0), short(1500), short(2e6), short(0.00005), short(0.25, 0.25), short(1e-7)
    ('0', '1.5k', '2M', '5e-5', '0.25', '1e-7')
    """
    if value == 0 or abs(value) < step * 1e-6:
        return "0"
    for factor, letter in ((1e12, ""), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if factor < 1e12 and abs(value) >= factor and step / factor < 1e3 and abs(value) < 1e12:
            return f"{_digits(value / factor, step / factor)}{letter}"
    if 1e-3 <= abs(value) < 1e12:
        return _digits(value, step)
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def duration(seconds: float) -> str:
    """Seconds as 45s, 2m30s, 1h30m or 2d12h: the two largest units.

    >>> duration(0), duration(150), duration(5400), duration(216000), duration(0.25)
    ('0', '2m30s', '1h30m', '2d12h', '0.25s')
    """
    if seconds < 10 and seconds != round(seconds):
        return f"{seconds:.3g}s"
    rest, parts = round(seconds), []
    for unit, letter in ((_DAY, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if rest >= unit:
            parts.append(f"{rest // unit}{letter}")
            rest %= unit
        elif parts:
            break
    return "".join(parts[:2]) or "0"


def _digits(value: float, step: float) -> str:
    if step <= 0:
        return f"{value:.4g}"
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    places += abs(step * 10**places - round(step * 10**places)) > 1e-6  # a step of 2.5
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in _STEPS if factor * power >= step * 0.999)


def _multiples(low: float, high: float, step: float) -> tuple[float, ...]:
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return tuple(number * step for number in range(first, last + 1))


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two ends that differ by more than rounding."""
    if high - low > max(abs(low), abs(high)) * 1e-6:
        return low, high
    around = abs(low) * 0.1 or 1e-6
    return low - around, high + around
