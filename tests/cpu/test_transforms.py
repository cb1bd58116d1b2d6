from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from brew.cpu.native import transforms

pytestmark = pytest.mark.native


def floats(matrix: transforms.Matrix) -> np.ndarray:
    return np.array([[float(value) for value in row] for row in matrix])


SCHEMES = [scheme for schemes in transforms.SCHEMES.values() for scheme in schemes]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_it_is_a_convolution(scheme: transforms.Scheme) -> None:
    random = np.random.default_rng(scheme.taps)
    d, w = random.standard_normal(scheme.side), random.standard_normal(scheme.taps)
    a, g, bt = floats(scheme.a), floats(scheme.g), floats(scheme.bt)
    y = a.T @ ((g @ w) * (bt @ d))
    np.testing.assert_allclose(y, [d[i : i + scheme.taps] @ w for i in range(scheme.outputs)], atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_the_matrices_are_exact_in_float32(scheme: transforms.Scheme) -> None:
    """All but those that divide: rounding them would cost digits."""
    for value in (v for matrix in (scheme.bt, scheme.a) for row in matrix for v in row):
        assert Fraction(float(np.float32(float(value)))) == value
