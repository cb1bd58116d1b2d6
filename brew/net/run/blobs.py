"""The blobs of a net, and which of them lie in one memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from brew.graph.graph import Graph
from brew.memory.blob import Blob, Memory
from brew.memory.stamps import Stamps

from .step import Step


def make_blobs(graph: Graph, dtype: np.dtype[Any], device: str, stamps: Stamps) -> list[Blob]:
    """The blobs of a graph, views in their bottoms' memory; nothing is allocated yet."""
    blobs = [Blob(b.shape, dtype, device, b.name, stamps) for b in graph.blobs]
    for older, version in zip(blobs, graph.blobs, strict=True):
        if version.shown is not None:
            older.shown, older.shows_gradient = blobs[version.shown], version.shows_gradient
    for node in graph.nodes:
        for t, blob in enumerate(node.tops):
            view = node.layer.view(t)
            if view is not None:
                blobs[blob].share(blobs[node.bottoms[view.bottom]], diff=view.diff)
    return blobs


def written_in_part(step: Step) -> Iterator[Memory]:
    """Gradients that the step's backward need not write whole: what it leaves has to stay, which only plain ones do."""
    if not step.layer.rewrites:
        yield from (blob.diff_memory for blob in step.bottoms)


def seen_in_another_shape(step: Step) -> Iterator[Memory]:
    """Memories that a view gives another shape: only plain ones can be read so."""
    for top, view in zip(step.tops, step.views, strict=True):
        if view is not None and top.shape != step.bottoms[view.bottom].shape:
            yield from (top.data_memory, top.diff_memory, step.bottoms[view.bottom].diff_memory)
