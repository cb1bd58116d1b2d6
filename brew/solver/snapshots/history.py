"""The history of an update rule (momentum, means of squares), as blobs of a solver state and back.

Rules read the same arrays in different ways: no rule can go on from the state of another, unless both keep the same
(`UpdateRule.keeps`). Brew's states name their type. Caffe's do not, so the type is checked by the signs of the numbers.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.errors import WeightsError
from brew.files.weights.stored import StoredBlob, StoredState
from brew.layer import Array, shape_text
from brew.solver.training.training import Training
from brew.solver.update.rule import rule_class

log = logging.getLogger("brew")

_ENOUGH = 64  # positive numbers without a negative one: hardly steps or gradients
_HINT = "--weights takes over the weights alone; --reset-history goes on from the state without its history"


def _pieces(training: Training) -> list[tuple[Array, tuple[int, ...]]]:
    """(flat piece of the arena, shape) for every slot of the rule and every owner: Caffe's order of history blobs."""
    parameters = training.net.parameters
    pieces = []
    for arena in training.update.history:
        for i in parameters.owners:
            blob, start = parameters.slots[i], parameters.starts[i]
            pieces.append((arena[start : start + blob.count], blob.shape))
    return pieces


def values(training: Training) -> list[npt.NDArray[Any]]:
    """The history blobs as host arrays."""
    pieces = _pieces(training)
    return [(p if training.device == "cpu" else cuda.asnumpy(p)).reshape(shape) for p, shape in pieces]


def check_type(training: Training, state: StoredState, path: str | Path) -> None:
    """WeightsError where a state names a type whose history is another's."""
    rule, writer = training.update.rule, _writer(state)
    other = rule_class(writer) if writer else None
    if writer and (other is None or other.keeps != rule.keeps):
        kept = f", whose history is {other.keeps}" if other is not None else ""
        raise WeightsError(
            f'{path}: the state of a solver of type "{writer}"{kept}; this one, "{rule.type}", keeps {rule.keeps}',
            hint=f'type: "{writer}" goes on with it; {_HINT}',
        )


def _writer(state: StoredState) -> str:
    """The type of the solver that wrote a state; "" where the state does not name it."""
    return state.resume.solver_type if state.resume is not None else ""


def check(training: Training, state: StoredState, path: str | Path) -> None:
    """WeightsError where the history in a state does not fit the solver's net, or by its numbers is another type's."""
    rule, pieces = training.update.rule, _pieces(training)
    if len(pieces) != len(state.history):
        raise WeightsError(
            f"{path}: {len(state.history)} history blobs, this solver ({rule.type}) needs {len(pieces)}",
            hint=f"the net or the solver type has changed since; {_HINT}",
        )
    for number, ((piece, shape), stored) in enumerate(zip(pieces, state.history, strict=True)):
        if stored.raw.size != piece.size:
            raise WeightsError(
                f"{path}: history blob {number} is {shape_text(stored.shape)}, the net's {shape_text(shape)}",
                hint=_HINT,
            )
    if not _writer(state):
        _check_signs(training, state, path)


def _check_signs(training: Training, state: StoredState, path: str | Path) -> None:
    """Squares are never negative; some steps and gradients are."""
    rule, owners = training.update.rule, len(training.net.parameters.owners)
    for slot in range(rule.slots):
        negative, above = _signs(state.history[slot * owners : (slot + 1) * owners])
        if slot in rule.squares and negative:
            raise WeightsError(
                f"{path}: {negative} numbers of its history are below 0: it is not of {rule.type}, which keeps "
                f"{rule.keeps}", hint=f"the type it was trained with goes on with it; {_HINT}",
            )  # fmt: skip
        if slot not in rule.squares and not negative and above >= _ENOUGH:
            log.warning(
                "%s: no number of its history is below 0, as with squared gradients: was it trained with %s? "
                "(--reset-history goes on without it)", path, rule.type,
            )  # fmt: skip


def _signs(blobs: list[StoredBlob]) -> tuple[int, int]:
    """How many numbers are negative, and how many positive."""
    negative = above = 0
    for blob in blobs:
        for piece in blob.pieces():
            negative += int(np.count_nonzero(piece < 0))
            above += int(np.count_nonzero(piece > 0))
    return negative, above


def restore(training: Training, state: StoredState) -> None:
    """Put back the history of a state that `check` has found to fit."""
    for (piece, _), stored in zip(_pieces(training), state.history, strict=True):
        start = 0
        for part in stored.pieces():  # a large state is never in memory as a whole
            there = piece[start : start + part.size]
            start += part.size
            if training.device == "cpu":
                there[...] = part
            else:
                cuda.upload(there, part)


def reset(training: Training) -> None:
    """Begin the history anew, as on request."""
    for piece, _ in _pieces(training):
        if training.device == "cpu":
            piece[...] = 0
        else:
            cuda.upload(piece, np.zeros(piece.size, training.net.dtype))
    log.info("the history (%s) begins anew", training.update.rule.keeps)
