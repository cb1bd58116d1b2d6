from __future__ import annotations

import numpy as np

from brew.ops.im2col import col2im, im2col
from brew.ops.window import Window

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
