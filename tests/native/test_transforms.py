from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from brew.native import transforms

pytestmark = pytest.mark.native


def floats(matrix: transforms.Matrix) -> np.ndarray:
    return np.array([[float(value) for value in row] for row in matrix])


@pytest.mark.parametrize("taps", [3, 5])
def test_it_is_a_convolution(taps: int) -> None:
    random = np.random.default_rng(taps)
    d, w = random.standard_normal(transforms.SIDE), random.standard_normal(taps)
    a, g, bt = floats(transforms.a(taps)), floats(transforms.g(taps)), floats(transforms.bt())
    y = a.T @ ((g @ w) * (bt @ d))
    np.testing.assert_allclose(y, [d[i : i + taps] @ w for i in range(transforms.outputs(taps))], atol=1e-12)


def test_the_matrices_are_exact_in_float32() -> None:
    """All but those that divide: rounding them would cost digits."""
    for matrix in (transforms.bt(), transforms.a(3), transforms.a(5)):
        for value in (v for row in matrix for v in row):
            assert Fraction(float(np.float32(float(value)))) == value
