"""The nets of the zoo against what is published of them."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.checks import files as checks
from brew.checks.states import Options
from brew.graph.definition import select
from brew.reports.summary import Summary, summarise

ZOO = Path(brew.__path__[-1]) / "model_zoo"

# Parameters that training changes, multiply-adds of an image, batch in training.
FIGURES = {
    "lenet": ((1, 28, 28), 431_080, 2_293_000, 64),
    "cifar10_quick": ((3, 32, 32), 145_578, 12_354_176, 100),
    "cifar10_full": ((3, 32, 32), 89_578, 12_298_240, 100),
    "caffenet": ((3, 227, 227), 60_965_224, 724_406_816, 256),
    "googlenet": ((3, 224, 224), 13_378_280, 1_591_044_096, 32),
    "resnet50": ((3, 224, 224), 25_557_096, 3_857_973_248, 32),
    "vgg16": ((3, 224, 224), 138_357_544, 15_470_264_320, 32),
    "mobilenet": ((3, 224, 224), 4_231_976, 568_740_352, 64),
}
# Some layers of the published weights, with the shapes of their blobs.
LAYERS = {
    "lenet": {"conv2": [(50, 20, 5, 5), (50,)], "ip1": [(500, 800), (500,)]},
    "cifar10_quick": {"conv3": [(64, 32, 5, 5), (64,)], "ip1": [(64, 1024), (64,)]},
    "cifar10_full": {"conv1": [(32, 3, 5, 5), (32,)], "ip1": [(10, 1024), (10,)]},
    "caffenet": {"conv2": [(256, 48, 5, 5), (256,)], "fc6": [(4096, 9216), (4096,)]},
    "googlenet": {
        "inception_4e/3x3": [(320, 160, 3, 3), (320,)],
        "loss1/fc": [(1024, 2048), (1024,)],
        "loss3/classifier": [(1000, 1024), (1000,)],
    },
    "resnet50": {
        "conv1": [(64, 3, 7, 7), (64,)],
        "res4f_branch2b": [(256, 256, 3, 3)],
        "bn5a_branch1": [(2048,), (2048,), (1,)],
        "scale5a_branch1": [(2048,), (2048,)],
        "fc1000": [(1000, 2048), (1000,)],
    },
    "vgg16": {"conv5_3": [(512, 512, 3, 3), (512,)], "fc6": [(4096, 25088), (4096,)]},
    "mobilenet": {
        "conv5_6/dw": [(512, 1, 3, 3)],
        "conv5_6/dw/bn": [(512,), (512,), (1,)],
        "conv5_6/sep/scale": [(1024,), (1024,)],
        "fc7": [(1000, 1024, 1, 1), (1000,)],
    },
}


def figures(name: str, phase: int) -> Summary:
    return summarise(ZOO / name / "train_val.prototxt", phase, shapes={"data": (1, *FIGURES[name][0])})


def test_every_net_of_the_zoo_is_here() -> None:
    assert {path.parent.name for path in ZOO.glob("*/train_val.prototxt")} == set(FIGURES)


@pytest.mark.parametrize("phase", [brew.TRAIN, brew.TEST], ids=["train", "test"])
@pytest.mark.parametrize("name", FIGURES)
def test_its_size_is_the_published_one(name: str, phase: int) -> None:
    summary = figures(name, phase)
    _, learned, multiply_adds, _ = FIGURES[name]
    statistics = sum(sum(map(prod, x.parameter_shapes)) for x in summary.layers if x.type == "BatchNorm")
    assert (summary.learned, summary.multiply_adds) == (learned, multiply_adds)
    assert summary.parameters == learned + statistics


@pytest.mark.parametrize("name", FIGURES)
def test_layers_are_named_and_shaped_as_the_published_weights(name: str) -> None:
    found = {layer.name: list(layer.parameter_shapes) for layer in figures(name, brew.TEST).layers}
    assert {layer: found[layer] for layer in LAYERS[name]} == LAYERS[name]


@pytest.mark.parametrize(("name", "pairs"), [("resnet50", 53), ("mobilenet", 27)])
def test_every_normalization_is_followed_by_its_scale(name: str, pairs: int) -> None:
    layers = [x for x in figures(name, brew.TRAIN).layers if not x.split]
    after = [(x, y) for x, y in pairwise(layers) if x.type == "BatchNorm"]
    assert len(after) == pairs
    for norm, scale in after:
        assert (scale.type, scale.bottoms) == ("Scale", norm.bottoms)
        assert len(scale.parameter_shapes) == 2


@pytest.mark.parametrize("name", FIGURES)
def test_the_batch_in_training_is_the_published_one(name: str) -> None:
    layers = select(ZOO / name / "train_val.prototxt", brew.TRAIN).layers
    assert layers[0].param.data_param.batch_size == FIGURES[name][3]


@pytest.mark.parametrize("name", FIGURES)
def test_brew_check_finds_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = ZOO / name
    with caplog.at_level(logging.WARNING, "brew"):
        found = [checks.check(str(folder / f), Options(data=False)) for f in ("train_val.prototxt", "solver.prototxt")]
    assert json.dumps([f.as_dict() for some in found for f in some]) == "[]"
    assert not caplog.records


@pytest.mark.parametrize("name", ["lenet", "cifar10_quick", "cifar10_full"])
@pytest.mark.parametrize("phase", [brew.TRAIN, brew.TEST], ids=["train", "test"])
def test_the_small_ones_run(name: str, phase: int) -> None:
    net = brew.Net(ZOO / name / "train_val.prototxt", phase, shapes={"data": (2, *FIGURES[name][0])}, seed=1)
    net.blobs["data"].data[...] = np.random.default_rng(1).normal(scale=0.1, size=net.blobs["data"].shape)
    net.blobs["label"].data[...] = [3, 9]
    loss = net.forward()["loss"]
    net.backward()
    assert abs(float(loss) - 2.3026) < 0.3  # of ten classes, before anything is learned
    assert net.params["conv1"][0].diff.any() or phase == brew.TEST
