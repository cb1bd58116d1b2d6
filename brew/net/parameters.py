"""The parameters of a net: one arena for their data, one for their gradients.

A slot is one parameter of one layer; shared slots live in their owner's memory. A net that shares the weights of
another (a solver's test net) takes that net's blobs by layer name; where the other has no such layer, by the name of
a parameter that several layers share. It owns only the parameters that the other lacks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.errors import UsageError
from brew.graph.graph import Graph
from brew.layer import Array, ChangeCount, Layer, shape_text
from brew.layer.filler import initial
from brew.layer.layout import ALIGN
from brew.layer.random import Seed, Stream
from brew.memory.blob import Blob, Memory
from brew.memory.stamps import Stamps


class Parameters:
    """The slots of a net, and the arenas that their data and gradients lie in.

    `owners` are the slots that own memory, in layer order: Caffe's learnable params. `by_layer` has the blobs of every
    layer that has some, by the layer's name. `changes` grows with every change of their values; `stamps` are those of
    the net's blobs too.
    """

    def __init__(self, graph: Graph, dtype: np.dtype[Any], device: str, other: Parameters | None = None) -> None:
        """`other` are the parameters of the net whose weights this one shares; what changes there changes here."""
        self.graph, self.dtype, self.device = graph, dtype, device
        self.stamps: Stamps = Stamps() if other is None else other.stamps
        self.changes: ChangeCount = ChangeCount() if other is None else other.changes
        _check_names(graph)
        self.slots = [Blob(p.declared.shape, dtype, device, f"param {p.index}", self.stamps) for p in graph.params]
        self.by_layer: OrderedDict[str, list[Blob]] = OrderedDict(
            (node.layer.name, [self.slots[p] for p in node.params]) for node in graph.nodes if node.params
        )
        self.owners = [i for i, p in enumerate(graph.params) if p.owner == i]
        self.starts: dict[int, int] = {}
        self._exposed: list[Memory] = []
        self._looked_at = -1  # the latest stamp then
        self.updated = False  # an update rule works on the arenas
        self.arena: Array = np.zeros(0, dtype)
        self.gradient_arena: Array = np.zeros(0, dtype)

    def allocate(self, seed: Seed, other: Parameters | None, *, updated: bool) -> None:
        """Make the arenas and fill them; slots that `other`, or another slot, owns become views. With `updated` there
        are gradients even where no layer runs backward."""
        lent = {} if other is None else self._lent(other)
        self.updated = updated
        own = [i for i in self.owners if i not in lent]
        align = ALIGN // self.dtype.itemsize
        ends = np.cumsum([0] + [-(-self.slots[i].count // align) * align for i in own]).tolist()
        make = np.zeros if self.device == "cpu" else cuda.zeros
        self.arena = make(ends[-1], self.dtype)
        trains = updated or any(node.backward for node in self.graph.nodes)
        self.gradient_arena = make(ends[-1] if trains else 0, self.dtype)
        self.starts = dict(zip(own, ends[:-1], strict=True))
        for i in own:
            slot = self.slots[i]
            piece = slice(self.starts[i], self.starts[i] + slot.count)
            slot.data_memory = Memory(self.dtype, self.device, self.arena[piece], self.stamps)
            if trains:
                slot.diff_memory = Memory(self.dtype, self.device, self.gradient_arena[piece], self.stamps)
            self._fill(i, seed)
        for i, slot in enumerate(self.slots):
            owner = self.graph.params[i].owner
            if owner != i:
                slot.share(self.slots[owner], diff=True)
            elif i in lent:
                slot.share(lent[i], diff=False)

    def take_over(self, other: Parameters) -> None:
        """Use the data of `other`'s slots from now on, where a layer of that name is there; gradients stay apart.

        NetError where shapes differ, and nothing is changed then; UsageError where an update rule works on these.
        """
        lent = {i: slot for i, slot in self._lent(other).items() if slot.data_memory is not self.slots[i].data_memory}
        if not lent:
            return
        if self.updated:
            what = "a net that a solver trains cannot take over the weights of another"
            raise UsageError(what, hint="let the other net share with this one, or copy the weights")
        for i, slot in enumerate(self.slots):
            if (owner := self.graph.params[i].owner) in lent:
                slot.share(lent[owner], diff=False)
        other.changes.number = max(self.changes.number, other.changes.number) + 1  # what was packed is of neither
        self.changes = other.changes
        self.stamps.follow(other.stamps)

    def _layer(self, slot: int) -> Layer:
        return self.graph.nodes[self.graph.params[slot].layer].layer

    def _lent(self, other: Parameters) -> dict[int, Blob]:
        """By owner, the slot of `other` that it uses. It is looked up for every layer that shares the parameter: the
        owner's own layer may be missing in `other`."""
        found: dict[int, Blob] = {}
        places = {place: slot for slot, place in enumerate(other._places())}
        names = {p.spec.name: p.owner for p in reversed(other.graph.params) if p.spec.name}
        layers = {layer for layer, _ in places}
        for slot, (place, param) in enumerate(zip(self._places(), self.graph.params, strict=True)):
            if place[0] in layers:
                lender = other.slots[places[place]] if place in places else None
                self._check_alike(slot, lender)
                assert lender is not None
                found.setdefault(param.owner, lender)
        for owner in self.owners:
            name = self.graph.params[owner].spec.name
            if owner not in found and name in names:
                self._check_alike(owner, other.slots[names[name]])
                found[owner] = other.slots[names[name]]
        return found

    def _places(self) -> Iterator[tuple[str, int]]:
        """The layer's name and the parameter's number, for each slot."""
        return ((self._layer(slot).name, param.index) for slot, param in enumerate(self.graph.params))

    def _check_alike(self, slot: int, lender: Blob | None) -> None:
        """NetError where shape, type or device of `slot` and `lender` differ."""
        layer, index = self._layer(slot), self.graph.params[slot].index
        mine, theirs = (
            f"{shape_text(b.shape)}, {b.data_memory.dtype} on {b.data_memory.device}" if b else "missing"
            for b in (self.slots[slot], lender)
        )
        if mine != theirs:
            raise layer.error(f"its parameter {index} is {mine}; in the net it shares weights with {theirs}")

    def _fill(self, slot: int, seed: Seed) -> None:
        param, layer = self.graph.params[slot], self._layer(slot)
        stream = Stream(seed, f"{layer.name}/{param.index}")
        if self.device == "cpu":  # in place: no second copy of a net of gigabytes
            blob = self.slots[slot]
            initial(param.declared, self.dtype, stream, layer.error, blob.data_memory.array(blob.shape))
        else:
            self.write(self.slots[slot], initial(param.declared, self.dtype, stream, layer.error))

    def write(self, blob: Blob, values: npt.NDArray[Any]) -> None:
        """Put host values of any float type into a blob's data, without exposing it."""
        array = blob.data_memory.array(blob.shape)
        if self.device == "cpu":
            array[...] = values.reshape(blob.shape)
            self.changes.number += 1
        else:
            cuda.upload(array, values)
            blob.data_memory.download()

    def note_changes(self, *, trained: bool = False) -> None:
        """One more change where they are `trained`, or the host may have written to them since this was called last."""
        written = self.exposed and any([memory.given.used() for memory in self._exposed])  # all are asked
        if trained or written:
            self.changes.number += 1

    @property
    def exposed(self) -> bool:
        """Whether the host has had views of any, and may write to them."""
        if self._looked_at != self.stamps.latest:
            self._exposed = [slot.data_memory for slot in self.slots if slot.data_memory.exposed]
            self._looked_at = self.stamps.latest
        return bool(self._exposed)

    def clear_gradients(self) -> None:
        """Set every gradient and its host view to zero; host views of data are left for the next pass."""
        lent = [self.slots[i].diff_memory for i in self.owners if i not in self.starts]
        for flat in (self.gradient_arena, *(m.array((m.capacity,)) for m in lent if m.capacity)):
            if self.device == "cpu":
                flat.view(np.uint8).fill(0)  # bytes are set at twice the speed of numbers
            else:
                cuda.zero(flat)
        for i in self.owners:
            self.slots[i].diff_memory.download()

    def upload_views(self) -> None:
        """Bring what was written to host views of parameters to the device, before an update there."""
        for i in self.owners:
            self.slots[i].data_memory.upload()
            self.slots[i].diff_memory.upload()

    def refresh_views(self) -> None:
        """Bring host views of parameters up to date after an update on the device."""
        for i in self.owners:
            self.slots[i].data_memory.download()
            self.slots[i].diff_memory.download()


class Changed:
    """The layers whose first parameter is no longer what a constant filler makes of it, and those without any."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    @cached_property
    def _first(self) -> dict[str, int]:
        """The slot of each layer's first parameter, by the layer's name."""
        return {node.layer.name: node.params[0] for node in self._parameters.graph.nodes if node.params}

    def __contains__(self, name: object) -> bool:
        slot = self._first.get(str(name))
        if slot is None:
            return True
        declared, blob = self._parameters.graph.params[slot].declared, self._parameters.slots[slot]
        filled = declared.filler.value if declared.filler is not None else 0.0
        return bool((blob.data_memory.host(blob.shape) != np.asarray(filled, self._parameters.dtype)).any())


def _check_names(graph: Graph) -> None:
    """NetError where two layers with parameters have one name: weights are stored, shared and filled by it."""
    seen: set[str] = set()
    for node in graph.nodes:
        if node.params and node.layer.name in seen:
            raise node.layer.error(
                "another layer with parameters has the same name; weights are kept by name",
                "name",
                hint="give each a name of its own; param { name: ... } shares weights between layers",
            )
        if node.params:
            seen.add(node.layer.name)
