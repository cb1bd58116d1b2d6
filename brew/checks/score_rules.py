"""Scores, probabilities and the losses over them: one class alone, and a Softmax too many or too few."""

from __future__ import annotations

from collections.abc import Iterator

from brew.layer import count
from brew.proto.brew_pb2 import LayerParameter

from .net_rules import NET_RULES, WEIGHTS
from .rules import Note
from .view import RESHAPING, View

_CLASS_AXIS = {"SoftmaxWithLoss": "softmax_param", "Accuracy": "accuracy_param", "InfogainLoss": "infogain_loss_param"}
_BY_ITEM = ("MultinomialLogisticLoss", "HingeLoss")  # all of an item's numbers are its classes
_ONE_CLASS = {  # the result, whatever the net has learned
    "SoftmaxWithLoss": "its one probability is always 1 and the loss always 0",
    "InfogainLoss": "its one probability is always 1 and the loss always 0",
    "MultinomialLogisticLoss": "there is nothing to choose from",
    "HingeLoss": "there is nothing to choose from",
    "Accuracy": "the best score is always the right one",
}
_TWO = "num_output is the number of classes, 2 at least; over one score: SigmoidCrossEntropyLoss, or EuclideanLoss"
_WANT_SCORES = {"SoftmaxWithLoss": "Softmax", "InfogainLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid",
                "HingeLoss": ""}  # fmt: skip
_CHANCES = ("Softmax", "Sigmoid")
_NO_CHANCES = (  # their tops may be below 0 or above 1, whatever they read
    *WEIGHTS, "LSTM", "RNN", "ReLU", "PReLU", "ELU", "BNLL", "Swish", "TanH", "BatchNorm", "MVN", "LRN",
)  # fmt: skip
_KEEPING = RESHAPING | {"Pooling", "Dropout", "Eltwise", "Scale", "Power", "Bias", "Reduction"}


@NET_RULES.add("B205", logged="net")
def activated_twice(view: View) -> Iterator[Note]:
    """A Softmax or Sigmoid before a loss over scores: SoftmaxWithLoss, for one, has its own inside."""
    for number, param in view.of_type(*_WANT_SCORES):
        for origin in view.origins(number):
            below = view.param(origin)
            if below.type not in _CHANCES:
                continue
            own = _WANT_SCORES[param.type]
            what = f'reads layer "{below.name}", a {below.type}, and '
            what += f"does another {own} itself" if below.type == own else "wants scores, not what lies from 0 to 1"
            yield view.note(number, what, "bottom", 0, hint=_unactivated(param, below))
            break


def _unactivated(param: LayerParameter, below: LayerParameter) -> str:
    hint = f'read the bottom of "{below.name}" instead'
    if param.type in ("SoftmaxWithLoss", "InfogainLoss") and below.type == "Sigmoid":
        return f"{hint}, or take SigmoidCrossEntropyLoss there if classes do not exclude each other"
    return hint


@NET_RULES.add("B218", logged="net")
def scores_for_probabilities(view: View) -> Iterator[Note]:
    """Scores where MultinomialLogisticLoss wants probabilities: all below 1e-20 counts as 1e-20."""
    for number, _ in view.of_type("MultinomialLogisticLoss"):
        makers = [view.param(origin) for origin in view.origins(number, through=_KEEPING)]
        if makers and all(maker.type in _NO_CHANCES for maker in makers):
            what = f'wants probabilities, and layer "{makers[0].name}" ({makers[0].type}) makes scores'
            hint = "SoftmaxWithLoss takes scores"
            yield view.note(number, what, "bottom", 0, hint=hint)


@NET_RULES.add("B212", logged="net")
def one_class(view: View) -> Iterator[Note]:
    """A loss or Accuracy over the scores of one class, or the best k of no more than k: always the same."""
    for number, param in view.of_type(*_CLASS_AXIS, *_BY_ITEM):
        classes = _classes(view, number, param)
        if classes == 1:
            what = f"its scores are of one class alone: {_ONE_CLASS[param.type]}"
            yield view.note(number, what, "bottom", 0, hint=_TWO)
        elif param.type == "Accuracy" and classes and param.accuracy_param.top_k >= classes:
            what = f"top_k is {param.accuracy_param.top_k}, and the scores are of {classes} classes: it is always 1"
            yield view.note(number, what, "accuracy_param", "top_k", hint="a smaller top_k")
    yield from _lone_softmax(view)


def _classes(view: View, number: int, param: LayerParameter) -> int | None:
    """How many classes a layer has scores of, where that is known."""
    shape = view.bottom_shape(number)
    if param.type in _BY_ITEM:
        return count(shape[1:]) if shape else None
    axis: int = getattr(param, _CLASS_AXIS[param.type]).axis
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def _lone_softmax(view: View) -> Iterator[Note]:
    """A Softmax right over a layer with one output, as in the deploy net of such a training."""
    for number, param in view.of_type("Softmax"):
        shape, axis = view.bottom_shape(number), param.softmax_param.axis
        below = next(view.below(number), None)
        if below is None or below.type not in WEIGHTS or not -len(shape) <= axis < len(shape) or shape[axis] != 1:
            continue
        if getattr(below, WEIGHTS[below.type]).num_output == 1 and axis % len(shape) == 1:
            what = f'layer "{below.name}" has one output, and over one score a Softmax is always 1'
            yield view.note(number, what, "bottom", 0, hint="num_output of 2, or a Sigmoid")
