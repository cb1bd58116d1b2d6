"""SSD's batch samplers: windows of an image that are drawn until its boxes lie in them as is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .boxes import Boxes
from .draws import Draws

_WORDS = 4  # of a trial
_UNIT = 2.0**-53
_ANY = -np.inf, np.inf

Limits = tuple[float, float]
_Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampler:
    """Windows of a scale (the root of their share of the area) and an aspect, and what a box must have with one.

    jaccard          the overlap of box and window, at least and at most
    sample_coverage  the share of the window that the box covers
    object_coverage  the share of the box that the window covers

    A window counts where one box has all that is asked for, or nothing is; at most `most` windows (None: all) of
    `trials`.
    """

    scale: Limits = (1.0, 1.0)
    aspect: Limits = (1.0, 1.0)
    jaccard: Limits = _ANY
    sample_coverage: Limits = _ANY
    object_coverage: Limits = _ANY
    most: int | None = None
    trials: int = 100

    @property
    def asks(self) -> bool:
        """Whether anything is asked of boxes."""
        return (self.jaccard, self.sample_coverage, self.object_coverage) != (_ANY,) * 3


class BatchSampler:
    """All samplers of a layer: every trial of each is a row of the arrays that they share."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        times = [sampler.trials for sampler in samplers]
        self._ends = np.cumsum(times)
        self._most = [sampler.trials if sampler.most is None else sampler.most for sampler in samplers]
        names = ("scale", "aspect", "jaccard", "sample_coverage", "object_coverage")
        self._limits = {
            name: np.repeat(np.array([getattr(s, name) for s in samplers], np.float64).reshape(-1, 2), times, axis=0)
            for name in names
        }
        self._asks = np.repeat(np.array([s.asks for s in samplers], bool), times)

    def window(self, boxes: Boxes, draws: Draws) -> Boxes | None:
        """One of the windows (4) that are accepted for an image with these boxes, as shares of it, as the boxes are;
        None where there is none."""
        count = len(self._asks)
        words = draws.many("sample", _WORDS * count) >> np.uint64(11)
        units = words.reshape(count, _WORDS).astype(np.float64) * _UNIT
        windows = self._windows(units)
        accepted = ~self._asks | self._good(windows, boxes)
        found: list[int] = []
        start = 0
        for end, most in zip(self._ends, self._most, strict=True):
            found += (np.flatnonzero(accepted[start:end])[:most] + start).tolist()
            start = end
        return windows[found[draws.of("sample").below(len(found))]] if found else None

    def _windows(self, units: _Reals) -> Boxes:
        """A window for each row of four numbers from 0 to 1."""
        scale = _between(self._limits["scale"], units[:, 0])
        limits = np.stack([np.maximum(self._limits["aspect"][:, 0], scale**2),
                           np.minimum(self._limits["aspect"][:, 1], scale**-2)], axis=1)  # fmt: skip
        root = np.sqrt(_between(limits, units[:, 1]))
        sides = np.stack([scale * root, scale / root], axis=1)
        corners = (1 - sides) * units[:, 2:]
        return np.concatenate([corners, corners + sides], axis=1)

    def _good(self, windows: Boxes, boxes: Boxes) -> npt.NDArray[np.bool_]:
        """Whether some box has with a window all that is asked for."""
        low = np.maximum(windows[:, None, :2], boxes[:, :2])
        high = np.minimum(windows[:, None, 2:], boxes[:, 2:])
        common = np.maximum(high - low, 0).prod(2)
        of_window = (windows[:, 2:] - windows[:, :2]).prod(1)[:, None]
        of_box = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        shares = {
            "jaccard": common / (of_window + of_box - common),
            "sample_coverage": common / of_window,
            "object_coverage": common / np.where(of_box > 0, of_box, np.inf),
        }
        good = np.ones(common.shape, bool)
        for name, share in shares.items():
            limits = self._limits[name]
            good &= (share >= limits[:, :1]) & (share <= limits[:, 1:])
        return np.asarray(good.any(1), np.bool_)


def _between(limits: _Reals, units: _Reals) -> _Reals:
    return limits[:, 0] + (limits[:, 1] - limits[:, 0]) * units
