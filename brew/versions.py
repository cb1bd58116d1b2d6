"""Which layers may write their top over their bottom, as the file asks.

A layer in place makes a new *version* of its blob, in the same memory. Somebody may still need the version before: a
layer below, whose backward reads it; another view of that memory (Split, Reshape, Flatten, Slice, Concat) that is read
later; who looks at such a view; the caller, whose input the next pass reads again. Such a layer gets a
top of its own instead, and what reads its version reads that one. Caffe overwrites the memory all the same, and goes on
with wrong numbers (docs/differences.md). In place is left only what no number can tell from a top of its own, so
whatever plans, fuses or recomputes may take one blob for one value in the order of the layers.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from brew.graph import BlobNode, Graph, Node

log = logging.getLogger("brew")


def settle(graph: Graph) -> Graph:
    """The graph in which every layer has a top of its own that must not run in place."""
    uses, settled = _Uses(graph), False
    for number, node in enumerate(graph.nodes):
        for t, blob in enumerate(node.tops):
            reason = next(uses.reasons(number, blob), "") if blob in node.bottoms[t : t + 1] else ""
            if reason:
                graph = graph if settled else _copy(graph)
                settled = True
                _separate(graph, number, t)
                graph.nodes[number].apart = reason
                uses = _Uses(graph)
    apart = [f'"{node.layer.name}" ({node.apart})' for node in graph.nodes if node.apart]
    if apart:
        log.info("not in place, so that no number changes: %s", "; ".join(apart))
    return graph


def _copy(graph: Graph) -> Graph:
    nodes = [replace(node, tops=[*node.tops]) for node in graph.nodes]
    return replace(graph, nodes=nodes, blobs=[replace(blob) for blob in graph.blobs])


class _Uses:
    """Who uses which memory of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tenants: dict[int, list[int]] = defaultdict(list)  # the blobs that lie there
        self.readers: dict[int, list[int]] = defaultdict(list)  # of each blob: numbers of layers
        self.backward: dict[int, list[int]] = defaultdict(list)  # of each home: layers whose backward reads it
        self.homes: dict[int, int] = {}  # for each blob the one in whose memory it lies: itself, or where a view leads to
        for number, node in enumerate(graph.nodes):
            self._take_up(number, node)

    def _take_up(self, number: int, node: Node) -> None:
        for blob in node.bottoms:
            self.readers[blob].append(number)
        for t, blob in enumerate(node.tops):
            if self.graph.blobs[blob].producer == number:
                view = node.layer.view(t)
                self.homes[blob] = blob if view is None else self.homes[node.bottoms[view.bottom]]
                self.tenants[self.homes[blob]].append(blob)
        if node.backward:
            left = node.layer.left_for_backward
            blobs = (node.bottoms if "x" in left else []) + (node.tops if "y" in left else [])
            for home in {self.homes[blob] for blob in blobs}:
                self.backward[home].append(number)

    def reasons(self, number: int, blob: int) -> Iterator[str]:
        """Why layer `number` must not overwrite `blob`."""
        nodes, blobs, home = self.graph.nodes, self.graph.blobs, self.homes[blob]
        maker, writer = nodes[blobs[home].producer].layer, nodes[number].layer
        if not maker.rewrites:
            yield f'layer "{maker.name}" does not make "{blobs[home].name}" anew for every pass'
        for below in (nodes[n].layer for n in self.backward[home] if n < number):
            if not (below.sign_is_enough and writer.keeps_signs):
                yield f'the backward of layer "{below.name}" needs what it would overwrite'
        others = [b for b in self.tenants[home] if b != blob and blobs[b].producer < number]
        for other in others:
            for above in (nodes[n].layer for n in self.readers[other] if n >= number):
                yield f'layer "{above.name}" reads the same memory as "{blobs[other].name}"'
            if not blobs[other].hidden:
                yield f'"{blobs[other].name}" lies in the same memory'


def _separate(graph: Graph, number: int, t: int) -> None:
    """Give layer `number` a blob of its own for top `t`: the one that all layers above it read.

    The older version is hidden then, except where the caller writes it: of an Input the name stays with what came in.
    """
    node = graph.nodes[number]
    old, new = node.tops[t], len(graph.blobs)
    before = graph.blobs[old]
    maker = graph.nodes[before.producer]
    from_outside = not maker.bottoms and not maker.layer.rewrites
    graph.blobs.append(BlobNode(before.name, before.shape, number, before.gradient, hidden=from_outside))
    before.hidden = before.hidden or not from_outside
    for above in graph.nodes[number + 1 :]:
        above.bottoms = [new if b == old else b for b in above.bottoms]
        above.tops = [new if b == old else b for b in above.tops]
    graph.outputs = [new if b == old else b for b in graph.outputs]
    node.tops[t] = new
    node.layer = node.layer.with_own_top(t, f"{before.name}, before {node.layer.name}")
