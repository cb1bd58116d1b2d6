"""`brew check` on scores, probabilities and the losses over them, of every type concerned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from brew.checks import files
from brew.checks.states import Options

Codes = Callable[[str], list[str]]

HEAD = """
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 4 dim: 6 }} }} }}
layer {{ name: "y" type: "Input" top: "y" input_param {{ shape {{ dim: 4 {more} }} }} }}
layer {{ name: "h" type: "Input" top: "h" input_param {{ shape {{ dim: 1 dim: 1 dim: {n} dim: {n} }} }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
  inner_product_param {{ num_output: {n} weight_filler {{ type: "xavier" }} }} }}
"""
SILENCE = 'layer { name: "silent" type: "Silence" bottom: "h" }\n'


@pytest.fixture
def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Codes:
    monkeypatch.chdir(tmp_path)

    def run(text: str) -> list[str]:
        Path("net.prototxt").write_text(text)
        return [finding.code for finding in files.check("net.prototxt", Options())]

    return run


def net(loss: str, n: int = 3, between: str = "", scores: str = "fc", more: str = "") -> str:
    """Scores of `n` classes, perhaps more layers, and the loss over them."""
    third = ' bottom: "h"' if loss == "InfogainLoss" else ""
    end = "" if loss == "InfogainLoss" else SILENCE
    bottoms = f'bottom: "{scores}" bottom: "y"{third}'
    return HEAD.format(n=n, more=more) + between + f'layer {{ name: "l" type: "{loss}" {bottoms} top: "l" }}\n' + end


def through(*types: str) -> str:
    """A row of layers over "fc", each on a blob of its type's name."""
    rows = [
        f'layer {{ name: "{kind}" type: "{kind}" bottom: "{below}" top: "{kind}" '
        f"{'reshape_param { shape { dim: 0 dim: -1 } }' if kind == 'Reshape' else ''} }}\n"
        for below, kind in zip(("fc", *types), types, strict=False)
    ]
    return "".join(rows)


CLASSES = ("SoftmaxWithLoss", "InfogainLoss", "HingeLoss", "Accuracy")


@pytest.mark.parametrize("loss", CLASSES)
def test_one_class_is_told_and_two_are_not(loss: str, codes: Codes) -> None:
    assert codes(net(loss, 1)) == ["B212"]
    assert codes(net(loss, 2)) == []


def test_one_class_after_a_softmax(codes: Codes) -> None:
    assert codes(net("MultinomialLogisticLoss", 1, through("Softmax"), "Softmax")) == ["B212", "B212"]
    assert codes(net("MultinomialLogisticLoss", 2, through("Softmax"), "Softmax")) == []


def test_one_class_along_another_axis(codes: Codes) -> None:
    text = """
    layer { name: "x" type: "Input" top: "x" top: "y"
      input_param { shape { dim: 2 dim: 5 dim: 1 } shape { dim: 2 dim: 5 } } }
    layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "y" top: "l" softmax_param { axis: 2 } }
    """
    assert codes(text) == ["B212"]
    assert codes(text.replace("axis: 2", "axis: 1").replace("dim: 2 dim: 5 } }", "dim: 2 dim: 1 } }")) == []


def test_the_deploy_net_of_one_class(codes: Codes) -> None:
    assert codes(HEAD.format(n=1, more="") + through("Softmax") + SILENCE) == ["B212"]
    assert codes(HEAD.format(n=1, more="") + through("Sigmoid") + SILENCE) == []


@pytest.mark.parametrize(("k", "found"), [(1, []), (2, []), (3, ["B212"])])
def test_top_k_of_k_classes(k: int, found: list[str], codes: Codes) -> None:
    text = net("Accuracy").replace('top: "l"', f'top: "l" accuracy_param {{ top_k: {k} }}')
    assert codes(text) == found


@pytest.mark.parametrize("loss", ["SoftmaxWithLoss", "InfogainLoss", "HingeLoss", "SigmoidCrossEntropyLoss"])
@pytest.mark.parametrize("way", [("Softmax",), ("Sigmoid",), ("Softmax", "Reshape"), ("Sigmoid", "Flatten")])
def test_probabilities_for_scores(loss: str, way: tuple[str, ...], codes: Codes) -> None:
    more = "dim: 3" if loss == "SigmoidCrossEntropyLoss" else ""
    assert codes(net(loss, 3, through(*way), way[-1], more)) == ["B205"]
    assert codes(net(loss, 3, more=more)) == []


@pytest.mark.parametrize("loss", ["EuclideanLoss", "Accuracy"])
def test_losses_that_take_probabilities_too(loss: str, codes: Codes) -> None:
    more = "dim: 3" if loss == "EuclideanLoss" else ""
    assert codes(net(loss, 3, through("Softmax"), "Softmax", more)) == []


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ((), ["B218"]), (("ReLU",), ["B218"]), (("TanH",), ["B218"]), (("Reshape",), ["B218"]), (("Dropout",), ["B218"]),
        (("Softmax",), []), (("Sigmoid",), []), (("Softmax", "Reshape"), []), (("Softmax", "Dropout"), []),
        (("Exp",), []),
    ],
)  # fmt: skip
def test_scores_for_probabilities(way: tuple[str, ...], found: list[str], codes: Codes) -> None:
    assert (
        codes(net("MultinomialLogisticLoss", 3, through(*way), (*way, "fc")[-1 if not way else len(way) - 1])) == found
    )


def test_probabilities_from_data_are_not_judged(codes: Codes) -> None:
    assert codes(net("MultinomialLogisticLoss", 3, scores="x").replace('name: "fc"', 'name: "fc" loss_weight: 1')) == []
