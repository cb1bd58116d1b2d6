"""A case run in one way: what it gives, as arrays by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.layers.memory_data import MemoryData
from brew.memory.blob import Blob
from brew.net.net import Net

from .case import Case
from .manners import MANNERS, whole
from .poison import unwritten
from .spelling import Spelling, spell

Array = npt.NDArray[Any]
Key = tuple[Any, ...]  # (pass, "value" | "gradient" | "learned" | "weight" | "loss", ...)
Outcome = dict[Key, Array]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a net; `manner` says how its passes go.

    keep  None for every blob, or how many of the inputs and the other blobs can be read besides outputs: "none",
          "inputs", "some"
    """

    in_place: bool = True
    engine: str | None = None
    float64: bool = False
    fuse: bool | None = None
    keep: str | None = None
    recompute: bool = False
    forward_only: bool = False
    manner: str = "whole"
    solver: bool = False
    device: str = "cpu"

    def __str__(self) -> str:
        said = [
            "in place" if self.in_place else "plain", self.engine or "default", "float64" if self.float64 else "float32",
            {None: "fuse default", True: "fused", False: "unfused"}[self.fuse],
            "all kept" if self.keep is None else f"keep {self.keep}", *["recompute"] * self.recompute,
            *["forward_only"] * self.forward_only, self.manner, *["solver"] * self.solver, *[self.device] * (self.device != "cpu"),
        ]  # fmt: skip
        return ", ".join(said)


REFERENCE = Way(in_place=False, engine="caffe", float64=True, fuse=False)


def feed(case: Case, number: int, *, off: int = 0) -> dict[int, Array]:
    """What the inputs hold in this pass; `off` numbers changes of some parts in a million, 0 is none."""
    if (number, off) not in case.fed:
        case.fed[number, off] = _feed(case, number, off)
    return case.fed[number, off]


def _feed(case: Case, number: int, off: int) -> dict[int, Array]:
    found = {}
    for value in case.inputs:
        rng = np.random.default_rng([case.seed, case.number, number, value])
        shape, facts = case.passes[number][value], case.values[value]
        if facts.classes > 0:
            found[value] = rng.integers(0, facts.classes, shape).astype(np.float64)
        elif facts.classes < 0:  # a selector: at least one item stays
            found[value] = np.ones(shape) if facts.classes < -1 else rng.integers(0, 2, shape).astype(np.float64)
            found[value].flat[0] = 1
        elif facts.low is not None:
            found[value] = rng.uniform(facts.low, facts.most, shape)
        else:
            found[value] = np.clip(rng.normal(0, 1, shape), -facts.most, facts.most)
        if off and not facts.classes:
            size = 2e-6 if off <= 2 else 1e-5
            found[value] *= 1 + size * np.random.default_rng([off, value]).standard_normal(shape)
        found[value] = found[value].astype(np.float32).astype(np.float64) if not off else found[value]
    return found


def run(case: Case, way: Way, *, off: int = 0) -> Outcome:
    """Run the passes of a case; BrewError where it refuses."""
    session = SESSIONS.get(way.manner, Session)(case, way, off)
    try:
        return session.run()
    finally:
        session.net.close()


_ROUNDS = 6e-8  # half of float32's last place, of a number


