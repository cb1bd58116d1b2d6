"""A case trained for a few steps: by the solver, and by hand on the reference."""

from __future__ import annotations

import numpy as np

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter

from .case import Case
from .run import Array, Outcome, Session
from .spelling import spell

RATE, MOMENTUM, DECAY, CLIP = 0.05, 0.9, 0.002, 2.0


class Trained(Session):
    """Each pass is a step of SGD with momentum, weight decay and clipped gradients."""

    def make(self) -> Net:
        if not self.way.solver:
            self.history: dict[int, Array] = {}
            return super().make()
        net = self.spelling.net
        net.engine = self.way.engine or "default"
        param = SolverParameter(
            net_param=net, base_lr=RATE, lr_policy="fixed", momentum=MOMENTUM, weight_decay=DECAY, clip_gradients=CLIP,
            max_iter=100, random_seed=self.case.number + 1, recompute=self.way.recompute, snapshot_after_train=False,
        )  # fmt: skip
        param.net_param.state.phase = brew.TRAIN
        self.solver = brew.get_solver(prototxt.parse(prototxt.to_text(param), SolverParameter), keep=self.kept())
        return self.solver.net

    def passes(self, number: int) -> None:
        if self.way.solver:
            self.solver.step(1)
            return
        self.net.clear_param_diffs()
        self.net.run_forward()
        self.net.run_backward()
        self._update()

    def _update(self) -> None:
        """w -= h with h = 0.9 h + rate (g + decay w), g shrunk to a norm of at most CLIP: Caffe's order."""
        parameters, graph = self.net.parameters, self.net.graph
        learned = [i for i in parameters.owners if graph.params[i].declared.learned]
        gradients = {i: parameters.slots[i].diff for i in learned}
        norm = np.sqrt(sum(float((g * g).sum()) for g in gradients.values()))
        shrink = CLIP / norm if norm > CLIP else 1.0
        for i in learned:
            param, blob = graph.params[i], parameters.slots[i]
            if not param.lr_mult:
                continue
            gradient = gradients[i] * shrink + DECAY * param.decay_mult * blob.data
            before = self.history.get(i, np.zeros(blob.shape))
            self.history[i] = MOMENTUM * before + RATE * param.lr_mult * gradient
            blob.data[...] -= self.history[i]

    def collect(self, number: int, outcome: Outcome) -> None:
        outcome[number, "loss"] = np.array(self.net.loss())
        for name, blobs in self.net.params.items():
            for slot, blob in enumerate(blobs):
                outcome[number, "weight", name, slot] = self.peek(blob)

    def give(self, number: int) -> None:
        pass


def trains(case: Case) -> bool:
    """Whether a case can be trained as it stands."""
    if case.phase != brew.TRAIN or case.force:
        return False
    net = Net(spell(case, in_place=False).net, case.phase, engine="caffe", fuse=False)
    return any(any(node.wanted(net.graph.params).params) for node in net.graph.nodes)
