"""How long a training waited for its data, and what would help."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from brew.layer.data_layer import DataLayer
from brew.net.net import Net

log = logging.getLogger("brew")

_MUCH = 0.05  # of the time: more is worth a remedy
_LONG = 1.0  # seconds: less is not


class Waiting:
    """The seconds that passes of `nets` wait for batches, from now on."""

    def __init__(self, nets: Sequence[Net]) -> None:
        self._layers = [layer for net in nets for layer in net.data_layers]
        self._start = [layer.waited for layer in self._layers]
        self._told = 0.0

    def _by_layer(self) -> list[tuple[float, DataLayer]]:
        return [(layer.waited - start, layer) for layer, start in zip(self._layers, self._start, strict=True)]

    @property
    def seconds(self) -> float:
        """All of them so far."""
        return sum(seconds for seconds, _ in self._by_layer())

    def since(self) -> float:
        """Those since the last call."""
        before, self._told = self._told, self.seconds
        return self._told - before

    def report(self, spent: float) -> None:
        """Log how much of `spent` seconds it was; where it was much, which layer made it wait and what would help."""
        if not self._layers:
            return
        share = self.seconds / spent if spent > 0 else 0.0
        log.info("Waited for data: %.1f s of %.1f s (%.0f %%)", self.seconds, spent, 100 * share)
        if self.seconds < _LONG or share < _MUCH:
            return
        seconds, layer = max(self._by_layer(), key=lambda each: each[0])
        place, remedies = layer.context.place(), layer.hastened_by()
        log.warning(
            '%slayer "%s" (%s): the training waited %.1f s for its batches, %.0f %% of its time%s',
            f"{place}: " if place else "", layer.name, layer.type, seconds, 100 * seconds / spent,
            f" (what would help: {'; '.join(remedies)})" if remedies else "",
        )  # fmt: skip
