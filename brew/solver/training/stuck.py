"""Warnings of a loss that is stuck, once each: because scores have exploded, or because nothing it depends on changes.

A probability below the least that counts is taken for that least. Once scores are far apart every probability is 0 or
1, each item loses either nothing or -log of the least (87.34 of FLT_MIN), and almost no gradient is left.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from brew.layer import count
from brew.net.net import Net
from brew.ops.loss import normalization
from brew.proto.brew_pb2 import LayerParameter, LossParameter

from .events import Displayed, Event

log = logging.getLogger("brew")

_LEAST = {"SoftmaxWithLoss": float(np.finfo(np.float32).tiny), "InfogainLoss": 1e-20, "MultinomialLogisticLoss": 1e-20}
_AXIS = {"SoftmaxWithLoss": "softmax_param", "InfogainLoss": "infogain_loss_param"}
_HIGH = 20.0  # a mean loss per item that no training in its senses keeps: the right class has a chance of 2e-9
_SHARES, _LONG = 3, 10  # displays in a row: at whole shares of the most there is; or high and no lower
_STILL = 5  # displays in a row with the same loss
_MOST_ITEMS = 10_000  # of more, a mean in 32 bits cannot tell shares


@dataclass(slots=True)
class _Loss:
    """An output that is a loss over probabilities: of which layer, and since when it is high."""

    output: str
    layer: str
    param: LayerParameter
    first: float = 0.0  # of the displays in a row in which it was high
    high: int = 0
    shares: int = 0


class Stuck:
    """Watches the displays of the training of `net` (Solver.watch)."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self._losses = list(_losses(net))
        self._exploded = self._stood = False
        self._last, self._still = math.nan, 0

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Displayed) or not event.rate:
            return
        for loss in self._losses:
            value = event.outputs.get(loss.output)
            if value is not None and not self._exploded and self._has_exploded(loss, value):
                self._exploded = True
                log.warning(
                    'iteration %d: the loss "%s" is %g and stays there: the scores have exploded, the right class '
                    "often has a chance of 0 (which counts as %g, a loss of %.2f), and hardly any gradient is left "
                    "(usual causes: base_lr too high, input not scaled, weights that start too large; begin again, or "
                    "from a snapshot of before)",
                    event.iteration, loss.output, value, _LEAST[loss.param.type], _most(loss.param),
                )  # fmt: skip
        self._watch_still(event)

    def _has_exploded(self, loss: _Loss, value: float) -> bool:
        """Count one more display; whether the scores have exploded."""
        items, divisor = self._items(loss)
        mean = value * divisor / items if items else 0.0
        if not (math.isfinite(mean) and mean > _HIGH):
            loss.high = loss.shares = 0
            return False
        loss.first = loss.first if loss.high else mean
        share = mean / _most(loss.param) * items
        whole = items <= _MOST_ITEMS and abs(share - round(share)) < 0.01
        loss.high, loss.shares = loss.high + 1, loss.shares + 1 if whole else 0
        return loss.shares >= _SHARES or (loss.high >= _LONG and mean > 0.9 * loss.first)

    def _items(self, loss: _Loss) -> tuple[int, float]:
        """How many items the loss is of, and what their sum is divided by (ignored ones are not known here)."""
        shape = self.net.blobs[self.net.bottom_names[loss.layer][0]].shape
        if loss.param.type not in _AXIS:
            return shape[0], shape[0]
        axis = getattr(loss.param, _AXIS[loss.param.type]).axis % len(shape)
        outer, inner = count(shape[:axis]), count(shape[axis + 1 :])
        mode = normalization(loss.param.loss_param)
        if mode == LossParameter.NONE:
            return outer * inner, 1
        return outer * inner, outer if mode == LossParameter.BATCH_SIZE else outer * inner

    def _watch_still(self, event: Displayed) -> None:
        moved = event.loss != event.loss or event.loss != self._last
        self._last, self._still = event.loss, 1 if moved else self._still + 1
        if self._still >= _STILL and event.loss and not self._stood:
            self._stood = True
            log.warning(
                "iteration %d: the loss has been %g at %d displays: it does not move (usual causes: weights that "
                "start at 0 or are not learned, a base_lr out of all proportion; brew check finds some)",
                event.iteration, event.loss, self._still,
            )  # fmt: skip


def _losses(net: Net) -> Iterator[_Loss]:
    for layer in net.layers:
        if layer.type in _LEAST and (top := net.top_names[layer.name][0]) in net.outputs:
            yield _Loss(top, layer.name, layer.param)


def _most(param: LayerParameter) -> float:
    return -math.log(_LEAST[param.type])
