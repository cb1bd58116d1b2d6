"""Mistakes in data layers: settings that differ between the phases and should not, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from brew.data import pairs, record_shape
from brew.data.augment import CHANCE
from brew.data.prefetching_layer import PrefetchingLayer
from brew.errors import BrewError
from brew.layer import TEST, TRAIN
from brew.layer.data_layer import DataLayer
from brew.proto.brew_pb2 import LayerParameter

from .net_rules import NET_RULES
from .rules import Note, Rules
from .view import View, facts

PAIR_RULES: Rules[Sequence[View]] = Rules()

_SAME = ("scale", "mean_file", "mean_value", "crop_size", "crop_h", "crop_w", "force_color", "force_gray")


@NET_RULES.add("B221")
def mirrored_test(view: View) -> Iterator[Note]:
    """`mirror: true` in a test: images are flipped by chance there too, and scores change from test to test."""
    if view.phase != TEST:
        return
    for number, source in enumerate(view.layers):
        if not source.param.bottom and source.param.transform_param.mirror:
            what = "mirror: true flips images by chance in tests too"
            yield view.note(number, what, "transform_param", "mirror", hint="mirror: false in TEST")


@NET_RULES.add("B228")
def parted(view: View) -> Iterator[Note]:
    """Data layers whose records go in pairs, and whose shuffles, crops, mirrors or skipped records take them apart."""
    if view.graph is None:
        return
    with suppress(BrewError):  # an error of its own
        for remark in pairs.pair_layers([node.layer for node in view.graph.nodes]).remarks:
            yield Note(remark.message, remark.place, remark.hint)


@NET_RULES.add("B232")
def channels_last(view: View) -> Iterator[Note]:
    """Images of height x width x channels, where channels x height x width is expected: 3 columns of many channels."""
    layers = [node.layer for node in view.graph.nodes] if view.graph is not None else []
    for layer in layers:
        what = record_shape.mistaken(layer) if isinstance(layer, DataLayer) else None
        if what is not None:
            yield Note(f'layer "{layer.name}" ({layer.type}): {what}', layer.context.place(), record_shape.REMEDY)


@NET_RULES.add("B233")
def idle_augmentation(view: View) -> Iterator[Note]:
    """Augmentation in a layer for tests alone: it acts in training."""
    if view.phase != TEST:
        return
    for number, source in enumerate(view.layers):
        if source.param.bottom or not any(rule.phase == TEST for rule in source.param.include):
            continue
        for name in CHANCE:
            if source.param.transform_param.HasField(name):
                what = f"{name} has no effect in tests, where nothing is random"
                yield view.note(number, what, "transform_param", name, hint=f"leave {name} out")


@PAIR_RULES.add("B222")
def other_preparation(views: Sequence[View]) -> Iterator[Note]:
    """Scale, mean or crop of the test data unlike that of the training data: the net sees other numbers in tests."""
    for number, view, train in _pairs(views):
        mine, theirs = view.param(number).transform_param, train.transform_param
        for name in _SAME:
            here, there = getattr(mine, name), getattr(theirs, name)
            if here != there:
                shown = [_shown(value) for value in (here, there)]
                what = f"{name} is {shown[0]}, in training it is {shown[1]}"
                hint = "prepare test data as training data; only mirror and the place of a crop may differ"
                yield view.note(number, what, "transform_param", name, hint=hint)


@PAIR_RULES.add("B223")
def same_source(views: Sequence[View]) -> Iterator[Note]:
    """All tests read the source of the training: they cannot tell how well the net does on anything new."""
    found = [
        (number, view, _source(view.param(number)), _source(train)) for number, view, train in _counterparts(views)
    ]
    if found and all(mine and mine == theirs for _, _, mine, theirs in found):
        number, view, mine, _ = found[0]
        what = f"the test reads {mine}, which the training reads too"
        hint = "name the source of the test data"
        yield view.note(number, what, _section(view.param(number)), "source", hint=hint)


def _pairs(views: Sequence[View]) -> Iterator[tuple[int, View, LayerParameter]]:
    """(layer, its test's view, the training's layer that makes the same blob), where these are two layers."""
    return ((number, view, train) for number, view, train in _counterparts(views) if train != view.param(number))


def _counterparts(views: Sequence[View]) -> Iterator[tuple[int, View, LayerParameter]]:
    """As `_pairs`; one layer that serves both phases is its own, in a net that is meant to be tested."""
    made = {
        source.param.top[0]: source.param
        for view in views if view.phase == TRAIN
        for source in view.layers if _section(source.param) and source.param.top
    }  # fmt: skip
    for view in views:
        if view.phase != TEST:
            continue
        meant = view.used or any(rule.phase == TEST for s in view.layers for rule in s.param.include)
        for number, source in enumerate(view.layers):
            train = made.get(source.param.top[0]) if source.param.top else None
            if train is not None and train.type == source.param.type and (meant or train != source.param):
                yield number, view, train


def _source(param: LayerParameter) -> str:
    return str(getattr(param, _section(param)).source)


def _section(param: LayerParameter) -> str:
    """The message that names the source of a layer's records; "" where it reads none."""
    cls = facts(param)
    return cls.section if issubclass(cls, PrefetchingLayer) else ""


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = str(list(value)) if hasattr(value, "__iter__") and not isinstance(value, str) else str(value)
    return text or "none"
