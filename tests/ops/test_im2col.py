from __future__ import annotations

import numpy as np
import pytest

from brew import cuda
from brew.ops.windows.im2col import ColumnsCUDA, col2im, im2col
from brew.ops.windows.window import Window

WINDOW = Window((2, 3), (2, 1), (1, 0), (1, 2))


def test_columns_hold_every_window():
    x = np.arange(1.0, 13).reshape(1, 1, 2, 6)
    columns = np.empty((1, 1, 2, 3, *WINDOW.floor_size((2, 6))))
    im2col(x, columns, WINDOW)
    assert columns[0, 0, :, :, 0, 0].tolist() == [[0, 0, 0], [1, 3, 5]]
    assert columns[0, 0, :, :, 1, 1].tolist() == [[8, 10, 12], [0, 0, 0]]


def test_col2im_is_the_transpose_of_im2col():
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, 5, 8))
    columns = random.standard_normal((2, 3, 2, 3, *WINDOW.floor_size((5, 8))))
    there, back = np.empty_like(columns), np.empty_like(x)
    im2col(x, there, WINDOW)
    col2im(columns, back, WINDOW)
    np.testing.assert_allclose(np.vdot(there, columns), np.vdot(x, back))


@pytest.mark.parametrize("device", ["cuda"], indirect=True)
@pytest.mark.parametrize("by_image", [True, False])
def test_the_device_makes_the_same_columns(by_image, device):
    random = np.random.default_rng(1)
    x = random.standard_normal((2, 3, 5, 8))
    out = WINDOW.floor_size((5, 8))
    expected, back = np.empty((2, 3, 2, 3, *out)), np.empty_like(x)
    im2col(x, expected, WINDOW)
    col2im(expected, back, WINDOW)
    matrices = expected.reshape(2, 18, -1)
    columns = cuda.zeros(matrices.shape if by_image else matrices.swapaxes(0, 1).shape, x.dtype)
    image = cuda.zeros(x.shape, x.dtype)
    copies = ColumnsCUDA(WINDOW, 3, (5, 8), out, by_image=by_image)
    copies.im2col(cuda.asarray(x), columns)
    copies.col2im(columns, image)
    came = cuda.asnumpy(columns)
    np.testing.assert_array_equal(came if by_image else came.swapaxes(0, 1), matrices)
    np.testing.assert_allclose(cuda.asnumpy(image), back)
