"""The costs of the ways to compute a convolution: the rule by which they are chosen, the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .blocked import Blocked, Tiling
from .filter_bank import FilterBank
from .transforms import SCHEMES, Scheme

# In multiplications of vectors by the direct way: the time of a multiplication here, of taking apart and putting
# together an element of a tile, and of transforming a filter (measured on Zen 4).
_RATE, _APART, _TOGETHER, _TRANSFORMED = 0.9, 6, 5, 1000
_MARGIN = 0.85


@dataclass(frozen=True)
class Cost:
    """The costs of a way and of the direct one, in multiplications of vectors; `transforming` the filters alone."""

    here: float
    direct: float
    transforming: float

    @classmethod
    def of(cls, scheme: Scheme, source: Blocked, target: Blocked, tiled: Blocked, *, derived: bool) -> Cost:
        """Of a group. Tiles share out the pixels of `tiled`; with `derived` filters are transformed for every run."""
        bank = FilterBank(scheme, target.of_group, source.of_group, 1)
        blocks = bank.panels * bank.columns
        element = bank.rows * blocks / _RATE + source.blocks * _APART + target.blocks * _TOGETHER
        tiles = Tiling.over(tiled, scheme.outputs).count
        transforming = bank.inputs * blocks * _TRANSFORMED
        here = tiles * scheme.elements * element + derived * transforming
        pixels = target.images * target.height * target.width
        return cls(here, pixels * scheme.taps**2 * bank.inputs * target.blocks, transforming)

    @property
    def pays(self) -> bool:
        """Whether it is faster than the direct way."""
        return self.here < _MARGIN * self.direct

    @property
    def transforming_share(self) -> float:
        """Of the time, to transform the filters."""
        return self.transforming / self.here


def cheapest(taps: int, cost: Callable[[Scheme], Cost]) -> tuple[Scheme, Cost]:
    """The scheme for filters of `taps` that costs least."""
    costs = {scheme: cost(scheme) for scheme in SCHEMES[taps]}
    scheme = min(costs, key=lambda scheme: costs[scheme].here)
    return scheme, costs[scheme]
