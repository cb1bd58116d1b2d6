from __future__ import annotations

import numpy as np
import pytest

from brew.data.images.resize import resize


def rows(*lines):
    return np.array([lines], np.uint8)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        # Centres fall at -0.25, 0.25, 0.75, 1.25: the edges alone, three quarters and one quarter.
        (rows([0, 100]), rows([0, 25, 75, 100])),
        (rows([100, 0]), rows([100, 75, 25, 0])),
        # At 0.25 and 1.75 of three: weights 1536 and 512 of 2048.
        (rows([0, 80, 200]), rows([20, 170])),
        # At 1 and 4 of six: every other pixel counts nothing, since shrinking does not average.
        (rows([9, 40, 9, 9, 70, 9]), rows([40, 70])),
    ],
)
def test_along_one_axis(image, expected):
    assert np.array_equal(resize(image, 1, expected.shape[2]), expected)
    assert np.array_equal(resize(image.transpose(0, 2, 1), expected.shape[2], 1), expected.transpose(0, 2, 1))


def test_both_axes():
    # At (0.25, 0.25): 9/16 * 0 + 3/16 * 40 + 3/16 * 80 + 1/16 * 200 = 35.
    assert resize(rows([0, 40], [80, 200]), 4, 4)[0, 1, 1] == 35


def test_halving_is_the_rounded_mean_of_four():
    image = rows([1, 2, 0, 0], [3, 4, 0, 1], [255, 255, 7, 7], [255, 255, 7, 8])
    assert np.array_equal(resize(image, 2, 2), rows([3, 0], [255, 7]))  # 2.5 goes up, 7.25 down


def test_the_vertical_pass_drops_low_bits():
    # Row 3 lies at 0.9, worth 4.6: (128 * 205 >> 16) + (640 * 1843 >> 16) = 0 + 17 quarters, and 19 / 4 is 4.
    assert resize(rows([1], [5]), 5, 1)[0, :, 0].tolist() == [1, 1, 3, 4, 5]
    assert resize(rows([1, 5]), 1, 5)[0, 0].tolist() == [1, 1, 3, 5, 5]


def test_same_size_is_the_image():
    image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(resize(image, 3, 4), image)


def test_flat_images_stay_flat_and_channels_apart():
    image = np.stack([np.full((7, 5), 0, np.uint8), np.full((7, 5), 255, np.uint8)])
    for height, width in ((1, 1), (3, 11), (20, 2)):
        result = resize(image, height, width)
        assert result.shape == (2, height, width)
        assert (result[0] == 0).all()
        assert (result[1] == 255).all()
