"""Labels against the number of classes, by the first records of the database they come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice

from google.protobuf.message import DecodeError

from brew.data.database import open_database
from brew.errors import DataError
from brew.graph import Node
from brew.proto.brew_pb2 import Datum, LayerParameter

from .rules import Note, Rules
from .view import View

LABEL_RULES: Rules[View] = Rules()

_READ = 200  # records: enough to meet a number that is too large, little beside opening the database
_SCORES = {"SoftmaxWithLoss": "softmax_param", "Accuracy": "accuracy_param", "InfogainLoss": "infogain_loss_param"}


@LABEL_RULES.add("B227")
def label_range(view: View) -> Iterator[Note]:
    """A label among the first 200 records of a Data layer that is no class of the scores it is compared with."""
    labels: dict[int, list[tuple[str, int]]] = {}
    for number, param in view.of_type(*_SCORES):
        source = view.maker.get((number, 1))
        classes = _classes(view, number)
        if source is None or source[1] != 1 or classes is None or view.param(source[0]).type != "Data":
            continue
        if source[0] not in labels:
            labels[source[0]] = list(_labels(_node(view, source[0])))
        ignored = _ignored(param)
        for key, label in labels[source[0]]:
            if label != ignored and not 0 <= label < classes:
                what = f"record {key!r} has the label {label}, the scores are of {classes} classes, 0 to {classes - 1}"
                hint = "num_output of the last layer is the number of classes, and labels count from 0"
                yield view.note(number, what, "bottom", 1, hint=hint)
                break


def _classes(view: View, number: int) -> int | None:
    """How many scores there are for each label, where that is known."""
    node, param = _node(view, number), view.param(number)
    if node is None or view.graph is None or not node.bottoms:
        return None
    shape = view.graph.blobs[node.bottoms[0]].shape
    axis: int = getattr(param, _SCORES[param.type]).axis
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def _node(view: View, number: int) -> Node | None:
    """The layer as it was built."""
    param = view.param(number)
    nodes = view.graph.nodes if view.graph is not None else []
    return next((n for n in nodes if (n.layer.name, n.layer.param.type) == (param.name, param.type)), None)


def _ignored(param: LayerParameter) -> int | None:
    """The label that does not count."""
    settings = param.accuracy_param if param.type == "Accuracy" else param.loss_param
    return settings.ignore_label if settings.HasField("ignore_label") else None


def _labels(node: Node | None) -> Iterator[tuple[str, int]]:
    """Key and label of the first records; as far as they can be read, for `brew data check` says what is wrong."""
    path = getattr(node.layer, "path", None) if node is not None else None
    if path is None:
        return
    with suppress(DataError, DecodeError), closing(open_database(path)) as database:
        for key, value in islice(database.scan(0), _READ):
            yield key.decode(errors="replace"), Datum.FromString(value).label
