"""Epochs into iterations, as soon as the length of the training data is known."""

from __future__ import annotations

import logging
import math

from brew.errors import SolverError
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document

from . import problems

log = logging.getLogger("brew")

_FIELDS = {"max_epochs": "max_iter", "test_epochs": "test_interval", "snapshot_epochs": "snapshot"}


def to_iterations(document: Document[SolverParameter], net: Net) -> None:
    """Set max_iter, test_interval and snapshot from their epochs; the first data layer of `net` has the epoch.

    max_iter is rounded up, so that every record is seen; the others to the nearest, at least 1. SolverError where
    the net's data has no end.
    """
    param = document.message
    given = [field for field in _FIELDS if param.HasField(field)]
    if not given:
        return
    records = next((count for layer in net.data_layers if (count := layer.epoch()) is not None), None)
    if not records:
        raise SolverError(
            f"solver: {given[0]} needs data with an end, and the train net has none", place=document.place(given[0]),
            hint=f"{_FIELDS[given[0]]} counts iterations instead",
        )  # fmt: skip
    batch = net.batch_size * param.iter_size
    for field in given:
        iterations = getattr(param, field) * records / batch
        count = math.ceil(iterations) if field == "max_epochs" else max(1, round(iterations))
        setattr(param, _FIELDS[field], count)
        log.info("%s: %g is %s: %d (%d records, %d an iteration)", field, getattr(param, field), _FIELDS[field], count,
                 records, batch)  # fmt: skip
    for problem in problems.after_epochs(document):
        raise problem
