"""Pictures come to the net as in training: bit for bit what the data layers give, told where nothing is known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from predictor_nets import BODY, LOSS, deploy, picture, png, train_val

import brew
from brew.errors import DataError, UsageError
from brew.proto.brew_pb2 import BlobProto, Datum


def mean_file(path: Path, channels: int = 3, height: int = 16, width: int = 14) -> np.ndarray:
    mean = np.random.default_rng(9).uniform(60, 180, (channels, height, width)).astype(np.float32)
    path.write_bytes(
        BlobProto(
            num=1, channels=channels, height=height, width=width, data=mean.reshape(-1).tolist()
        ).SerializeToString()
    )
    return mean


def outcome(train: Path, weights: Path) -> np.ndarray:
    """The scores "ip" of the TEST pass of a net for training over its own data."""
    net = brew.Net(str(train), brew.TEST, weights=str(weights))
    net.forward()
    return np.array(net.blobs["ip"].data)


@pytest.mark.parametrize(
    "transform",
    [
        "",
        "scale: 0.00390625",
        "mean_value: 103.94 scale: 0.017",
        "mean_value: 104 mean_value: 117 mean_value: 123",
        'mean_file: "mean.binaryproto" scale: 0.25',
        'mean_file: "mean.binaryproto" crop_size: 9 mirror: true',
        "crop_size: 11 mean_value: 50",
    ],
)
@pytest.mark.parametrize("encoded", [True, False])
def test_a_prediction_is_the_test_pass_over_an_lmdb(
    transform: str, encoded: bool, make_lmdb: Callable[..., Path], tmp_path: Path
) -> None:
    pictures = [picture(i, 16, 14) for i in range(2)]
    planes = [p[:, :, ::-1].transpose(2, 0, 1) for p in pictures]  # BGR, as Caffe's tools write them
    datums = [
        Datum(encoded=True, data=png(p), label=1)
        if encoded
        else Datum(channels=3, height=16, width=14, data=q.tobytes(), label=1)
        for p, q in zip(pictures, planes, strict=True)
    ]
    mean_file(tmp_path / "mean.binaryproto")
    train = tmp_path / "train_val.prototxt"
    train.write_text(train_val(make_lmdb(datums), transform))
    brew.Net(str(train), brew.TEST, seed=5).save(tmp_path / "x.caffemodel")
    still = tmp_path / "still.prototxt"
    still.write_text(train.read_text().replace("mirror: true", ""))
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, pixels in zip(paths, pictures, strict=True):
        path.write_bytes(png(pixels))
    model = brew.load(train, tmp_path / "x.caffemodel")
    np.testing.assert_array_equal(model.features("ip", paths), outcome(still, tmp_path / "x.caffemodel"))
    np.testing.assert_array_equal(model.features("ip", pictures), outcome(still, tmp_path / "x.caffemodel"))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_prediction_is_the_test_pass_over_a_list_of_images(channels: int, tmp_path: Path) -> None:
    """Resized as ImageData does, gray where the net is."""
    pictures = [picture(i, 31, 23) for i in range(2)]
    for i, pixels in enumerate(pictures):
        (tmp_path / f"{i}.png").write_bytes(png(pixels))
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{i}.png 0\n" for i in range(2)))
    layer = f"""layer {{ name: "data" type: "ImageData" top: "data" top: "label" image_data_param {{ batch_size: 2
      source: "{tmp_path}/list.txt" new_height: 17 new_width: 15 is_color: {"true" if channels == 3 else "false"} }}
      transform_param {{ crop_size: 12 scale: 0.5 mean_value: 7 }} }}"""
    train = tmp_path / "train_val.prototxt"
    train.write_text(layer + BODY + LOSS)
    brew.Net(str(train), brew.TEST, seed=5).save(tmp_path / "x.caffemodel")
    model = brew.load(train, tmp_path / "x.caffemodel")
    found = model.features("ip", [tmp_path / "0.png", tmp_path / "1.png"])
    np.testing.assert_array_equal(found, outcome(train, tmp_path / "x.caffemodel"))


def prepared(model: brew.Model, x: object) -> np.ndarray:
    return model.features("data", x)


def test_channels_mean_and_scale_by_hand(folder: Path) -> None:
    x = picture(0)
    bgr = x.transpose(2, 0, 1)[::-1].astype(np.float32)
    mean = np.array([100, 110, 120], np.float32).reshape(3, 1, 1)
    np.testing.assert_array_equal(prepared(brew.load(folder), x), (bgr - mean) * 0.5)
    rgb = brew.load(folder, channel_order="RGB", mean=[1, 2, 3], scale=2)
    np.testing.assert_array_equal(prepared(rgb, x), (bgr[::-1] - [[[1]], [[2]], [[3]]]) * 2)


@pytest.mark.parametrize("ending", [".npy", ".binaryproto"])
def test_a_mean_image_says_the_size_and_the_input_the_crop(ending: str, folder: Path) -> None:
    mean = mean_file(folder / "mean.binaryproto", 3, 16, 16)
    np.save(folder / "mean.npy", mean)
    model = brew.load(folder, mean=folder / f"mean{ending}", scale=1)
    x = picture(1, 16, 16)
    expected = (x.transpose(2, 0, 1)[::-1] - mean)[:, 2:14, 2:14]
    np.testing.assert_array_equal(prepared(model, x), expected)
    assert prepared(model, picture(1, 40, 50)).shape == (3, 12, 12)


def test_a_mean_of_another_shape_is_an_error(folder: Path) -> None:
    np.save(folder / "m.npy", np.zeros((2, 5), np.float32))
    with pytest.raises(DataError, match="channels x height x width"):
        brew.load(folder, mean=folder / "m.npy").predict(picture(0))
    with pytest.raises(DataError, match="no mean file"):
        brew.load(folder, mean=folder / "missing.npy").predict(picture(0))


def test_what_is_not_known_is_told_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "readme.md").unlink()
    model = brew.load(folder)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            model.predict([picture(0), picture(1, 30, 40)])
        model.predict(np.zeros((1, 3, 12, 12), np.float32))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "mean (none is taken), scale (1 is taken), channel order (BGR is taken)" in said[0]
    assert "resized to its input, 12 x 12" in said[1]


def test_a_net_that_says_all_is_silent(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        brew.load(folder, size=16).predict(picture(0, 30, 40))
    assert caplog.records == []


def test_a_crop_that_does_not_fit_names_the_picture(folder: Path, files: Callable[..., list[Path]]) -> None:
    [path] = files(1, height=8, width=8)
    with pytest.raises(DataError, match=r"picture0\.png is 8 x 8: a crop of 12 x 12 does not fit"):
        brew.load(folder, crop=12).predict(path)


def test_pictures_of_every_size_go_through_a_convolutional_net(folder: Path) -> None:
    model = brew.load(folder, size="keep")
    assert prepared(model, picture(0, 20, 31)).shape == (3, 20, 31)
    assert len(model.predict([picture(i, 12 + i, 15) for i in range(4)])) == 4


@pytest.mark.parametrize(
    "words",
    [
        {"mean": "x" * 2, "scale": "big"},
        {"size": (3,)},
        {"crop": -1},
        {"channel_order": "GBR"},
        {"scale": float("nan")},
    ],
)
def test_arguments_that_cannot_be_meant_are_errors(words: dict, folder: Path) -> None:
    with pytest.raises(UsageError, match="is expected"):
        brew.load(folder, **words)


def test_a_gray_net_takes_colour(tmp_path: Path) -> None:
    (tmp_path / "deploy.prototxt").write_text(deploy().replace("dim: 3 dim: 12", "dim: 1 dim: 12"))
    model = brew.load(tmp_path, "random", mean=0, scale=1)
    gray = prepared(model, picture(0))
    assert gray.shape == (1, 12, 12)
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(gray[0] - picture(0) @ weights).max() < 1.5
