"""Data layers that belong together: image and label, or two views. For one record they draw the same random numbers.

Caffe draws for each layer by itself, so that a shuffle, a crop or a mirror separates pairs. Here a layer draws with the
one that its `draws_with` names. Without that, layers of one net whose sources have the same number of records and whose
batches have one size are taken for pairs, and draw as the first of them, unless they read the same source: two layers
that read one database are meant to differ.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from brew.errors import NetError, Place, did_you_mean
from brew.layer import Layer, Shape, shape_text
from brew.layer.data_layer import DataLayer

from . import record_shape

log = logging.getLogger("brew")


@dataclass(frozen=True, slots=True)
class Remark:
    """A reason that pairs are separated, its place in the file, and the remedy."""

    message: str
    place: Place | None
    hint: str

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.message} ({self.hint})"


@dataclass(slots=True)
class Pairs:
    """Which data layers draw as which, by name, and remarks."""

    together: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def pair_layers(net: Sequence[Layer]) -> Pairs:
    """Let data layers of a net that belong together draw the same random numbers.

    NetError for a draws_with that cannot be: in no data layer, no such layer, other sizes, another kind of order.
    DataError where a source that has to be counted cannot be read.
    """
    found = Pairs()
    layers = [layer for layer in net if isinstance(layer, DataLayer)]
    for other in net:
        if other.param.draws_with and not isinstance(other, DataLayer):
            text = f'layer "{other.name}" ({other.param.type}): draws_with is for layers that read data from a source'
            raise NetError(text, place=other.context.place("draws_with"))
    by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        if layer.param.draws_with:
            root = _root(layer, by_name)
            _check(layer, root)
            layer.draw_as(root.name)
    if len(layers) > 1 and any(layer.random for layer in layers):
        _by_themselves(layers, found)
    return found


def _root(layer: DataLayer, by_name: dict[str, DataLayer]) -> DataLayer:
    """The layer at the end of the chain of draws_with."""
    seen, here = [layer.name], layer
    while here.param.draws_with and here.param.draws_with != here.name:
        name = here.param.draws_with
        if name not in by_name:
            known = ", ".join(f'"{n}"' for n in by_name if n != here.name) or "no other"
            hint = did_you_mean(name, by_name) or f"the net has {known}"
            raise here.error(f'draws_with names "{name}", and no data layer of the net is called so', "draws_with",
                             hint=hint)  # fmt: skip
        if name in seen:
            raise here.error(f"draws_with goes round in a circle: {', '.join([*seen, name])}", "draws_with")
        seen.append(name)
        here = by_name[name]
    return here


def _check(layer: DataLayer, root: DataLayer) -> None:
    """NetError unless `layer` can draw as `root` does."""
    if layer is root:
        return
    mine, theirs = layer.random_choices(), root.random_choices()
    for what, here, there in (
        ("records", mine.records, theirs.records),
        ("records a batch", layer.batch_size, root.batch_size),
        ("order", mine.order, theirs.order),
    ):
        if here != there:
            told = f"{here} {what}" if what != "order" else f"records {mine.in_words}"
            other = f"{there}" if what != "order" else f"it {theirs.in_words}"
            raise layer.error(
                f'draws_with: "{root.name}" cannot be: this layer has {told}, {root.name} has {other}', "draws_with",
                hint="layers that draw together have as many records, batches of one size, and one kind of order",
            )  # fmt: skip


def _by_themselves(layers: Sequence[DataLayer], found: Pairs) -> None:
    """Pair the layers without draws_with, with one another and with those that have it."""
    alike: dict[Hashable, list[DataLayer]] = defaultdict(list)
    for layer in layers:
        records = layer.random_choices().records
        if records is not None:
            alike[records, layer.batch_size].append(layer)
    for group in alike.values():
        willing = [layer for layer in group if layer.param.draws_with != layer.name]
        sources = {layer.random_choices().source for layer in willing[:1]}
        for layer in willing[1:]:
            first = willing[0]
            if not layer.param.draws_with:
                found.remarks += _joined(layer, first, sources)
            elif layer.draws == first.draws:
                found.remarks += _images(layer, first)
            if layer.draws == first.draws:
                found.together.setdefault(first.name, [first.name]).append(layer.name)
                found.remarks += _passed_over(layer, first)


def _joined(layer: DataLayer, first: DataLayer, sources: set[Hashable]) -> Iterator[Remark]:
    """Let `layer` draw as `first` does, or remark why not."""
    mine, theirs = layer.random_choices(), first.random_choices()
    both = f'"{first.name}" and "{layer.name}" have {mine.records} records'
    own = f'draws_with: "{layer.name}" in {layer.name} says that they do not belong together'
    if mine.order != theirs.order:
        yield _remark(
            layer, f"{both}: the first come {theirs.in_words}, the others {mine.in_words}, so that they make no pairs",
            f"let both come in one order; {own}",
        )  # fmt: skip
    elif mine.source not in sources:
        sources.add(mine.source)
        layer.draw_as(first.draws)
        yield from _images(layer, first)
    elif mine.shuffled:
        yield _remark(
            layer, f"{both}, the same: each comes in an order of its own, so that they make no pairs",
            f'draws_with: "{first.name}" gives both one order; {own}',
        )  # fmt: skip


def _images(layer: DataLayer, first: DataLayer) -> Iterator[Remark]:
    """How the crops and mirrors of two layers separate pairs of images."""
    mine, theirs = layer.random_choices(), first.random_choices()
    if not (_spatial(mine.image) and _spatial(theirs.image)):
        return
    if mine.mirror != theirs.mirror:
        one, other = (layer, first) if mine.mirror else (first, layer)
        yield _remark(
            layer, f'"{one.name}" mirrors images by chance and "{other.name}" does not: pairs no longer match',
            "mirror in both, or in neither",
        )  # fmt: skip
    if mine.crop != theirs.crop or (mine.crop and mine.image[1:] != theirs.image[1:]):
        sizes = [f"{_sides(d.crop)} of {shape_text(d.image[1:])}" if d.crop else "nothing" for d in (theirs, mine)]
        yield _remark(
            layer, f'"{first.name}" crops {sizes[0]} at random, "{layer.name}" {sizes[1]}: pairs no longer match',
            "a crop takes the same place only of images of one size, with one crop_size",
        )  # fmt: skip

    differ = sorted({name for name, _ in set(mine.geometry) ^ set(theirs.geometry)})
    if differ:
        yield _remark(
            layer, f'"{first.name}" and "{layer.name}" differ in {", ".join(differ)}: pairs no longer match',
            "give both what moves pixels, word for word; is_mask: true keeps colours and noise away from masks",
        )  # fmt: skip


def _sides(crop: Shape) -> str:
    """A square's side, or height x width."""
    return str(crop[0]) if crop[0] == crop[1] else shape_text(crop)


def _spatial(image: Shape) -> bool:
    return len(image) == 3 and min(image[1:]) > 1


def _passed_over(layer: DataLayer, first: DataLayer) -> Iterator[Remark]:
    if layer.random_choices().passes_over or first.random_choices().passes_over:
        yield _remark(
            layer, f'a record that "{first.name}" or "{layer.name}" passes over shifts all pairs behind it',
            "leave max_bad_records out, and the bad records out of both sources",
        )  # fmt: skip


def _remark(layer: DataLayer, message: str, hint: str) -> Remark:
    return Remark(f'layer "{layer.name}" ({layer.type}): {message}', layer.context.place(), hint)


def pair_and_log(net: Sequence[Layer]) -> None:
    """`pair_layers` for the layers of a net; logs the pairs, the remarks, and mistaken shapes of records."""
    found = pair_layers(net)
    for names in found.together.values():
        log.info("data layers %s draw the same random numbers for a record", ", ".join(names))
    for remark in found.remarks:
        log.warning("%s", remark)
    record_shape.warn(layer for layer in net if isinstance(layer, DataLayer))
