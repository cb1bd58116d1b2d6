"""The files of the zoo are what its scripts write, and a net for use is the net for training without its ends."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.caffe import layers as L
from brew.model_zoo.generators.table import counted, front_matter, table
from brew.model_zoo.generators.write import NETS, ZOO, deployed, train_val
from brew.proto.brew_pb2 import NetParameter
from brew.reports.summary import Summary

FOLDERS = sorted(path.parent for path in ZOO.glob("*/train_val.prototxt"))
# Parameters and multiply-adds that the net has beyond the published figure; its readme.md says why.
BEYOND = {"resnet18": (4_224, 12_845_056), "resnext50": (6, 0), "mobilenet_v2": (1_088, 0), "resnet50": (64, 0)}
DEEP = {"resnet101", "resnet152", "se_resnet50", "densenet121", "inception_v3", "inception_v4", "inception_resnet_v2"}
EACH = [pytest.param(f, marks=pytest.mark.slow) if f.name in DEEP else f for f in FOLDERS]
AGAIN = "write it again: python -m brew.model_zoo.generators.write"


def by_name(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("name", NETS)
def test_a_net_of_the_scripts_is_current(name: str) -> None:
    assert (ZOO / name / "train_val.prototxt").read_text("utf-8") == train_val(name), AGAIN


@pytest.mark.parametrize("folder", FOLDERS, ids=by_name)
def test_the_net_for_use_is_current(folder: Path) -> None:
    assert (folder / "deploy.prototxt").read_text("utf-8") == deployed(folder), AGAIN


def test_the_table_is_current() -> None:
    assert (ZOO / "readme.md").read_text("utf-8") == table(ZOO), AGAIN


@pytest.mark.parametrize("folder", EACH, ids=by_name)
def test_the_weights_of_training_are_those_of_use(folder: Path) -> None:
    training, use = counted(folder, "train_val.prototxt", brew.TEST), counted(folder, "deploy.prototxt", brew.TEST)
    auxiliary = ("loss1/", "loss2/") if folder.name == "googlenet" else ()
    assert weights(use) == {name: shapes for name, shapes in weights(training).items() if name[:6] not in auxiliary}
    scores = [
        shape for layer in training.layers for name, shape in layer.tops if name == training.layers[-1].bottoms[0]
    ]
    assert use.layers[-1].tops == (("prob", scores[-1]),)


def weights(net: Summary) -> dict[str, tuple[tuple[int, ...], ...]]:
    return {layer.name: layer.parameter_shapes for layer in net.layers if layer.parameter_shapes}


@pytest.mark.parametrize("folder", FOLDERS, ids=by_name)
def test_figures_agree_with_the_published_ones(folder: Path) -> None:
    published = front_matter(folder).get("published", {})
    figures = counted(folder)
    parameters, multiply_adds = BEYOND.get(folder.name, (0, 0))
    assert "accuracy" not in published or "accuracy_source" in published
    if "parameters" in published:
        assert published["source"]
        rounded = 0 if published["parameters"] % 1000 else 50_000
        assert abs(figures.learned - parameters - published["parameters"]) <= rounded
    if "multiply_adds" in published:
        assert figures.multiply_adds - multiply_adds == pytest.approx(published["multiply_adds"], rel=0.016)


def test_weights_of_training_load_into_the_net_for_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = ZOO / "squeezenet_v1.1"
    training = brew.Net(folder / "train_val.prototxt", brew.TEST, shapes={"data": (1, 3, 64, 64)}, seed=1)
    training.save(tmp_path / "net.caffemodel")
    use = brew.Net(folder / "deploy.prototxt", brew.TEST, seed=2)
    use.copy_from(tmp_path / "net.caffemodel")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    assert use.params.keys() == training.params.keys()
    for name, blobs in training.params.items():
        for mine, theirs in zip(use.params[name], blobs, strict=True):
            np.testing.assert_array_equal(mine.data, theirs.data)


def test_what_stands_for_axpy_is_a_times_x_plus_y() -> None:
    """The three layers of se_resnet50's first block that stand for the fork's one."""
    shapes = {"conv2_1_1x1_up": (2, 3, 1, 1), "conv2_1_1x1_increase": (2, 3, 4, 5), "conv2_1_1x1_proj": (2, 3, 4, 5)}
    inputs = (L.Input(shape={"dim": shape}).named(name).to_proto().layer[0] for name, shape in shapes.items())
    block = {"conv2_1_factors", "conv2_1_scaled", "conv2_1"}
    layers = [layer for layer in NETS["se_resnet50"]().layer if layer.name in block]
    net = brew.Net(NetParameter(layer=[*inputs, *layers]), brew.TEST)
    generator = np.random.default_rng(1)
    a, x, y = (generator.normal(size=shape) for shape in shapes.values())
    for name, values in zip(shapes, (a, x, y), strict=True):
        net.blobs[name].data[...] = values
    np.testing.assert_allclose(net.forward()["conv2_1"], a * x + y, rtol=1e-5, atol=1e-6)


def runs(name: str, size: int, batch: int) -> None:
    shapes = {"data": (batch, 3, size, size)}
    net = brew.Net(ZOO / name / "train_val.prototxt", brew.TRAIN, shapes=shapes, seed=1)
    net.blobs["data"].data[...] = np.random.default_rng(1).normal(size=net.blobs["data"].shape)
    net.blobs["label"].data[...] = np.arange(batch) * 300
    loss = float(net.forward()["loss"])
    net.backward()
    assert 0.3 * log(1000) < loss < 3 * log(1000)
    assert all(blobs[0].diff.any() for layer, blobs in net.params.items() if blobs[0].diff.ndim == 4)


@pytest.mark.parametrize("name", ["squeezenet_v1.1", "mobilenet_v2", "densenet121"])
def test_those_that_take_small_images_run(name: str) -> None:
    runs(name, 64, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_it_runs(name: str) -> None:
    runs(name, front_matter(ZOO / name)["input"][1], 2)