class Session:
    """A net of a case, made as a way says."""

    def __init__(self, case: Case, way: Way, off: int = 0) -> None:
        self.case, self.way, self.off = case, way, off
        self.spelling: Spelling = spell(case, in_place=way.in_place)
        self.net = self.make()
        self.rng = np.random.default_rng([case.seed, case.number, 99])
        unwritten(self.net)
        self.holds = self._holds()
        self.start()
        if off > 2:
            self.net.after_forward(lambda number: self._round(number, backward=False))
            self.net.after_backward(lambda number: self._round(number, backward=True))

    def _round(self, number: int, *, backward: bool) -> None:
        """Move what a layer has made by about what float32 would round; whole numbers have no rest to round."""
        layer = self.net.layers[number].name
        for name in (self.net.bottom_names if backward else self.net.top_names)[layer]:
            values = self.net.blobs[name].diff if backward else self.net.blobs[name].data
            noise = np.random.default_rng([self.off, number, backward]).standard_normal(values.shape)
            values *= 1 + (values != np.round(values)) * _ROUNDS * noise

    def make(self, share: Net | None = None) -> Net:
        """The net."""
        case, way = self.case, self.way
        return Net(
            self.spelling.net, case.phase, seed=case.number + 1, engine=way.engine or "default",
            dtype=np.float64 if way.float64 else np.float32, fuse=way.fuse, keep=self.kept(), device=way.device,
            forward_only=way.forward_only, recompute=way.recompute, share=share,
        )  # fmt: skip

    def kept(self) -> list[str] | None:
        names, case = self.spelling.names, self.case
        if self.way.keep is None:
            return None
        kept = [] if self.way.keep == "none" else [names[v] for v in case.inputs]
        if self.way.keep == "some":
            kept += [name for v, name in names.items() if (v * 7919 + case.number) % 5 == 0]
        return sorted(set(kept))

    def _holds(self) -> dict[int, int]:
        """By blob of the graph, the value that it holds after forward: what the last of its writers makes."""
        tops, found = {op.name: op.tops for op in self.case.ops}, {}
        for node in self.net.graph.nodes:
            found |= dict(zip(node.tops, tops.get(node.layer.name, ()), strict=False))
        return found

    def start(self) -> None:
        """Parameters that fillers leave at zero, or that mean nothing there."""
        for op in self.case.ops:
            blobs = self.net.params.get(op.name, [])
            rng = np.random.default_rng([self.case.seed, self.case.number, len(op.name), sum(map(ord, op.name))])
            if op.type == "BatchNorm":
                for blob, (low, high) in zip(blobs, ((-0.5, 0.5), (0.5, 2.0), (1.0, 1.0)), strict=True):
                    self._put(blob, rng.uniform(low, high, blob.shape))
            elif op.type == "Parameter":
                self._put(blobs[0], rng.uniform(-1, 1, blobs[0].shape))
            elif op.type == "MemoryData":
                layer, shape = self.net.layer_dict[op.name], self.case.values[op.tops[0]].shape
                assert isinstance(layer, MemoryData)
                data = rng.uniform(-1, 1, (2 * layer.batch_size, *layer.image)).astype(np.float32)
                layer.reset(data, rng.integers(0, 2, 2 * layer.batch_size).astype(np.float32))
                assert len(shape) == 4

    @staticmethod
    def _put(blob: Blob, values: Array) -> None:
        blob.data[...] = values.astype(np.float32)

    def run(self) -> Outcome:
        outcome: Outcome = {}
        for number in range(len(self.case.passes)):
            self.prepare(number)
            self.passes(number)
            self.collect(number, outcome)
        return outcome

    def prepare(self, number: int) -> None:
        """Inputs, gradients of outputs and parameters as a pass is to find them."""
        net, names = self.net, self.spelling.names
        for value, array in feed(self.case, number, off=self.off).items():
            blob = net.blobs[names[value]]
            if blob.shape != array.shape:
                blob.reshape(*array.shape)
            blob.data[...] = array
        if number:
            for name in self.case.touched:
                for slot, blob in enumerate(net.params.get(name, [])):
                    blob.data[...] *= 1.0625 if slot == 0 else 0.9375
        if not number or not self.case.adds:
            net.clear_param_diffs()

    def passes(self, number: int) -> None:
        """One pass in the way's manner."""
        MANNERS.get(self.way.manner, whole)(self, number)

    @property
    def backward(self) -> bool:
        return not self.way.forward_only

    def give(self, number: int) -> None:
        """Gradients of outputs, where all layers run backward."""
        if not (self.case.force and self.backward):
            return
        weighed = {t for node in self.net.graph.nodes for t, w in zip(node.tops, node.loss_weights, strict=True) if w}
        for output in self.net.graph.outputs:
            value = self.holds.get(output)
            if value is not None and output not in weighed:
                rng = np.random.default_rng([self.case.seed, self.case.number, number, value, 5])
                blob = self.net._blob_list[output]
                blob.diff[...] = rng.standard_normal(blob.shape).astype(np.float32)

    def collect(self, number: int, outcome: Outcome) -> None:
        """Note all that can be read now."""
        net = self.net
        outcome[number, "loss"] = np.array(net.loss())
        readable = None if self.way.keep is None else {*net.outputs, *(self.kept() or [])}
        for blob, value in self.holds.items():
            if readable is None or net._blob_list[blob].name in readable:
                outcome[number, "value", value] = self.peek(net._blob_list[blob])
        learns = self.backward and any(node.backward for node in net.graph.nodes)
        for name, blobs in net.params.items():
            for slot, blob in enumerate(blobs):
                outcome[number, "weight", name, slot] = self.peek(blob)
                if learns:
                    outcome[number, "learned", name, slot] = self.peek(blob, "diff")
        if self.backward and self.way.keep != "none":
            fed = {net.graph.blobs[b].name: net._blob_list[b] for b in net.graph.inputs}  # as `backward` returns them
            for value, name in self.wanted().items():
                outcome[number, "gradient", value] = self.peek(fed.get(name, net.blobs[name]), "diff")

    def wanted(self) -> dict[int, str]:
        """The inputs that get a gradient."""
        names, first = self.spelling.names, dict[str, bool]()
        for node in self.net.graph.nodes:
            for b, wanted in zip(node.bottoms, node.bottom_gradients, strict=True):
                first.setdefault(
                    self.net.graph.blobs[b].name, node.backward and wanted
                )  # later readers: of other versions
        return {v: names[v] for v in self.case.inputs if first.get(names[v])}

    def peek(self, blob: Blob, which: str = "data") -> Array:
        memory = blob.data_memory if which == "data" else blob.diff_memory
        return np.array(memory.host(blob.shape), np.float64)


SESSIONS: dict[str, type[Session]] = {}  # by manner, where it takes more than a function
