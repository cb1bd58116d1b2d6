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
from brew.model_zoo.generators.table import counted, front_matter
from brew.reports.summary import Summary

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
    "alexnet": ((3, 227, 227), 60_965_224, 724_406_816, 256),
    "nin": ((3, 224, 224), 7_595_176, 1_100_188_800, 64),
    "squeezenet_v1.0": ((3, 227, 227), 1_248_424, 861_339_936, 32),
    "squeezenet_v1.1": ((3, 227, 227), 1_235_496, 387_747_520, 32),
    "vgg19": ((3, 224, 224), 143_667_240, 19_632_062_464, 32),
    "resnet18": ((3, 224, 224), 11_693_736, 1_826_918_400, 32),
    "resnet34": ((3, 224, 224), 21_797_672, 3_663_761_408, 32),
    "resnet101": ((3, 224, 224), 44_549_160, 7_570_194_432, 32),
    "resnet152": ((3, 224, 224), 60_192_808, 11_282_415_616, 32),
    "resnext50": ((3, 224, 224), 25_028_910, 4_230_479_872, 32),
    "se_resnet50": ((3, 224, 224), 28_088_024, 3_860_488_192, 32),
    "densenet121": ((3, 224, 224), 7_978_856, 2_834_161_664, 32),
    "mobilenet_v2": ((3, 224, 224), 3_505_960, 429_111_936, 64),
    "inception_v3": ((3, 299, 299), 23_834_568, 5_713_216_096, 32),
    "inception_v4": ((3, 299, 299), 42_679_816, 12_253_974_624, 32),
    "inception_resnet_v2": ((3, 299, 299), 55_843_464, 13_155_794_016, 32),
}
FILES = ("train_val.prototxt", "deploy.prototxt", "solver.prototxt")
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
    "alexnet": {"conv5": [(256, 192, 3, 3), (256,)], "fc7": [(4096, 4096), (4096,)]},
    "nin": {"conv4-1024": [(1024, 384, 3, 3), (1024,)], "cccp8-1024": [(1000, 1024, 1, 1), (1000,)]},
    "squeezenet_v1.0": {"conv1": [(96, 3, 7, 7), (96,)], "fire9/expand3x3": [(256, 64, 3, 3), (256,)]},
    "squeezenet_v1.1": {"conv1": [(64, 3, 3, 3), (64,)], "conv10": [(1000, 512, 1, 1), (1000,)]},
    "vgg19": {"conv5_4": [(512, 512, 3, 3), (512,)], "fc8": [(1000, 4096), (1000,)]},
    "resnet18": {"res2a_branch1": [(64, 64, 1, 1)], "scale5b_branch2b": [(512,), (512,)]},
    "resnet34": {"res4f_branch2a": [(256, 256, 3, 3)], "bn3a_branch1": [(128,), (128,), (1,)]},
    "resnet101": {"res4b22_branch2b": [(256, 256, 3, 3)], "bn3b3_branch2c": [(512,), (512,), (1,)]},
    "resnet152": {"res4b35_branch2c": [(1024, 256, 1, 1)], "scale3b7_branch2a": [(128,), (128,)]},
    "resnext50": {
        "bn_data": [(3,), (3,), (1,)],
        "stage4_unit3_conv2": [(1024, 32, 3, 3)],
        "fc1": [(1000, 2048), (1000,)],
    },
    "se_resnet50": {
        "conv5_3_1x1_down": [(128, 2048, 1, 1), (128,)],
        "conv3_1_1x1_proj/bn/scale": [(512,), (512,)],
        "classifier": [(1000, 2048), (1000,)],
    },
    "densenet121": {
        "conv5_16/x1": [(128, 992, 1, 1)],
        "conv4_blk": [(512, 1024, 1, 1)],
        "fc6": [(1000, 1024, 1, 1), (1000,)],
    },
    "mobilenet_v2": {
        "conv2_1/expand": [(32, 32, 1, 1)],
        "conv6_3/dwise": [(960, 1, 3, 3)],
        "conv6_3/linear/scale": [(320,), (320,)],
    },
    "inception_v3": {"inception_b4_1x7_3": [(192, 192, 1, 7)], "inception_c2_3x1_2": [(384, 384, 3, 1)]},
    "inception_v4": {"inception_stem2_7x1": [(64, 64, 7, 1)], "inception_c3_1x3_2": [(512, 448, 1, 3)]},
    "inception_resnet_v2": {
        "inception_resnet_v2_b20_up": [(1088, 384, 1, 1), (1088,)],
        "conv6_1x1_bn": [(1536,), (1536,), (1,)],
    },
}


# What is checked of each net by itself takes long for these; the table of the zoo holds their figures in the fast tests.
DEEP = {"resnet101", "resnet152", "se_resnet50", "densenet121", "inception_v3", "inception_v4", "inception_resnet_v2"}
EACH = [pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name for name in FIGURES]


def figures(name: str, phase: int) -> Summary:
    return counted(ZOO / name, "train_val.prototxt", phase)


def test_every_net_of_the_zoo_is_here() -> None:
    assert {path.parent.name for path in ZOO.glob("*/train_val.prototxt")} == set(FIGURES)


@pytest.mark.parametrize("phase", [brew.TRAIN, brew.TEST], ids=["train", "test"])
@pytest.mark.parametrize("name", EACH)
def test_its_size_is_the_published_one(name: str, phase: int) -> None:
    summary = figures(name, phase)
    shape, learned, multiply_adds, _ = FIGURES[name]
    assert tuple(front_matter(ZOO / name)["input"]) == shape
    statistics = sum(sum(map(prod, x.parameter_shapes)) for x in summary.layers if x.type == "BatchNorm")
    assert (summary.learned, summary.multiply_adds) == (learned, multiply_adds)
    assert summary.parameters == learned + statistics


@pytest.mark.parametrize("name", EACH)
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


@pytest.mark.parametrize("name", EACH)
def test_the_batch_in_training_is_the_published_one(name: str) -> None:
    layers = select(ZOO / name / "train_val.prototxt", brew.TRAIN).layers
    assert layers[0].param.data_param.batch_size == FIGURES[name][3]


@pytest.mark.parametrize("name", EACH)
def test_brew_check_finds_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = ZOO / name
    with caplog.at_level(logging.WARNING, "brew"):
        found = [checks.check(str(folder / f), Options(data=False)) for f in FILES]
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
