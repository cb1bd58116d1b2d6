"""Where a net compares scores with labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from scored_nets import HEADS, X, Y, write_net

from brew import prototxt
from brew.errors import UsageError
from brew.graph.definition import define
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt.placed import PlacedLayer
from brew.solver.scoring.finding import layers_of, scoring_of
from brew.solver.scoring.heads import Head, heads, named_head

DATA = 'layer { name: "d" type: "Input" top: "x" top: "y" top: "z" }'


def layers(text: str) -> list[PlacedLayer]:
    return layers_of(define(prototxt.parse(DATA + text, NetParameter)))


def layer(kind: str, bottoms: str, more: str = "") -> str:
    return (
        f'layer {{ name: "{kind}" type: "{kind}" {"".join(f"bottom: {b!r} " for b in bottoms)} top: "{kind}" {more} }}'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (layer("SoftmaxWithLoss", "xy"), [Head("x", "y", "classes", 1, weight=1)]),
        (layer("Accuracy", "xy", "accuracy_param { axis: 2 ignore_label: 9 }"), [Head("x", "y", "classes", 2, 9)]),
        (layer("HingeLoss", "xy"), [Head("x", "y", "classes", None, weight=1)]),
        (layer("MultinomialLogisticLoss", "xy"), [Head("x", "y", "classes", None, chances=True, weight=1)]),
        (layer("SigmoidCrossEntropyLoss", "xy"), [Head("x", "y", "labels", None, weight=1)]),
        (layer("EuclideanLoss", "xy", "loss_weight: 2"), [Head("x", "y", "values", None, weight=2)]),
        (layer("ContrastiveLoss", "xyz"), []),
        (layer("Eltwise", "xy"), []),
        (  # the loss and the Accuracy of the same blobs are one head, with what each of them says
            layer("SoftmaxWithLoss", "xy") + layer("Accuracy", "xy", "accuracy_param { ignore_label: 3 }"),
            [Head("x", "y", "classes", 1, 3, weight=1)],
        ),
        (  # an Accuracy over what a softmax made of the scores
            layer("Softmax", "x") + 'layer { name: "a" type: "Accuracy" bottom: "Softmax" bottom: "y" top: "a" }',
            [Head("Softmax", "y", "classes", 1, chances=True)],
        ),
        (  # labels of two kinds
            layer("SoftmaxWithLoss", "xy") + layer("EuclideanLoss", "xz", "loss_weight: 0.5"),
            [Head("x", "y", "classes", 1, weight=1), Head("x", "z", "values", None, weight=0.5)],
        ),
        (layer("SoftmaxWithLoss", "xy", "include { phase: TRAIN }"), []),
    ],
)  # fmt: skip
def test_heads(text: str, expected: list[Head]) -> None:
    assert heads(layers(text)) == expected


def test_auxiliary_heads_do_not_count() -> None:
    text = layer("SoftmaxWithLoss", "xy", "loss_weight: 0.3")
    text += 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "z" bottom: "y" top: "l" }' + layer("Accuracy", "xy")
    assert [head.scores for head in heads(layers(text))] == ["z"]


def test_heads_by_name() -> None:
    some = layers(layer("Softmax", "x") + layer("HingeLoss", "xy"))
    assert named_head(some, "x", "y") == Head("x", "y", "classes", None, weight=1)
    assert named_head(some, "x", "z", "values") == Head("x", "z", "values")
    assert named_head(some, "Softmax", "z", "labels") == Head("Softmax", "z", "labels", chances=True)
    with pytest.raises(UsageError, match="not known how"):
        named_head(some, "x", "z")
    with pytest.raises(UsageError, match='no blob "xyz"'):
        named_head(some, "x", "xyz")


def test_metrics_are_the_same_on_every_device(device: str, tmp_path: Path) -> None:
    write_net(tmp_path, HEADS["classes"], X, Y)
    definition = define(tmp_path / "net.prototxt")
    scoring = scoring_of(layers_of(definition), ["all"])
    assert scoring is not None
    net = Net(definition, phase="test", device=device, keep=scoring.blobs, forward_only=True)
    scoring.begin(net)
    for _ in range(2):
        net.run_forward()
        scoring.add(net)
    net.close()
    assert scoring.results()["accuracy"] == pytest.approx(4 / 6)
