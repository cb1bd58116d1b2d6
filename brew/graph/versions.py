"""Which layers may write their top over their bottom, as the file asks.

A layer in place makes a new *version* of its blob, in the same memory. The version before may still be needed: by the
backward of a layer below; through another view of that memory (Split, Reshape, Flatten, Slice, Concat) that a layer or
the caller reads later; in the next pass, where no layer makes it anew. The same holds for a gradient that comes from
outside, such as a loss weight. Such a layer gets a top of its own instead, and layers above read that one. Caffe
overwrites the memory all the same, and computes wrong numbers (docs/differences.md). A layer stays in place only where
no number depends on it, so memory plan, fusion and recomputation may take a blob for one value in the order of layers.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from .graph import BlobNode, Graph, Node

log = logging.getLogger("brew")


def separate_tops(graph: Graph) -> Graph:
    """The graph in which every layer that must not run in place has a top of its own; `graph` is not changed."""
    uses, copied = _Uses(graph), False
    for number, t in [(n, t) for n, node in enumerate(graph.nodes) for t in range(len(node.tops))]:
        node = graph.nodes[number]
        blob = node.tops[t]
        reason = next(uses.reasons(number, blob), "") if blob in node.bottoms[t : t + 1] else ""
        if reason:
            graph = graph if copied else _copy(graph)
            copied = True
            _separate(graph, number, t)
            graph.nodes[number].apart = reason
            uses = _Uses(graph)
    for version in graph.blobs:
        if version.shown is not None:
            version.shows_gradient = uses.gradient_may_go(graph.blobs[version.shown].producer, version.shown)
    apart = [f'"{node.layer.name}" ({node.apart})' for node in graph.nodes if node.apart]
    if apart:
        log.info("not in place, so that no number changes: %s", "; ".join(apart))
    return graph


def _copy(graph: Graph) -> Graph:
    nodes = [replace(node, tops=[*node.tops]) for node in graph.nodes]
    return replace(graph, nodes=nodes, blobs=[replace(blob) for blob in graph.blobs])


class _Uses:
    """The layers that use each memory of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tenants: dict[int, list[int]] = defaultdict(list)  # the blobs that lie there
        self.readers: dict[int, list[int]] = defaultdict(list)  # of each blob: numbers of layers
        self.makers: dict[int, list[int]] = defaultdict(list)  # likewise
        self.backward: dict[int, list[int]] = defaultdict(list)  # of each home: layers whose backward reads it
        self.homes: dict[int, int] = {}  # by blob, the one in whose memory it lies: itself, or another's
        for number, node in enumerate(graph.nodes):
            self._take_up(number, node)

    def _take_up(self, number: int, node: Node) -> None:
        for blob in node.bottoms:
            self.readers[blob].append(number)
        for t, blob in enumerate(node.tops):
            self.makers[blob].append(number)
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
        if nodes[number].gradient_of(blob) and not self.gradient_may_go(number, blob):
            yield f'no layer makes the gradient of "{blobs[blob].name}" that it would overwrite'
        if not nodes[number].gradient_of(blob):
            for below in (nodes[n].layer for n in self.makers[blob] if n < number and nodes[n].backward):
                yield f'layer "{below.name}" would take the gradient of its top'
        others = [b for b in self.tenants[home] if b != blob and blobs[b].producer < number]
        for other in others:
            for above in (nodes[n].layer for n in self.readers[other] if n >= number):
                yield f'layer "{above.name}" reads the same memory as "{blobs[other].name}"'
            if blobs[other].shown is None:
                yield f'"{blobs[other].name}" lies in the same memory'

    def _gradient_is_made(self, number: int, blob: int) -> bool:
        """Whether a layer above `number` writes the gradient of the version that it makes."""
        overwritten = min((n for n in self.makers[blob] if n > number), default=len(self.graph.nodes))
        for n in self.readers[blob]:
            node = self.graph.nodes[n]
            if not number < n <= overwritten or not node.gradient_of(blob):
                continue
            views = [t for t, top in enumerate(node.tops) if (v := node.layer.view(t)) is not None and v.diff]
            if not views or any(self._gradient_is_made(n, node.tops[t]) for t in views):
                return True
        return False

    def gradient_may_go(self, number: int, blob: int) -> bool:
        """Whether the gradient of the version that layer `number` makes of `blob` may be overwritten once it is used: a
        layer or the caller makes it again, or it is zero, and so is what comes from it."""
        if self._gradient_is_made(number, blob):
            return True
        return len(self.graph.nodes[number].tops) == 1 and not self._weighted(blob)

    def _weighted(self, blob: int) -> bool:
        """Whether a loss weight lies in the memory of its gradient."""
        nodes = [self.graph.nodes[n] for n in (*self.makers[blob], *self.readers[blob])]
        if any(w for node in nodes for t, w in zip(node.tops, node.loss_weights, strict=True) if t == blob):
            return True
        views = [(node, t) for node in nodes for t in range(len(node.tops)) if node.layer.view(t) is not None]
        return any(self._weighted(node.tops[t]) for node, t in views if node.tops[t] != blob and blob in node.bottoms)


def _separate(graph: Graph, number: int, t: int) -> None:
    """Give layer `number` a blob of its own for top `t`: layers above read that one, and it has the name."""
    node = graph.nodes[number]
    old, new = node.tops[t], len(graph.blobs)
    before = graph.blobs[old]
    graph.blobs.append(BlobNode(before.name, before.shape, number, before.gradient))
    for older in graph.blobs:
        if older is before or older.shown == old:
            older.shown = new
    for above in graph.nodes[number + 1 :]:
        above.bottoms = [new if b == old else b for b in above.bottoms]
        above.tops = [new if b == old else b for b in above.tops]
    graph.outputs = [new if b == old else b for b in graph.outputs]
    node.tops[t] = new
    node.layer = node.layer.with_own_top(t, f"{before.name}, before {node.layer.name}")
