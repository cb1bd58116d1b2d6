"""Labels against the layers that compare scores with them, by the first records of the source they come from.

`brew check` and a training that begins look alike: the rules work on a net as it is built.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from brew.errors import DataError
from brew.graph.graph import Graph, Node
from brew.layer import TRAIN
from brew.layer.data_layer import DataLayer
from brew.layer.label_sample import LabelSample
from brew.proto.brew_pb2 import LayerParameter

from .rules import Note, Rules
from .view import View, class_count, facts

log = logging.getLogger("brew")

LABEL_RULES: Rules[View] = Rules()

_READ = 200  # records: enough to meet a number that is too large, little beside opening the database
_READ_IN_TRAINING = 50
_FEW = 10  # so few records may all be of one class


@dataclass(frozen=True, slots=True)
class Use:
    """A layer that reads the top `top` of layer `source` as labels; `classes` is None where unknown."""

    node: Node
    source: DataLayer
    top: int
    bottom: int
    classes: int | None = None
    ignored: int | None = None

    def note(self, message: str, hint: str) -> Note:
        param = self.node.layer.param
        place = self.node.source.place("bottom", self.bottom)
        return Note(f'layer "{param.name}" ({param.type}): {message}', place, hint)


@LABEL_RULES.add("B227")
def label_range(view: View) -> Iterator[Note]:
    """A label among the first records of a data layer that is no class of the scores it is compared with."""
    yield from out_of_range(uses_of(view), _samples(view))


@LABEL_RULES.add("B229")
def label_fraction(view: View) -> Iterator[Note]:
    """Labels that are no whole numbers, where a class is wanted: 0.5 counts as class 0."""
    yield from fractions(uses_of(view), _samples(view))


@LABEL_RULES.add("B230")
def label_missing(view: View) -> Iterator[Note]:
    """A Data layer with a label top over records that have none: each counts as class 0."""
    yield from missing(uses_of(view), _samples(view))


@LABEL_RULES.add("B231")
def one_class(view: View) -> Iterator[Note]:
    """A training whose labels are all the same, as far as they were read: there is nothing to tell apart."""
    if view.phase == TRAIN:
        yield from all_alike(uses_of(view), _samples(view))


Samples = Mapping[tuple[str, int], LabelSample]


def uses_of(view: View) -> list[Use]:
    return [] if view.graph is None else list(uses(view.graph))


def _samples(view: View) -> Samples:
    return samples(uses_of(view), _READ)


def uses(graph: Graph) -> Iterator[Use]:
    """Every bottom of a net that is a data layer's top, directly or through Splits and the like, and no image."""
    for node in graph.nodes:
        param = node.layer.param
        if param.type == "Silence" or (node.tops and all(node.layer.view(t) for t in range(len(node.tops)))):
            continue  # no use of labels by itself
        for b, blob in enumerate(node.bottoms):
            source, top = _origin(graph, blob)
            compares = b == 1 and facts(param).labels_are_classes
            if isinstance(source, DataLayer) and (top > 0 or compares):
                classes = class_count(param, graph.blobs[node.bottoms[0]].shape) if compares else None
                yield Use(node, source, top, b, classes, ignored_label(param) if compares else None)


def samples(found: list[Use], most: int) -> Samples:
    """The first labels of every source, as far as they can be read; `brew data check` reports unreadable ones."""
    read: dict[tuple[str, int], LabelSample] = {}
    for use in found:
        key = use.source.name, use.top
        if key not in read:
            try:
                sample = use.source.labels(use.top, most)
            except DataError:
                continue
            if sample is not None:
                read[key] = sample
    return read


def out_of_range(found: list[Use], read: Samples) -> Iterator[Note]:
    """Labels that are no class."""
    for use in found:
        sample = read.get((use.source.name, use.top))
        if sample is None or use.classes is None:
            continue
        values = sample.values
        wrong = ~((values > -1) & (values < use.classes)) & (values != use.ignored)
        if wrong.any():
            first = int(np.argmax(wrong))
            what = f"{sample.name(first)} has the label {values[first]:g}, the scores are of {use.classes} classes"
            last = f", 0 to {use.classes - 1}"
            yield use.note(
                what + last, "num_output of the last layer is the number of classes, and labels count from 0"
            )


def fractions(found: list[Use], read: Samples) -> Iterator[Note]:
    """Labels between the classes."""
    for use in _once(found, comparing=True):
        sample = read.get((use.source.name, use.top))
        if sample is None or sample.values.dtype.kind != "f":
            continue
        with np.errstate(invalid="ignore"):
            wrong = sample.values != np.trunc(sample.values)
        wrong &= np.isfinite(sample.values)
        if wrong.any():
            first = int(np.argmax(wrong))
            value = sample.values[first]
            what = f"{sample.name(first)} has the label {value:g}, which counts as class {int(value)}"
            yield use.note(what, "classes are whole numbers; EuclideanLoss and SigmoidCrossEntropyLoss take others")


def missing(found: list[Use], read: Samples) -> Iterator[Note]:
    """Records without a label."""
    for use in _once(found, comparing=False):
        sample = read.get((use.source.name, use.top))
        if sample is not None and sample.missing is not None:
            what = f'{sample.missing} of layer "{use.source.name}" has no label, and counts as class 0'
            hint = "write the records with their labels, or leave the label top out"
            yield use.note(what, hint)


def all_alike(found: list[Use], read: Samples) -> Iterator[Note]:
    """Labels of one class only."""
    for use in _once(found, comparing=True):
        sample = read.get((use.source.name, use.top))
        if sample is None or use.classes == 1:
            continue
        values = sample.values[sample.values != use.ignored] if use.ignored is not None else sample.values
        if len(values) >= _FEW and (values == values[0]).all():
            extent = f"all {len(values)} labels" if sample.whole else f"the first {len(values) - 1} labels and the last"
            what = f'{extent} of layer "{use.source.name}" are {values[0]:g}: there is nothing to tell apart'
            yield use.note(what, "are the labels written as they should be?")


def _once(found: list[Use], *, comparing: bool) -> Iterator[Use]:
    """The first use of every source; with `comparing` the first that is compared with scores."""
    seen = set()
    for use in found:
        key = use.source.name, use.top
        if key not in seen and (use.classes is not None or not comparing):
            seen.add(key)
            yield use


def warn(nets: Iterable[tuple[Graph, int]]) -> None:
    """Log the warnings about the labels of nets (with their phases) that are to run."""
    said: dict[str, None] = {}
    for graph, phase in nets:
        found = list(uses(graph))
        read = samples(found, _READ_IN_TRAINING)
        notes = [*out_of_range(found, read), *fractions(found, read), *missing(found, read)]
        if phase == TRAIN:
            notes += all_alike(found, read)
        said.update((f"{note.place}: {note.message} ({note.hint})", None) for note in notes)
    for line in said:
        log.warning("%s", line.removeprefix("None: "))


def _origin(graph: Graph, blob: int) -> tuple[object, int]:
    """The layer that fills a blob, as far as values go, and the number of its top."""
    while True:
        node = graph.nodes[graph.blobs[blob].producer]
        top = node.tops.index(blob) if blob in node.tops else 0
        view = node.layer.view(top)
        if view is None:
            return node.layer, top
        blob = node.bottoms[view.bottom]


def ignored_label(param: LayerParameter) -> int | None:
    """The label that does not count."""
    settings = param.accuracy_param if param.type == "Accuracy" else param.loss_param
    return settings.ignore_label if settings.HasField("ignore_label") else None
