"""Weights into a net and out of it: by layer name, with Caffe's rules for shapes (FIELD: 2.5)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew import hdf5_file, wire
from brew.atomic import replacing
from brew.blob import Blob, Memory
from brew.errors import WeightsError
from brew.layer import Shape, shape_text
from brew.net import Net
from brew.proto.brew_pb2 import LayerParameter
from brew.wire import LayerBlobs, StoredBlob

log = logging.getLogger("brew")


def read(path: str | Path) -> list[LayerBlobs]:
    """The stored layers of a .caffemodel or HDF5 weights file; told apart by content."""
    if hdf5_file.is_hdf5(path):
        return hdf5_file.read_weights(path)
    return wire.read_weights(path)


def copy_into(net: Net, path: str | Path) -> None:
    """Copy every stored layer that the net has, by name; WeightsError when nothing fits or a shape differs."""
    if not str(path):
        raise WeightsError("a weights file is needed, and its name is empty")
    stored = read(path)
    done: set[str] = set()
    ignored = []
    for layer in stored:
        if layer.name in done or layer.name not in net.params:
            if layer.blobs:
                ignored.append(layer.name)
            continue
        _copy_layer(net, layer, path)
        done.add(layer.name)
    graph = net.graph
    owning = [n.layer.name for n in graph.nodes if any(graph.params[p].owner == p for p in n.params)]
    left = [name for name in owning if name not in done]
    for name in ignored:
        log.info("Ignoring source layer %s", name)
    log.info("%s: %d layers copied, %d of the file not in the net", path, len(done), len(ignored))
    if left:
        log.warning("%s has nothing for %s: filled as the net says", path, ", ".join(left))
    if not done and net.params:
        theirs = ", ".join(layer.name for layer in stored if layer.blobs) or "none"
        raise WeightsError(
            f"{path}: none of its layers is in the net; the file has {theirs}",
            hint=f"the net has {', '.join(net.params)}; layers are matched by name",
        )


def _copy_layer(net: Net, layer: LayerBlobs, path: str | Path) -> None:
    blobs = net.params[layer.name]
    stored = list(range(len(layer.blobs))) if layer.indices is None else layer.indices
    # HDF5 holds shared blobs with their owner alone.
    wanted = set(range(len(blobs))) if layer.indices is None else _owned(net, layer.name)
    if not wanted <= set(stored) <= set(range(len(blobs))):
        raise WeightsError(f'{path}: layer "{layer.name}" stores {len(layer.blobs)} blobs, the net\'s has {len(blobs)}')
    for index, source in zip(stored, layer.blobs, strict=True):
        target = blobs[index]
        if not _fits(source, target.shape):
            raise WeightsError(
                f'{path}: layer "{layer.name}", blob {index}: the file has {shape_text(source.shape)}, '
                f"the net {shape_text(target.shape)}",
                hint="rename the layer in the net to start it from its filler instead",
            )
        if not np.isfinite(source.data).all():
            log.warning("%s: layer %s, blob %d holds NaN or infinity", path, layer.name, index)
        net.parameters.write(target, source.data)


def _owned(net: Net, layer: str) -> set[int]:
    """Which blobs of a layer are its own, not shared from one before it."""
    slots = next(node.params for node in net.graph.nodes if node.params and node.layer.name == layer)
    return {index for index, slot in enumerate(slots) if net.graph.params[slot].owner == slot}


def _fits(source: StoredBlob, shape: Shape) -> bool:
    """Equal shapes; for old 4-axis blobs, equal when both are read right-aligned as four axes."""
    if tuple(source.shape) == shape:
        return True
    if not source.legacy or len(shape) > 4:
        return False
    return tuple(source.shape) == (1,) * (4 - len(shape)) + shape


def save(net: Net, path: str | Path, *, diff: bool = False) -> None:
    """Write the net's weights: HDF5 when the name ends in .h5, else binary; whole or not at all."""
    path = Path(path)
    with replacing(path) as temporary:
        if path.suffix == ".h5":
            _save_hdf5(net, temporary, diff)
            return
        layers = []
        for node in net.graph.nodes:
            param = LayerParameter()
            param.CopyFrom(node.layer.param)
            param.ClearField("blobs")
            if not param.HasField("phase"):
                param.phase = net.phase
            blobs = [net.parameters.slots[p] for p in node.params]
            values = [b.data_memory.host(b.shape) for b in blobs]
            gradients = [b.diff_memory.host(b.shape) for b in blobs] if diff else None
            layers.append((param, values, gradients))
        with temporary.open("wb") as stream:
            wire.write_weights(stream, layers, net.name)


def _save_hdf5(net: Net, path: Path, diff: bool) -> None:
    def collect(of: Callable[[Blob], Memory]) -> Sequence[tuple[str, list[tuple[int, npt.NDArray[Any]]]]]:
        slots = net.parameters.slots
        return [
            (node.layer.name, [
                (i, of(slots[p]).host(slots[p].shape))
                for i, p in enumerate(node.params) if net.graph.params[p].owner == p
            ])
            for node in net.graph.nodes
        ]  # fmt: skip

    diffs = collect(lambda blob: blob.diff_memory) if diff else None
    hdf5_file.write_weights(path, collect(lambda blob: blob.data_memory), diffs)
