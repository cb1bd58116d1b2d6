"""A noisy curve as a calm one, and a long one as a short one."""

from __future__ import annotations

import numpy as np

from .series import Numbers

_FEW = 60  # points that need no smoothing
_WINDOWS = 30  # of a whole curve, by which it is smoothed when nobody says how
_REACH = 4.0  # how far a kernel goes, in its widths


def smoothed(x: Numbers, y: Numbers, width: float) -> Numbers:
    """`y` (n) as a mean around each point, weighted by a Gaussian of `width` in units of `x` (n), which rises.

    The curve does not lag, as one smoothed by past values does; near its beginning, where a loss falls steeply, the
    width shrinks, so that it begins with the first value. NaN has no weight, and stays where it is. Each point looks at
    all that are near: `averaged` first makes few of many.
    """
    result = np.full(y.shape, np.nan)
    finite = np.isfinite(y)
    places, values = x[finite], y[finite]
    if len(values) < 3 or width <= 0:
        return y.copy()
    widths = np.minimum(width, (places - places[0]) / 2 + 1e-9 * width)
    first = np.searchsorted(places, places - _REACH * widths)
    last = np.searchsorted(places, places + _REACH * widths, side="right")
    calm = np.empty_like(values)
    for number, (begin, end) in enumerate(zip(first, last, strict=True)):
        weights = np.exp(-0.5 * ((places[begin:end] - places[number]) / widths[number]) ** 2)
        calm[number] = weights @ values[begin:end] / weights.sum()
    result[finite] = calm
    return result


def width_for(x: Numbers, points: float | None) -> float:
    """The width that smooths over about `points` points of `x`; None: as suits them, and not at all where few."""
    if len(x) < 3 or (points is None and len(x) <= _FEW):
        return 0.0
    share = 2 / _WINDOWS if points is None else points / (len(x) - 1)
    return float(x[-1] - x[0]) * share / 4  # two widths to each side have nearly all of the weight


def averaged(x: Numbers, y: Numbers, most: int) -> tuple[Numbers, Numbers]:
    """At most `most` points: the means of stretches of the curve, of their finite values."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(np.int64)[:-1]
    finite = np.isfinite(y)
    counts = np.add.reduceat(finite.astype(np.float64), edges)
    sums = np.add.reduceat(np.where(finite, y, 0.0), edges)
    lengths = np.diff([*edges, len(x)])
    means = np.divide(sums, counts, out=np.full(most, np.nan), where=counts > 0)
    return np.add.reduceat(x, edges) / lengths, means


def thinned(x: Numbers, y: Numbers, most: int) -> tuple[Numbers, Numbers]:
    """At most about `most` points of a curve that draw the same: of each stretch its lowest and its highest."""
    if len(x) <= most:
        return x, y
    chosen: list[int] = [0]
    for stretch in np.array_split(np.arange(len(x)), max(1, most // 2)):
        values = y[stretch]
        if np.isnan(values).all():
            chosen.append(int(stretch[0]))
            continue
        chosen += sorted({int(stretch[np.nanargmin(values)]), int(stretch[np.nanargmax(values)])})
    kept = np.unique([*chosen, len(x) - 1])
    return x[kept], y[kept]
