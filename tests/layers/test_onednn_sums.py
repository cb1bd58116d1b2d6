"""Sums in one pass are the sums of one term after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

pytestmark = pytest.mark.onednn


def _arrays(number: int) -> list[npt.NDArray[np.float32]]:
    return list(np.random.default_rng(number).normal(size=(number, 1001)).astype(np.float32))


@pytest.mark.parametrize("terms", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("over", [False, True], ids=["apart", "over the first"])
def test_total(terms: int, over: bool) -> None:
    from brew.layers.onednn._sums import total

    arrays = _arrays(terms)
    wanted = arrays[0].copy()
    for array in arrays[1:]:
        wanted += array
    out = arrays[0] if over else np.full(1001, np.nan, np.float32)
    total(arrays, out)()
    np.testing.assert_array_equal(out, wanted)
