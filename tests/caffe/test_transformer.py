"""Transformer against values worked by hand."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from brew.caffe.images.transformer import MeanError, Transformer
from brew.errors import UsageError

IMAGE = np.array([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]], np.float32)  # 1 x 2, RGB


def transformer(channels: int = 3, height: int = 1, width: int = 2) -> Transformer:
    made = Transformer({"data": [5, channels, height, width]})
    made.set_transpose("data", (2, 0, 1))
    return made


def test_every_step_in_order() -> None:
    """Channel swap, x 10, - mean, x 2: blue of the first pixel is (0.3 x 10 - 1) x 2 = 4."""
    made = transformer()
    made.set_channel_swap("data", (2, 1, 0))
    made.set_raw_scale("data", 10)
    made.set_mean("data", np.array([1, 2, 3]))
    made.set_input_scale("data", 2)
    before = IMAGE.copy()
    blob = made.preprocess("data", IMAGE)
    assert blob.dtype == np.float32
    np.testing.assert_allclose(blob, [[[4, 10]], [[0, 6]], [[-4, 2]]], atol=1e-5)
    assert IMAGE.tolist() == before.tolist()
    np.testing.assert_allclose(made.deprocess("data", blob[None]), IMAGE, atol=1e-6)


def test_nothing_set_only_resizes() -> None:
    made = Transformer({"data": (1, 3, 1, 1)})
    np.testing.assert_allclose(made.preprocess("data", IMAGE), [[[0.25, 0.35, 0.45]]], atol=1e-6)


def test_an_input_of_features_is_not_resized() -> None:
    made = Transformer({"data": (1, 4)})
    made.set_raw_scale("data", 2)
    assert made.preprocess("data", np.arange(4)).tolist() == [0, 2, 4, 6]


def test_one_channel_survives_deprocess() -> None:
    made = transformer(channels=1)
    made.set_mean("data", [0.5])
    image = IMAGE[:, :, :1]
    np.testing.assert_allclose(made.deprocess("data", made.preprocess("data", image)[None]), image, atol=1e-6)


def test_settings_can_be_read() -> None:
    made = transformer()
    made.set_raw_scale("data", 255)
    made.set_mean("data", np.array([104.0, 117, 123]))
    assert made.transpose == {"data": (2, 0, 1)}
    assert made.raw_scale["data"] == 255
    assert made.mean["data"].shape == (3, 1, 1)
    assert "data" not in made.input_scale


@pytest.mark.parametrize("shape", [(3, 1, 2), (1, 3, 1, 2), (3, 1, 1), (3,)])
def test_means_that_fit(shape: tuple[int, ...]) -> None:
    made = transformer()
    made.set_mean("data", np.full(shape, 0.1))
    np.testing.assert_allclose(made.preprocess("data", IMAGE), IMAGE.transpose(2, 0, 1) - 0.1, atol=1e-6)


def test_a_mean_of_one_channel_may_lack_the_axis() -> None:
    made = transformer(channels=1)
    made.set_mean("data", np.array([[1, 2]]))
    np.testing.assert_allclose(made.preprocess("data", IMAGE[:, :, :1]), [[[-0.9, -1.6]]], atol=1e-6)


def test_a_larger_mean_is_resized_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Places 0.5 and 2.5 of the four columns, and the middle of the three rows."""
    mean = np.array([[[9, 9, 9, 9], [0, 2, 4, 6], [9, 9, 9, 9]]] * 3, np.float64)
    made = transformer()
    with caplog.at_level(logging.WARNING, "brew"):
        made.set_mean("data", mean)
        made.set_mean("data", mean)
    np.testing.assert_allclose(made.mean["data"], [[[1, 5]]] * 3, atol=1e-5)
    assert [r.getMessage() for r in caplog.records] == [
        'the mean, (3 x 3 x 4), is resized to input "data", (3 x 1 x 2); set_mean(..., fit="crop") takes its centre '
        "instead, as data layers do"
    ]


def test_the_centre_of_a_larger_mean(caplog: pytest.LogCaptureFixture) -> None:
    made = transformer()
    made.set_mean("data", np.array([[[9, 9, 9, 9], [0, 2, 4, 6], [9, 9, 9, 9]]] * 3), fit="crop")
    assert made.mean["data"].tolist() == [[[2, 4]]] * 3
    assert not caplog.records
    with pytest.raises(MeanError):
        made.set_mean("data", np.zeros((3, 5, 1)), fit="crop")


def test_a_larger_mean_of_one_value() -> None:
    made = transformer()
    made.set_mean("data", np.full((3, 8, 8), 5.0))
    assert made.mean["data"].tolist() == np.full((3, 1, 2), 5).tolist()


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((4,), r"shape \(4\), input \"data\" \(5 x 3 x 1 x 2\): \(3,\) or \(3 x 1 x 2\) is expected"),
        ((1, 2), r"shape \(1 x 2\)"),
        ((2, 3, 1, 2), r"shape \(2 x 3 x 1 x 2\)"),
        ((1, 2, 3), r"its channels are last: mean.transpose\(2, 0, 1\)"),
    ],
)
def test_means_that_fit_nothing(shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        transformer().set_mean("data", np.zeros(shape))


def test_unknown_inputs_and_wrong_orders() -> None:
    made = transformer()
    with pytest.raises(UsageError, match='"image" is not one of the inputs: data'):
        made.set_raw_scale("image", 255)
    with pytest.raises(UsageError, match="has 2 axes"):
        made.set_transpose("data", (1, 0))
    with pytest.raises(UsageError, match='has 2 channels; input "data" has 3'):
        made.set_channel_swap("data", (1, 0))
