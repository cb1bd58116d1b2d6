"""The reference itself against finite differences: it shares the graph, and the plan of gradients, with what it judges."""

from __future__ import annotations

import numpy as np

from .case import Case
from .run import REFERENCE, Session

STEP = 1e-6  # of parameters, in float64
_CHANGING = {  # types whose next forward computes something else: another draw, another batch, a state carried on
    "Data", "Dropout", "DummyData", "HDF5Data", "ImageData", "LSTM", "MemoryData", "RNN", "WindowData",
}  # fmt: skip
_STOCHASTIC = 2  # PoolingParameter.PoolMethod


def measurable(case: Case) -> bool:
    """Whether the loss of a case is a smooth function of its parameters, and its gradients are meant to be its slopes."""
    for op in case.ops:
        if op.type in _CHANGING or list(op.param.propagate_down):
            return False
        if op.type == "Pooling" and op.param.pooling_param.pool == _STOCHASTIC:
            return False
    return not case.force and not case.phase


def slope(case: Case) -> tuple[float, float]:
    """The slope of the loss along a random direction of its parameters: (by finite differences, by the gradients)."""
    session = Session(case, REFERENCE)
    net = session.net
    try:
        session.prepare(0)
        net.forward()
        net.backward()
        rng = np.random.default_rng([case.seed, case.number, 3])
        learned = [
            slot
            for slot, p in zip(net.parameters.slots, net.graph.params, strict=True)
            if p.lr_mult and net.graph.params[p.owner] is p
        ]
        begin = [slot.data.copy() for slot in learned]
        way = [rng.standard_normal(slot.shape) for slot in learned]
        said = sum(float((w * slot.diff).sum()) for w, slot in zip(way, learned, strict=True))
        ends = []
        for sign in (1, -1):
            for slot, start, w in zip(learned, begin, way, strict=True):
                slot.data[...] = start + sign * STEP * w
            net.forward()
            ends.append(float(net.loss()))
        return (ends[0] - ends[1]) / (2 * STEP), said
    finally:
        net.close()
