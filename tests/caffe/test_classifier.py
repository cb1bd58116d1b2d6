"""Classifier and Detector on a net whose outputs are known: the mean of each channel of its input."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import brew.caffe as caffe
from brew.caffe import layers as L
from brew.caffe.images.context import crop_with_context
from brew.errors import BrewError

RANDOM = np.random.default_rng(1701)
WINDOWS = [[0, 0, 4, 4], [2, 3, 10, 12]]


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Three channels of 4 x 4, batches of 2."""
    data = L.Input(shape=dict(dim=[2, 3, 4, 4])).named("data")
    path = tmp_path / "deploy.prototxt"
    path.write_text(str(data.Pooling(pool="AVE", kernel_size=4).Flatten().named("means")))
    return str(path)


@pytest.fixture
def photograph(tmp_path: Path) -> str:
    """12 x 14, of the colours 0 to 255."""
    path = tmp_path / "photograph.png"
    Image.fromarray(RANDOM.integers(0, 256, (12, 14, 3), np.uint8)).save(path)
    return str(path)


def test_the_centre_of_each_image(model: str) -> None:
    """The centre of 6 x 8 begins at row 1, column 2; BGR, x 255, - mean, x 0.5."""
    net = caffe.Classifier(
        model, None, image_dims=(6, 8), mean=np.array([1, 2, 3]), input_scale=0.5, raw_scale=255, channel_swap=(2, 1, 0)
    )
    images = [RANDOM.random((6, 8, 3), np.float32) for _ in range(3)]
    expected = [(image[1:5, 2:6].mean((0, 1))[::-1] * 255 - [1, 2, 3]) * 0.5 for image in images]
    np.testing.assert_allclose(net.predict(iter(images), oversample=False), expected, rtol=1e-4)


def test_ten_crops_on_average(model: str) -> None:
    net = caffe.Classifier(model, None, image_dims=[6, 8])
    image = RANDOM.random((6, 8, 3), np.float32)
    crops = [image[y : y + 4, x : x + 4] for y, x in ((0, 0), (0, 4), (2, 0), (2, 4), (1, 2))]
    expected = np.mean([crop.mean((0, 1)) for crop in crops], 0)  # mirrored ones have the same means
    np.testing.assert_allclose(net.predict([image, image * 0]), [expected, [0, 0, 0]], rtol=1e-4, atol=1e-6)


def test_the_whole_image_without_dims(model: str) -> None:
    net = caffe.Classifier(model, None)
    assert isinstance(net, caffe.Net)
    assert net.image_dims.tolist() == net.crop_dims.tolist() == [4, 4]
    assert net.transformer.transpose == {"data": (2, 0, 1)}
    halves = np.repeat([[[0.0]], [[1.0]]], 4, 0).repeat(8, 1).repeat(3, 2)  # 8 x 8: above black, below white
    np.testing.assert_allclose(net.predict([halves], oversample=False), [[0.5] * 3], atol=1e-6)


def test_no_image(model: str) -> None:
    net = caffe.Classifier(model, None)
    with pytest.raises(BrewError, match="no image"):
        net.predict([])


def test_windows_of_files(model: str, photograph: str) -> None:
    net = caffe.Detector(model, None, raw_scale=255, channel_swap=(2, 1, 0))
    image = np.asarray(Image.open(photograph).convert("RGB"), np.float32)
    found = net.detect_windows(iter([(photograph, np.array(WINDOWS)), (photograph, []), (photograph, WINDOWS[:1])]))
    assert [d["filename"] for d in found] == [photograph] * 3
    assert [list(d["window"]) for d in found] == [*WINDOWS, WINDOWS[0]]
    np.testing.assert_allclose(found[0]["prediction"], image[:4, :4].mean((0, 1))[::-1], rtol=1e-4)
    np.testing.assert_allclose(found[2]["prediction"], found[0]["prediction"])
    assert net.detect_windows([]) == []


def test_context_is_cut_from_the_image(model: str) -> None:
    """Rows 2 to 5, 4 of them, fill 2 of 4 pixels: with as much around, rows 0 to 8 (the last one left out)."""
    net = caffe.Detector(model, None, context_pad=1)
    image = np.arange(12.0)[:, None, None].repeat(12, 1).repeat(3, 2)
    crop = net.crop(image, [2, 2, 5, 5])
    assert crop.shape == (4, 4, 3)
    np.testing.assert_allclose(crop[:, 0, 0], [0.5, 2.5, 4.5, 6.5], atol=1e-5)


def test_beyond_the_image_is_the_mean(model: str) -> None:
    """BGR 10, 20, 30 of 255 is RGB 30, 20, 10 in the values of images."""
    net = caffe.Detector(model, None, context_pad=1, mean=np.array([10, 20, 30]), raw_scale=255, channel_swap=(2, 1, 0))
    assert net.crop_mean.shape == (1, 1, 3)
    crop = net.crop(np.ones((8, 8, 3), np.float32), [0, 0, 3, 3])
    np.testing.assert_allclose(crop[0, 0], [30 / 255, 20 / 255, 10 / 255], rtol=1e-6)
    np.testing.assert_allclose(crop[-1, -1], [1, 1, 1])
    net.configure_crop(None)
    assert net.crop(np.ones((8, 8, 3)), [0, 0, 3, 3]).shape == (3, 3, 3)


def test_means_of_every_form_fill(model: str) -> None:
    mean = RANDOM.random((3, 4, 4))
    net = caffe.Detector(model, None, mean=mean, context_pad=1)
    assert net.crop_mean.tolist() == mean.transpose(1, 2, 0).tolist()
    assert net.crop_dims.tolist() == [4, 4, 3]
    assert caffe.Detector(model, None, context_pad=1).crop_mean.tolist() == np.zeros((4, 4, 3)).tolist()


def test_windows_that_hold_nothing(model: str) -> None:
    net = caffe.Detector(model, None)
    with pytest.raises(ValueError, match=r"window \(4, 4, 4, 9\) holds no pixel of an image of 8 x 8"):
        net.crop(np.ones((8, 8, 3)), [4, 4, 4, 9])
    with pytest.raises(ValueError, match=r"\(20, 0, 24, 4\) lies outside of an image of 8 x 8"):
        crop_with_context(np.ones((8, 8, 3)), (20, 0, 24, 4), np.zeros((4, 4, 3), np.float32), 1)
    with pytest.raises(ValueError, match="leaves nothing of an input of 4"):
        crop_with_context(np.ones((8, 8, 3)), (0, 0, 4, 4), np.zeros((4, 4, 3), np.float32), 2)


def test_selective_search_needs_its_package(model: str, photograph: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = caffe.Detector(model, None)
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", None)
    with pytest.raises(ImportError, match="which is not installed"):
        net.detect_selective_search([photograph])

    def get_windows(names: list[str], cmd: str) -> list[Any]:
        assert (names, cmd) == ([photograph], "selective_search_rcnn")
        return [np.array(WINDOWS)]

    package = types.SimpleNamespace(get_windows=get_windows)
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", package)
    assert len(net.detect_selective_search([photograph])) == 2
