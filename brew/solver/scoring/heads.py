"""Where a net compares scores with labels: the bottoms of its losses and of its scores (Accuracy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from brew.errors import UsageError, did_you_mean
from brew.layer import Layer
from brew.layer.registry import layer_class, layer_type_list
from brew.proto.brew_pb2 import LayerParameter
from brew.prototxt.placed import PlacedLayer

CLASSES, LABELS, VALUES = "classes", "labels", "values"
TASKS = (CLASSES, LABELS, VALUES)


@dataclass(frozen=True, slots=True)
class Head:
    """Two blobs that are compared, by name.

    task      CLASSES: of the scores along `axis` (None: all numbers of an item) one class is right, whose number is the
              label; LABELS: every score has a label, 0 or 1; VALUES: every number has the one it should be
    ignore    the label that does not count; None: there is none
    chances   the scores are probabilities already, not what a softmax or sigmoid makes some of
    weight    of the loss; 0 where no loss compares them
    """

    scores: str
    labels: str
    task: str
    axis: int | None = 1
    ignore: int | None = None
    chances: bool = False
    weight: float = 0.0


def heads(layers: Sequence[PlacedLayer]) -> list[Head]:
    """The heads of a net with these layers (without Splits), in order.

    Of several over the same labels those whose loss weighs most count, as in `brew deploy`; a score (Accuracy) counts
    where no loss has its labels.
    """
    found: dict[tuple[str, str], Head] = {}
    for source in layers:
        head = _head(source.param, layers)
        if head is None:
            continue
        before = found.get((head.scores, head.labels))
        if before is not None:
            ignore = before.ignore if head.ignore is None else head.ignore
            found[head.scores, head.labels] = replace(before, ignore=ignore, weight=max(before.weight, head.weight))
        else:
            found[head.scores, head.labels] = head
    most = {head.labels: 0.0 for head in found.values()}
    for head in found.values():
        most[head.labels] = max(most[head.labels], head.weight)
    return [head for head in found.values() if head.weight == most[head.labels]]


def named_head(layers: Sequence[PlacedLayer], scores: str, labels: str, task: str | None = None) -> Head:
    """The head of two blobs given by name. Its task is `task`, or that of a layer that reads both; UsageError where
    neither says it, or the net has no such blob."""
    blobs = dict.fromkeys(top for source in layers for top in source.param.top)
    for name in (scores, labels):
        if name not in blobs:
            raise UsageError(f'the net has no blob "{name}"', hint=did_you_mean(name, blobs) or ", ".join(blobs))
    read = [head for source in layers if (head := _head(source.param, layers)) is not None]
    same = next((head for head in read if (head.scores, head.labels) == (scores, labels)), None)
    if same is not None and task in (None, same.task):
        return same
    if task is None:
        raise UsageError(
            f'no loss and no Accuracy compares "{scores}" with "{labels}": it is not known how',
            hint="--task classes (a label is the number of a class), labels (0 or 1 for each score) or values",
        )
    return Head(scores, labels, task, chances=_are_chances(scores, layers))


def _head(param: LayerParameter, layers: Sequence[PlacedLayer]) -> Head | None:
    """What a layer compares; None for one that does not, or not in a way that is known."""
    cls = layer_class(param.type)
    if cls is None or len(param.bottom) < 2:
        return None
    scores, labels = param.bottom[0], param.bottom[1]
    weight = _weight(param, cls)
    if cls.labels_are_classes:
        axis = getattr(param, cls.axis_in).axis if cls.axis_in else None
        chances = cls.least_probability > 0 and not cls.probabilities
        return Head(scores, labels, CLASSES, axis, _ignored(param), chances or _are_chances(scores, layers), weight)
    if not cls.is_loss or len(param.bottom) > 2 or cls.bottoms.most != 2:
        return None
    if cls.probabilities:
        return Head(scores, labels, LABELS, None, _ignored(param), weight=weight)
    return Head(scores, labels, VALUES, None, weight=weight)


def _weight(param: LayerParameter, cls: type[Layer]) -> float:
    return float(param.loss_weight[0]) if param.loss_weight else float(cls.is_loss)


def _ignored(param: LayerParameter) -> int | None:
    for message in (param.loss_param, param.accuracy_param):
        if message.HasField("ignore_label"):
            return int(message.ignore_label)
    return None


def _are_chances(blob: str, layers: Sequence[PlacedLayer]) -> bool:
    """Whether the last layer that makes a blob is of a type that makes probabilities for a loss."""
    classes = [cls for name in layer_type_list() if (cls := layer_class(name)) is not None]
    types = {cls.probabilities for cls in classes if cls.probabilities}
    makers = [source.param.type for source in layers if blob in source.param.top]
    return bool(makers) and makers[-1] in types
