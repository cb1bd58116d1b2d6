"""The mistakes in a file of weights, by itself and for a net."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import numpy as np

from brew.errors import BrewError, Place, WeightsError
from brew.files import regular
from brew.files.signatures import is_binary
from brew.files.weights import reading
from brew.files.weights.stored import LayerBlobs, StoredBlob
from brew.layer import Shape, shape_text

from .finding import Finding
from .view import EVERYTHING, View

NOT_FINITE, ALL_ZERO, EMPTY_STATISTICS, NOT_IN_FILE, NOT_IN_NET = "B281", "B282", "B283", "B284", "B285"
MEANINGS = {
    NOT_FINITE: "Weights that are NaN or infinite, counted layer by layer.",
    ALL_ZERO: "The first blob of a layer is 0 throughout: it was never filled or trained.",
    EMPTY_STATISTICS: "A BatchNorm without a single batch in its averages: tests divide by almost nothing.",
    NOT_IN_FILE: "A layer of the net that the weights file has nothing for: it starts as its filler says.",
    NOT_IN_NET: "Layers of the weights file that the net has not: they are left out.",
}


def weights_findings(path: str) -> Iterator[Finding]:
    """The findings of a .caffemodel, HDF5 or safetensors file alone."""
    try:
        stored = reading.read(path)
        for layer in stored:
            yield from _of_layer(layer, Place(path))
    except BrewError as error:
        yield Finding.of(error, path)


def _of_layer(layer: LayerBlobs, place: Place) -> Iterator[Finding]:
    for index, blob in enumerate(layer.blobs):
        bad, zero = _count(blob)
        if bad:
            what = f'layer "{layer.name}", blob {index}: {bad} of {blob.raw.size} numbers are NaN or infinite'
            hint = "the training diverged: take an earlier snapshot, and a lower base_lr"
            yield Finding("warning", NOT_FINITE, what, place, hint)
        if zero and blob.raw.size > 1 and index == 0 and len(layer.blobs) < 3:
            what = f'layer "{layer.name}": all {blob.raw.size} numbers of its first blob are 0'
            yield Finding("warning", ALL_ZERO, what, place, "was it trained, and has it a weight_filler?")
        if zero and index == 2 and len(layer.blobs) == 3 and blob.raw.size == 1:
            what = f'layer "{layer.name}": its averages hold no batch (the third blob is 0)'
            yield Finding("warning", EMPTY_STATISTICS, what, place, "train it without use_global_stats: true")


def _count(blob: StoredBlob) -> tuple[int, bool]:
    """How many values are not finite, and whether all are 0."""
    bad, zero = 0, True
    for piece in blob.pieces():
        bad += int(piece.size - np.isfinite(piece).sum())
        zero = zero and not piece.any()
    return bad, zero


def layers_of(paths: Iterable[str]) -> Container[str]:
    """The names of the layers that these files have weights of; all there are where one cannot be read."""
    try:
        return frozenset(layer.name for path in paths for layer in reading.read(path) if layer.blobs)
    except BrewError:
        return EVERYTHING  # its error is a finding of the file itself


def fit_findings(path: str, view: View) -> Iterator[Finding]:
    """Whether the weights in `path` fit the net in a state."""
    if view.graph is None:
        return
    try:
        stored = {layer.name: layer for layer in reversed(reading.read(path))}
    except BrewError:
        return  # its error is a finding of the file itself
    graph, place = view.graph, Place(path)
    nodes = {node.layer.name: node for node in graph.nodes if node.params}
    judged = {node.layer.name for node in graph.nodes if node.top_shapes or not node.layer.param.top}
    for name, node in nodes.items():
        own = {i for i, slot in enumerate(node.params) if graph.params[slot].owner == slot}
        layer = stored.get(name)
        if layer is None and own:
            what = f'layer "{name}" ({node.layer.param.type}): {path} has nothing for it: it starts as its filler says'
            hint = "layers are matched by name: was one of them renamed?"
            yield Finding("warning", NOT_IN_FILE, what, node.source.place("name") or place, hint, (view.state,))
        elif layer is not None:
            shapes = [graph.params[slot].declared.shape for slot in node.params]
            for fault in _faults(layer, shapes, own):
                what = f'layer "{name}" ({node.layer.param.type}): {fault} (in {path})'
                hint = "rename the layer to start it from its filler instead"
                where = node.source.place("name") or place
                yield Finding("error", WeightsError.code, what, where, hint, (view.state,))
    ignored = [f'"{name}"' for name, layer in stored.items() if layer.blobs and name not in nodes and judged]
    if ignored and len(judged) == len(graph.nodes):
        shown = ", ".join(ignored[:6]) + (f" and {len(ignored) - 6} more" if len(ignored) > 6 else "")
        hint = "layers are matched by name: was one of them renamed?"
        yield Finding("warning", NOT_IN_NET, f"the net has no layer {shown}", place, hint, (view.state,))


def _faults(layer: LayerBlobs, shapes: list[Shape], own: set[int]) -> Iterator[str]:
    indices = list(range(len(layer.blobs))) if layer.indices is None else list(layer.indices)
    wanted = set(range(len(shapes))) if layer.indices is None else own
    if not wanted <= set(indices) <= set(range(len(shapes))):
        yield f"the file stores {len(layer.blobs)} blobs, the net has {len(shapes)}"
    for index, blob in zip(indices, layer.blobs, strict=True):
        if index < len(shapes) and not blob.fits(shapes[index]):
            yield f"blob {index} is {shape_text(blob.shape)} in the file and {shape_text(shapes[index])} in the net"


def is_weights(path: Path) -> bool:
    """Whether a file is one of weights, by its name or because it is no text."""
    return path.suffix in reading.ENDINGS or is_binary(regular.head(path, 512))
