"""Scores, probabilities and the losses over them: one class alone, and a Softmax too many or too few."""

from __future__ import annotations

from collections.abc import Iterator

from brew.layer import Layer
from brew.proto.brew_pb2 import LayerParameter

from .net_rules import NET_RULES
from .rules import Note
from .view import View, class_count, facts

_TWO = "num_output is the number of classes, 2 at least; over one score: SigmoidCrossEntropyLoss, or EuclideanLoss"
_CHANCES = ("Softmax", "Sigmoid")
_NO_CHANCES = (  # their tops may be below 0 or above 1, whatever they read
    "Convolution", "Deconvolution", "InnerProduct", "Embed", "LSTM", "RNN", "ReLU", "PReLU", "ELU", "BNLL", "Swish",
    "TanH", "BatchNorm", "MVN", "LRN",
)  # fmt: skip
_KEEPING = {"Pooling", "Dropout", "Eltwise", "Scale", "Power", "Bias", "Reduction"}


@NET_RULES.add("B205", logged="net")
def activated_twice(view: View) -> Iterator[Note]:
    """A Softmax or Sigmoid before a loss over scores: SoftmaxWithLoss, for one, has its own inside."""
    for number, param in view.of_class(_wants_scores):
        for origin in view.origins(number):
            below = view.param(origin)
            if below.type not in _CHANCES:
                continue
            own = facts(param).probabilities
            what = f'reads layer "{below.name}", a {below.type}, and '
            what += f"does another {own} itself" if below.type == own else "wants scores, not what lies from 0 to 1"
            yield view.note(number, what, "bottom", 0, hint=_unactivated(param, below))
            break


def _wants_scores(cls: type[Layer]) -> bool:
    """Whether a layer is a loss over scores: it makes probabilities of them itself, or needs none."""
    return bool(cls.probabilities) or (cls.is_loss and cls.labels_are_classes and not cls.least_probability)


def _unactivated(param: LayerParameter, below: LayerParameter) -> str:
    hint = f'read the bottom of "{below.name}" instead'
    if facts(param).probabilities == "Softmax" and below.type == "Sigmoid":
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
    for number, param in view.of_class(lambda cls: cls.labels_are_classes):
        classes = class_count(param, view.bottom_shape(number))
        if classes == 1:
            what = f"its scores are of one class alone: {_one_class(facts(param))}"
            yield view.note(number, what, "bottom", 0, hint=_TWO)
        elif param.type == "Accuracy" and classes and param.accuracy_param.top_k >= classes:
            what = f"top_k is {param.accuracy_param.top_k}, and the scores are of {classes} classes: it is always 1"
            yield view.note(number, what, "accuracy_param", "top_k", hint="a smaller top_k")
    yield from _lone_softmax(view)


def _one_class(cls: type[Layer]) -> str:
    """The result, whatever the net has learned."""
    if cls.is_score:
        return "the best score is always the right one"
    if cls.probabilities:
        return "its one probability is always 1 and the loss always 0"
    return "there is nothing to choose from"


def _lone_softmax(view: View) -> Iterator[Note]:
    """A Softmax right over a layer with one output, as in the deploy net of such a training."""
    for number, param in view.of_type("Softmax"):
        shape, axis = view.bottom_shape(number), param.softmax_param.axis
        below = next(view.below(number), None)
        if below is None or not -len(shape) <= axis < len(shape) or shape[axis] != 1:
            continue
        section = facts(below).weights_in
        if section and getattr(below, section).num_output == 1 and axis % len(shape) == 1:
            what = f'layer "{below.name}" has one output, and over one score a Softmax is always 1'
            yield view.note(number, what, "bottom", 0, hint="num_output of 2, or a Sigmoid")
