"""A loss that is not finite: the layer where it began, and what follows (`on_nan`)."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import DivergedError, WeightsError
from brew.files.finite import not_finite
from brew.files.weights.reading import Weights
from brew.layer.data_layer import DataLayer
from brew.memory.blob import Blob
from brew.net.net import Net
from brew.net.parameters import Parameters
from brew.net.statistics import Statistics
from brew.proto.brew_pb2 import SolverParameter

log = logging.getLogger("brew")

_MOST_SKIPS = 20  # in a row; the training does not recover then
_BEFORE_ANY_UPDATE = "no update has been made yet: look at the weights it starts from, the fillers, the input's scale"
_CAUSES = "usual causes: base_lr too high, input not scaled, labels out of range"


class Guard:
    """Checks the loss of every iteration and decides whether its update is left out.

    With on_nan: SKIP the `statistics` that forward changes (BatchNorm's) are put back; they have been kept before it.
    """

    def __init__(self, net: Net, param: SolverParameter, statistics: Statistics) -> None:
        self.net = net
        self._statistics = statistics
        self.skips = param.on_nan == SolverParameter.SKIP
        self.skipped = 0
        self._in_a_row = 0
        self._updates = 0  # of this process

    def leaves_out(self, loss: float | None, iteration: int, rate: float) -> bool:
        """Whether to leave out this iteration's update; DivergedError where training stops.

        `loss` is None where it was not read back; it is not checked then.
        """
        if loss is None or math.isfinite(loss):
            self._in_a_row = 0 if loss is not None else self._in_a_row
            self._updates += 1
            return False
        self._in_a_row += 1
        bad = first_bad(self.net)
        what = f"iteration {iteration}: the loss is {loss}; {bad.what}"
        hint = bad.hint or (f"{_CAUSES}; last rate {rate:g}" if self._updates else _BEFORE_ANY_UPDATE)
        if not self.skips:
            raise DivergedError(what, hint=hint)
        if self._in_a_row > _MOST_SKIPS:
            raise DivergedError(f"{what}; {_MOST_SKIPS} updates in a row were skipped", hint=hint)
        log.warning("%s; the update of this iteration is skipped", what)
        self.skipped += 1
        self._statistics.put_back()
        return True

    def check_state(self, history: Sequence[npt.NDArray[Any]], when: str) -> None:
        """DivergedError where weights or the history of their updates are not finite.

        The loss may be finite all the same: a ReLU makes 0 of NaN. On CUDA only the loss is checked.
        """
        if bad := _bad_state(self.net.parameters, history):
            raise DivergedError(f"{when}: {bad}", hint=_CAUSES)


def check_loaded(parameters: Parameters, files: Weights, history: Sequence[npt.NDArray[Any]] = ()) -> None:
    """WeightsError where weights or history loaded from `files` are not finite."""
    if bad := _bad_state(parameters, history):
        names = files if isinstance(files, str | Path) else ", ".join(map(str, files))
        raise WeightsError(f"{names}: {bad}", hint="brew check counts them; take an earlier snapshot")


def _bad_state(parameters: Parameters, history: Sequence[npt.NDArray[Any]]) -> str | None:
    """The first of a net's own weights, or of their history, that is not finite, in words; CPU only."""
    if parameters.device != "cpu":
        return None
    if not_finite(parameters.arena):
        for node in parameters.graph.nodes:
            for number, slot in enumerate(node.params):
                if not _finite(parameters.slots[slot]):
                    kind = f'layer "{node.layer.name}" ({node.layer.type})'
                    return f"weights of {kind} are not finite (its blob {number})"
    for number, values in enumerate(history):
        if not_finite(values.reshape(-1)):
            return f"the weights are finite, and the history of their updates is not (its blob {number})"
    return None


@dataclass(frozen=True, slots=True)
class Bad:
    """A value that is not finite, in words, and the remedy where it is known."""

    what: str
    hint: str | None = None


def first_bad(net: Net) -> Bad:
    """The first layer of `net` with a value that is not finite.

    Layers share memory, so a pass leaves few values to check: the layers run once more, one by one, on the same batch.
    """
    for layer_number, node in enumerate(net.graph.nodes):
        layer = node.layer
        if isinstance(layer, DataLayer):
            what = layer.not_finite()
            if what is not None:
                hint = "mend the record or leave it out: `brew data check` lists all that are bad"
                return Bad(
                    f'layer "{layer.name}" ({layer.type}) brings the first blob that is not finite, {what}', hint
                )
            continue
        if node.bottoms:
            with np.errstate(all="ignore"):
                net.forward_layer(layer_number)
        for number, slot in enumerate(node.params):
            if not _finite(net.parameters.slots[slot]):
                return Bad(f'weights of layer "{layer.name}" ({layer.type}) are not finite (its blob {number})')
        for name in (net.graph.blobs[top].name for top in node.tops):
            if name in net.blobs and not _finite(net.blobs[name]):
                return Bad(f'layer "{layer.name}" ({layer.type}) made the first blob that is not finite, "{name}"')
    return Bad("every blob is finite: the sum over the losses is not")


def _finite(blob: Blob) -> bool:
    return bool(np.isfinite(blob.data_memory.host(blob.shape)).all())
