"""Weights into a net and out of it: by layer name, with Caffe's rules for shapes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brew import cuda
from brew.cpu import subnormals
from brew.errors import WeightsError
from brew.files.atomic import replacing
from brew.files.finite import not_finite
from brew.files.weights import caffemodel
from brew.files.weights.reading import WEIGHTS_KIND, Weights, format_for, paths, read
from brew.files.weights.stored import LayerBlobs, StoredBlob, Values
from brew.layer import Array, Shape, shape_text
from brew.memory.blob import Blob, Memory
from brew.plain_text import one_line
from brew.proto.brew_pb2 import LayerParameter

from .load_report import LayerReport, LoadReport, Outcome
from .parameters import Parameters

log = logging.getLogger("brew")


__all__ = ["LayerReport", "LoadReport", "Misfit", "Outcome", "copy_into", "save", "write"]


# --- into a net -----------------------------------------------------------------------------------------------------


def copy_into(parameters: Parameters, files: Weights, *, ignore_mismatched: bool = False) -> LoadReport:
    """Copy every stored layer that the net has, by name, and log the outcome for each; later files override earlier.

    `files` is a path, a list of paths, or text with commas between. Nothing is written before all files have been
    checked: WeightsError when blobs of a layer have other shapes than the net's, naming every one of them, and when a
    file has no layer that fits. With `ignore_mismatched`, layers of other shapes are left as they are.
    """
    names = paths(files)
    plans = _checked(parameters, names, ignore_mismatched)
    for plan in plans:
        for planned in plan:
            if planned.report.outcome is Outcome.COPIED:
                _copy_layer(parameters, planned)
    layers = [p.report for plan in plans for p in plan]
    met = {layer.name for layer in layers if layer.outcome is not Outcome.SKIPPED}
    left = [LayerReport(n, Outcome.LEFT, in_net=_shapes(parameters, n)) for n in _left(parameters, met)]
    report = LoadReport(tuple(names), (*layers, *left))
    _log(report)
    if parameters.device == "cpu":
        subnormals.log_many(
            (name, blob.data_memory.host(blob.shape)) for name, blobs in parameters.by_layer.items() for blob in blobs
        )
    return report


def check(parameters: Parameters, files: Weights) -> None:
    """The errors of `copy_into`, and nothing is copied."""
    _checked(parameters, paths(files), ignore_mismatched=False)


def _checked(parameters: Parameters, names: Sequence[str], ignore_mismatched: bool) -> list[list[_Planned]]:
    """By file, what is to be done with its layers."""
    plans = [_plan(parameters, path) for path in names]
    mismatched = [p.report for plan in plans for p in plan if p.report.outcome is Outcome.MISMATCHED]
    if mismatched and not ignore_mismatched:
        raise _misfit(mismatched)
    for path, plan in zip(names, plans, strict=True):
        _check_any(parameters, path, plan)
    return plans


@dataclass(frozen=True, slots=True)
class _Planned:
    """A layer of a file, and the outcome for it."""

    stored: LayerBlobs
    report: LayerReport

    def blobs(self) -> Iterator[tuple[int, StoredBlob]]:
        """(index in the net's layer, stored blob) of each."""
        indices = range(len(self.stored.blobs)) if self.stored.indices is None else self.stored.indices
        return zip(indices, self.stored.blobs, strict=True)


def _plan(parameters: Parameters, path: str) -> list[_Planned]:
    """The layers of the file that have blobs or stand in the net too; of several with one name the first counts."""
    plan = []
    done: set[str] = set()
    stored = read(path)
    if any(layer.old for layer in stored):
        log.info("%s: layers in an earlier format of Caffe's, read as today's", path)
    for layer in stored:
        in_file = tuple(blob.shape for blob in layer.blobs)
        if layer.name in done or layer.name not in parameters.by_layer:
            if layer.blobs:
                plan.append(_Planned(layer, LayerReport(layer.name, Outcome.SKIPPED, path, in_file)))
            continue
        done.add(layer.name)
        faults = tuple(_faults(parameters, layer))
        outcome = Outcome.MISMATCHED if faults else Outcome.COPIED
        in_net = _shapes(parameters, layer.name)
        plan.append(_Planned(layer, LayerReport(layer.name, outcome, path, in_file, in_net, faults)))
    return plan


def _faults(parameters: Parameters, layer: LayerBlobs) -> Iterator[str]:
    """A sentence for each blob of a stored layer that does not fit the net's."""
    blobs = parameters.by_layer[layer.name]
    stored = list(range(len(layer.blobs))) if layer.indices is None else layer.indices
    # HDF5 and safetensors hold shared blobs with their owner alone.
    wanted = set(range(len(blobs))) if layer.indices is None else _owned(parameters, layer.name)
    if not wanted <= set(stored) <= set(range(len(blobs))):
        yield f'layer "{layer.name}" stores {len(layer.blobs)} blobs, the net\'s has {len(blobs)}'
    for index, source in zip(stored, layer.blobs, strict=True):
        if index < len(blobs) and not source.fits(blobs[index].shape):
            yield (
                f'layer "{layer.name}", blob {index}: the file has {shape_text(source.shape)}, '
                f"the net {shape_text(blobs[index].shape)}"
            )


class Misfit(WeightsError):
    """Layers of a file have other shapes than the net's."""

    lines = True


def _misfit(layers: Sequence[LayerReport]) -> Misfit:
    faults = [one_line(f"{layer.path}: {fault}") for layer in layers for fault in layer.faults]
    rename = f'rename the layer in the net, such as name: "{layers[0].name}_new", to start it from its filler'
    return Misfit("\n".join(faults), hint=f"{rename}; or leave such layers as they are: --ignore-mismatched")


def _check_any(parameters: Parameters, path: str, plan: Sequence[_Planned]) -> None:
    if any(p.report.outcome is Outcome.COPIED for p in plan) or not parameters.by_layer:
        return
    theirs = ", ".join(p.report.name for p in plan) or "none"
    raise WeightsError(
        f"{path}: none of its layers is in the net{' and fits' if any(p.report.faults for p in plan) else ''}; "
        f"the file has {theirs}",
        hint=f"the net has {', '.join(parameters.by_layer)}; layers are matched by name",
    )


def _left(parameters: Parameters, met: Collection[str]) -> list[str]:
    """The layers that own a parameter for which no file has values, in them or in a layer that shares it."""
    graph = parameters.graph
    found = {graph.params[p].owner for n in graph.nodes if n.layer.name in met for p in n.params}
    return [n.layer.name for n in graph.nodes if any(graph.params[p].owner == p and p not in found for p in n.params)]


def _owned(parameters: Parameters, layer: str) -> set[int]:
    """The indices of the blobs that a layer owns."""
    slots = next(node.params for node in parameters.graph.nodes if node.params and node.layer.name == layer)
    return {index for index, slot in enumerate(slots) if parameters.graph.params[slot].owner == slot}


def _shapes(parameters: Parameters, layer: str) -> tuple[Shape, ...]:
    return tuple(blob.shape for blob in parameters.by_layer[layer])


def _copy_layer(parameters: Parameters, planned: _Planned) -> None:
    bad = []
    parameters.changes.number += 1
    for index, source in planned.blobs():
        count = _copy(source, parameters.by_layer[planned.report.name][index])
        if count:
            bad.append(f"{count} of {source.raw.size} numbers of blob {index}")
    if bad:
        log.warning("%s: layer %s holds NaN or infinity: %s", planned.report.path, planned.report.name, ", ".join(bad))


def _copy(source: StoredBlob, target: Blob) -> int:
    """Copy the values in pieces of a few MiB; returns how many are not finite in the net."""
    memory = target.data_memory
    flat: Array = memory.array(target.shape).reshape(-1)
    bad = start = 0
    for piece in source.pieces():
        there = slice(start, start + piece.size)
        start += piece.size
        with np.errstate(over="ignore"):  # doubles beyond float32 become infinity, which is counted
            values = piece.astype(flat.dtype) if memory.device == "cuda" else piece
            if memory.device == "cuda":
                cuda.upload(flat[there], values)
            else:
                flat[there] = values
                values = flat[there]
        bad += not_finite(values)
    if memory.device == "cuda":
        memory.download()
    return bad


def _log(report: LoadReport) -> None:
    for layer in report.skipped:
        log.info("Ignoring source layer %s", layer.name)
    level = logging.WARNING if report.left or report.mismatched else logging.INFO
    log.log(level, "%s", report.text(), extra={"lines": True})


# --- out of a net ---------------------------------------------------------------------------------------------------


def save(
    parameters: Parameters, path: str | Path, name: str, phase: int, *, diff: bool = False, ending: str | None = None
) -> None:
    """Write the weights of net `name`, whole or not at all: HDF5 when `path` ends in .h5, safetensors for .safetensors.

    Any other name is a .caffemodel, whose layers are of `phase` unless they name their own. `ending` counts instead of
    the path's where it is given. `diff` stores the gradients too, which safetensors cannot.
    """
    path = Path(path)
    ending = path.suffix if ending is None else ending
    known = format_for(ending)
    if diff and known is not None and not known.gradients:
        raise WeightsError(f"{path}: {known.name} hold no gradients", hint="a .caffemodel or .h5 file does")
    with replacing(path, WEIGHTS_KIND) as temporary:
        write(parameters, temporary, ending, name, phase, diff=diff)


def write(
    parameters: Parameters, path: Path, ending: str, name: str, phase: int, *, diff: bool = False, digest: bool = False
) -> str:
    """Write the weights of net `name` in `phase` to `path`, in the format that `ending` names.

    With `digest`, the file's SHA-256 in hexadecimal is returned, else "".
    """
    hashed = None
    if (known := format_for(ending)) is not None:
        gradients = _owned_values(parameters, lambda blob: blob.diff_memory) if diff else None
        known.write(path, _owned_values(parameters, lambda blob: blob.data_memory), gradients, name)
    else:
        with path.open("wb") as file:
            hashed = caffemodel.HashedStream(file, keep=parameters.device == "cpu") if digest else None
            caffemodel.write_weights(hashed or file, _layers(parameters, phase, diff), name)
    if not digest:
        return ""
    return hashed.hexdigest() if hashed else caffemodel.sha256_of(path)


def _layers(
    parameters: Parameters, phase: int, diff: bool
) -> Iterator[tuple[LayerParameter, list[Array], list[Array] | None]]:
    """Each layer's message, parameters and gradients; from a GPU they come one layer at a time."""
    for node in parameters.graph.nodes:
        param = LayerParameter()
        param.CopyFrom(node.source.param)
        param.ClearField("blobs")
        if not param.HasField("phase"):
            param.phase = phase  # type: ignore[assignment]
        blobs = [parameters.slots[p] for p in node.params]
        values = [b.data_memory.host(b.shape) for b in blobs]
        yield param, values, [b.diff_memory.host(b.shape) for b in blobs] if diff else None


def _owned_values(parameters: Parameters, of: Callable[[Blob], Memory]) -> Values:
    """By layer, (index, values) of each blob that it owns."""
    slots = parameters.slots
    return [
        (node.layer.name, [
            (i, of(slots[p]).host(slots[p].shape))
            for i, p in enumerate(node.params) if parameters.graph.params[p].owner == p
        ])
        for node in parameters.graph.nodes
    ]  # fmt: skip
