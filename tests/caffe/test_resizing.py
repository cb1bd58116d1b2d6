"""resize_image and oversample against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from brew.caffe.images.resizing import ArrayError, oversample, resize, resize_image
from brew.errors import BrewError


def row(*values: float, channels: int = 1) -> np.ndarray:
    """An image of one row, the same in all channels."""
    return np.repeat(np.array(values, np.float32)[None, :, None], channels, 2)


def test_growing_aligns_edges_and_fades_into_the_smallest_value() -> None:
    """Places -.25, .25, .75, 1.25; beyond the image lies 10, the smallest value."""
    made = resize_image(row(10, 20, channels=3), (1, 4))
    assert made.dtype == np.float32
    assert made.shape == (1, 4, 3)
    np.testing.assert_allclose(made[0], [[10] * 3, [12.5] * 3, [17.5] * 3, [17.5] * 3], rtol=1e-6)


def test_shrinking_does_not_average() -> None:
    np.testing.assert_allclose(resize_image(row(0, 1, 4, 9, 16, 25), (1, 2)).ravel(), [1, 16], atol=1e-6)
    np.testing.assert_allclose(resize_image(row(0, 1, 4, 9), (1, 2)).ravel(), [0.5, 6.5], atol=1e-6)


def test_both_axes() -> None:
    image = np.array([[0, 8], [16, 24]], np.uint8)[:, :, None]
    assert resize_image(image, (1, 1)).tolist() == [[[12]]]
    assert resize_image(image, (1, 2)).tolist() == [[[8], [16]]]
    assert resize_image(image, (2, 1)).tolist() == [[[4]], [[20]]]


def test_a_constant_image_stays() -> None:
    assert resize_image(row(7, 7, 7), (5, 9)).tolist() == np.full((5, 9, 1), 7).tolist()


def test_other_channel_counts_keep_the_corners() -> None:
    made = resize_image(row(0, 3, 6, channels=4), (1, 7))
    np.testing.assert_allclose(made[0, :, 2], [0, 1, 2, 3, 4, 5, 6], atol=1e-6)


def test_whole_numbers_of_other_channel_counts_stay_whole() -> None:
    made = resize_image(row(0, 1, channels=2).astype(np.uint8), (1, 5))
    assert made[0, :, 0].tolist() == [0, 0, 1, 1, 1]


def test_the_nearest_pixel() -> None:
    assert resize_image(row(1, 2, 3), (1, 6), 0).ravel().tolist() == [1, 1, 2, 2, 3, 3]


def test_a_cubic_spline_between_pixels() -> None:
    """The cardinal cubic spline halfway beside an impulse, by its closed form: c = sqrt(3) (sqrt(3) - 2)^|k|."""
    impulse = np.zeros((1, 65, 2))
    impulse[0, 32] = 1
    made = resize_image(impulse, (1, 129), 3)
    z = np.sqrt(3) - 2
    half = np.sqrt(3) * ((1 + z) * 23 / 48 + (z + z * z) / 48)
    np.testing.assert_allclose(made[0, 63:66, 0], [half, 1, half], atol=1e-6)


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_same_size_gives_the_same_image(order: int, channels: int) -> None:
    image = np.random.default_rng(1).random((6, 7, channels), np.float32)
    np.testing.assert_allclose(resize_image(image, (6, 7), order), image, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 3), (1, 4, 4, 3)])
def test_other_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArrayError, match="rows x columns x channels"):
        resize_image(np.zeros(shape), (2, 2))


def test_an_order_that_is_none() -> None:
    with pytest.raises(ValueError, match="from 0 to 5, not 6") as caught:
        resize_image(np.zeros((2, 2, 3)), (2, 2), 6)
    assert isinstance(caught.value, BrewError)


def test_ten_crops_in_order() -> None:
    image = np.arange(4 * 5, dtype=np.float32).reshape(4, 5, 1)
    crops = oversample([image, image + 100], (2, 2))
    assert crops.shape == (20, 2, 2, 1)
    assert crops[:5, 0, 0, 0].tolist() == [0, 3, 10, 13, 6]  # rows of 5: the centre begins at row 1, column 1
    assert crops[5:10].tolist() == crops[:5, :, ::-1].tolist()
    assert crops[10:].tolist() == (crops[:10] + 100).tolist()


def test_crops_that_do_not_fit() -> None:
    with pytest.raises(ArrayError, match="no crop of 5 x 2 fits into an image of 4 x 5"):
        oversample([np.zeros((4, 5, 3))], (5, 2))
    with pytest.raises(ArrayError, match="one shape"):
        oversample([np.zeros((4, 5, 3)), np.zeros((5, 4, 3))], (2, 2))


def test_the_function_that_scripts_take_from_caffe_io() -> None:
    """Bytes become 0 to 1; an image of two axes keeps them."""
    bytes_ = np.array([[0, 51], [102, 255]], np.uint8)
    np.testing.assert_allclose(resize(bytes_, (2, 1)), [[0.1], [0.7]])
    assert resize(bytes_[:, :, None].repeat(3, 2), (1, 4, 3)).shape == (1, 4, 3)
    np.testing.assert_allclose(resize(np.array([[10.0, 20.0]]), (1, 4)), [[7.5, 12.5, 17.5, 15]])
    np.testing.assert_allclose(resize(np.array([[10.0, 20.0]]), [1, 4], mode="edge"), [[10, 12.5, 17.5, 20]])
    np.testing.assert_allclose(resize(np.array([[10.0, 20.0]]), (1, 4), cval=10), [[10, 12.5, 17.5, 17.5]])
    assert resize(np.array([[1, 2]]) / 2, (1, 4), order=0).tolist() == [[0.5, 0.5, 1, 1]]


@pytest.mark.parametrize(
    ("mode", "first", "last"), [("edge", 10, 30), ("symmetric", 10, 30), ("reflect", 12.5, 27.5), ("wrap", 15, 25)]
)
def test_what_lies_beyond_the_image(mode: str, first: float, last: float) -> None:
    """The outer places lie a quarter of a pixel beyond the outer centres."""
    made = resize(np.array([[10.0, 20.0, 30.0]]), (1, 6), mode=mode)
    assert made[0, [0, -1]].tolist() == [first, last]


def test_what_that_function_refuses() -> None:
    with pytest.raises(ArrayError, match=r"\(8, 8, 3\) cannot be resized to \(3, 8, 8\)"):
        resize(np.zeros((8, 8, 3)), (3, 8, 8))
    with pytest.raises(ArrayError, match='not order 3 and mode "constant"'):
        resize(np.zeros((8, 8)), (3, 3), 3)
