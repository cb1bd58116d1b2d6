"""Records as a net's data layer gives them to the net: through the layer itself, over a copy of these records alone."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.prefetching_layer import PrefetchingLayer
from brew.datasets.stored.converting import as_value
from brew.datasets.stored.entry import Entry, Mark
from brew.errors import UsageError
from brew.graph.build import make_layer
from brew.graph.definition import SelectedNet
from brew.layer import Context
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter, TransformationParameter
from brew.prototxt.placed import PlacedLayer

Values = npt.NDArray[Any]

_SOURCES = {"Data": "data_param", "AnnotatedData": "data_param", "ImageData": "image_data_param",
            "HDF5Data": "hdf5_data_param"}  # fmt: skip
_UNDONE = "mean_file", "mean_value", "scale"  # what would make pixels no picture
_BOX = 8  # numbers of a box in SSD's blob of labels: item, class, instance, left, top, right, bottom, difficult


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What a data layer makes of records.

    what       its settings in words
    low, high  of the values that the net gets
    values     by draw and record: without mean and scale
    boxes      by draw and record
    """

    what: str
    low: float
    high: float
    values: Sequence[Sequence[Values]]
    boxes: Sequence[Sequence[tuple[Mark, ...]]]


def data_layer(net: SelectedNet, name: str | None) -> PlacedLayer:
    """The data layer called `name`, or the first one that reads a source. UsageError."""
    found = [layer for layer in net.written if layer.param.type in _SOURCES]
    if name is None and found:
        return found[0]
    for layer in found:
        if layer.param.name == name:
            return layer
    have = ", ".join(f'"{layer.param.name}"' for layer in found) or "none"
    raise UsageError(f'the net has no data layer "{name}"' if name else "the net has no layer that reads data",
                     hint=f"layers that read a source: {have}")  # fmt: skip


def source_of(layer: PlacedLayer) -> str:
    """The source that a data layer names."""
    source: str = getattr(layer.param, _SOURCES[layer.param.type]).source
    return source


def drawn(
    layer: PlacedLayer, net: SelectedNet, entries: Sequence[Entry], *, draws: int | None, seed: int
) -> Drawn:  # fmt: skip
    """`entries` through a data layer, several times where it draws random numbers (`draws`, else four times).

    UsageError for a layer that changes nothing; whatever the layer raises.
    """
    if layer.param.type == "HDF5Data":
        raise UsageError("HDF5Data gives its rows to the net as they are stored", hint="leave out --net")
    with tempfile.TemporaryDirectory(prefix="brew-show-") as folder:
        param = _over(layer.param, entries, Path(folder))
        real = _made(layer, net, param, seed)
        try:
            times = draws or (4 if getattr(real, "random", False) else 1)
            first = real.next_batch()[0]
        finally:
            real.close()
        for field in _UNDONE:
            param.transform_param.ClearField(field)
        plain = _made(layer, net, param, seed)
        _fill_alike(plain, real)
        try:
            batches = [_copied(plain.next_batch()) for _ in range(times)]
        finally:
            plain.close()
    boxes = [[_boxes(tops, number) for number in range(len(entries))] for tops in batches]
    return Drawn(_in_words(layer.param.transform_param), float(first.min()), float(first.max()),
                 [list(tops[0]) for tops in batches], boxes)  # fmt: skip


def _copied(tops: Sequence[Values]) -> list[Values]:
    return [np.array(top) for top in tops]


def _made(layer: PlacedLayer, net: SelectedNet, param: LayerParameter, seed: int) -> DataLayer:
    context = Context(phase=net.state.phase, seed=seed, place=layer.place, folder=net.folder)
    copy = LayerParameter()
    copy.CopyFrom(param)
    made = make_layer(PlacedLayer(copy, layer.place), context)
    assert isinstance(made, DataLayer)
    made.infer_shapes([])
    return made


def _fill_alike(plain: DataLayer, real: DataLayer) -> None:
    """What lies outside of pictures is filled with the mean, though `plain` subtracts none."""
    mine, theirs = (getattr(getattr(made, "transformer", None), "augmentation", None) for made in (plain, real))
    if mine is not None and theirs is not None:
        mine.augmenter.mean = theirs.augmenter.mean


def _over(param: LayerParameter, entries: Sequence[Entry], folder: Path) -> LayerParameter:
    """The layer's message over these records alone, in their order, all in one batch."""
    copy = LayerParameter()
    copy.CopyFrom(param)
    copy.ClearField("draws_with")
    cls = layer_class(param.type)
    assert cls is not None and issubclass(cls, PrefetchingLayer)
    section = getattr(copy, _SOURCES[param.type])
    section.batch_size = 1 if section.batch_size == 1 else len(entries)
    if len(entries) % 2:
        copy.transform_param.ClearField("mix_param")  # it mixes pairs
    for field in ("shuffle", "rand_skip", "backend", "cache", "max_bad_records"):
        with suppress(ValueError):
            section.ClearField(field)
    if param.type == "ImageData":
        section.source, section.root_folder = str(_list_of(entries, folder)), f"{folder}/"
    else:
        write_lmdb(folder / "lmdb", ((b"%08d" % n, as_value(entry)) for n, entry in enumerate(entries)))
        section.source = str(folder / "lmdb")
    return copy


def _list_of(entries: Sequence[Entry], folder: Path) -> Path:
    lines = []
    for number, entry in enumerate(entries):
        if entry.value is None or not entry.datum().encoded:
            raise UsageError(f"{entry.name} is no image file, and the layer ImageData reads such",
                             hint="show it with a net whose layer is Data")  # fmt: skip
        (folder / f"{number}.img").write_bytes(entry.datum().data)
        lines.append(f"{number}.img {entry.label() or 0}\n")
    path = folder / "list.txt"
    path.write_text("".join(lines))
    return path


def _boxes(tops: Sequence[Values], item: int) -> tuple[Mark, ...]:
    """The boxes of a record in SSD's blob of labels."""
    if len(tops) < 2 or tops[1].ndim != 4 or tops[1].shape[-1] != _BOX:
        return ()
    return tuple(
        Mark(int(row[1]), float(row[3]), float(row[4]), float(row[5]), float(row[6]), bool(row[7]))
        for row in tops[1].reshape(-1, _BOX)
        if int(row[0]) == item
    )


def _in_words(param: TransformationParameter) -> str:
    """The fields of transform_param that are set."""
    words = []
    for field, value in param.ListFields():
        if field.message_type is not None:
            words.append(field.name)
        elif isinstance(value, bool):
            words += [field.name] if value else []
        elif isinstance(value, int | float | str):
            words.append(
                f"{field.name} {value:g}" if not isinstance(value, str) else f"{field.name} {Path(value).name}"
            )
        else:
            words.append(f"{field.name} {', '.join(f'{part:g}' for part in value)}")
    return ", ".join(words) or "as stored"
