"""What the steps of a net are bound to, and when they have to be bound anew.

A step is bound when its arrays stand ready in an `Arrays`. It stays bound until the stamp of one of its blobs changes;
checking that before each layer is all that a pass costs beside the arithmetic (docs/decisions/0001).
"""

from __future__ import annotations

import numpy as np

from brew import cuda
from brew.layer import Arrays, ChangeCount
from brew.layer.data_layer import DataLayer
from brew.memory.scratch import Scratch
from brew.memory.stamps import Stamps

from .pass_counter import PassCounter
from .step import Step


class Binding:
    """The scratch and the count of passes that all steps of a net share, and what says that something has changed.

    changes  grows with every change of the parameters
    stamps   those of all blobs
    """

    def __init__(self, changes: ChangeCount, stamps: Stamps, device: str) -> None:
        self.changes, self.stamps, self.device = changes, stamps, device
        self.scratch = Scratch(device)
        self.passes = PassCounter(device)

    def arrays(self, step: Step) -> Arrays:
        """The bound arrays of a step, made anew where shapes or memory have changed."""
        if step.reads_data:
            read_next_shapes(step)
        latest = self.stamps.latest
        if step.io is not None and step.seen == latest and step.key[0] == self.scratch.stamp:
            return step.io  # nothing has changed anywhere
        if step.io is None or step.current_key(self.scratch) != step.key:
            step.reshape()
            if step.current_shapes() != step.shapes:
                step.prepare(self.scratch)
            step.bind(self.scratch, self.passes.array, self.changes)
            self._weigh(step)
        step.seen = latest  # as of before: what binding has changed counts
        assert step.io is not None
        return step.io

    def _weigh(self, step: Step) -> None:
        """A loss's gradient is its weight; it stays until the caller writes another."""
        if not step.wanted.backward:
            return
        assert step.io is not None
        for weight, dy in zip(step.loss_weights, step.io.dy, strict=True):
            if weight and self.device == "cpu":
                dy.fill(weight)
            elif weight:
                cuda.upload(dy, np.full(dy.shape, weight, dy.dtype))


def read_next_shapes(step: Step) -> None:
    """Give the tops of a step that reads data the shapes of the batch that comes next."""
    assert isinstance(step.layer, DataLayer)
    for blob, shape in zip(step.tops, step.layer.next_shapes(), strict=True):
        if blob.shape != shape:
            blob.reshape(*shape)
