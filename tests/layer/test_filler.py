from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer.filler import fill, variance_divisor
from brew.layer.random import Stream
from brew.proto.brew_pb2 import FillerParameter


def filled(shape, dtype=np.float32, name="conv1/0", **fields):
    return fill(FillerParameter(**fields), shape, dtype, Stream(7, name), NetError)


def test_no_filler_gives_zeros_and_constant_its_value():
    assert fill(None, (2, 3), np.float64, Stream(0, "a"), NetError).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert filled((3,), type="constant", value=0.5).tolist() == [0.5, 0.5, 0.5]
    assert filled((), value=2).tolist() == 2
    assert filled((2, 0), type="xavier").shape == (2, 0)


def test_uniform_covers_its_range():
    values = filled((200, 100), type="uniform", min=-1, max=3)
    assert values.dtype == np.float32
    assert -1 <= values.min() < -0.99
    assert 2.99 < values.max() <= 3
    assert values.mean() == pytest.approx(1, abs=0.05)


def test_gaussian_has_mean_and_deviation():
    values = filled((200, 100), type="gaussian", mean=2, std=0.5)
    assert values.mean() == pytest.approx(2, abs=0.02)
    assert values.std() == pytest.approx(0.5, rel=0.03)


def test_sparse_keeps_that_share_of_the_outputs():
    values = filled((50, 400), type="gaussian", sparse=10)
    assert np.count_nonzero(values) / values.size == pytest.approx(10 / 50, abs=0.015)
    assert not filled((50, 4), type="gaussian", sparse=0).any()


def test_positive_unitball_rows_sum_to_one():
    values = filled((4, 5, 6), np.float64, type="positive_unitball")
    np.testing.assert_allclose(values.reshape(4, -1).sum(axis=1), 1)
    assert (values >= 0).all()


@pytest.mark.parametrize(
    ("norm", "n"),
    [
        (FillerParameter.FAN_IN, 25 * 10),
        (FillerParameter.FAN_OUT, 25 * 40),
        (FillerParameter.AVERAGE, 25 * 25),
    ],
)
def test_xavier_and_msra_scale_by_fan(norm, n):
    shape = (40, 10, 5, 5)
    limit = np.sqrt(3 / n)
    xavier = filled(shape, type="xavier", variance_norm=norm)
    assert limit * 0.99 < np.abs(xavier).max() <= limit
    assert filled(shape, type="msra", variance_norm=norm).std() == pytest.approx(np.sqrt(2 / n), rel=0.05)


def test_fans_of_few_axes():
    out = FillerParameter(variance_norm=FillerParameter.FAN_OUT)
    assert variance_divisor(FillerParameter(), (6,)) == 1
    assert variance_divisor(out, (6,)) == 6
    assert variance_divisor(out, ()) == 1


def test_bilinear_worked_by_hand():
    # width 4: factor 2, centre 3/4
    line = np.array([0.25, 0.75, 0.75, 0.25])
    values = filled((2, 1, 4, 4), type="bilinear")
    np.testing.assert_allclose(values, np.broadcast_to(np.outer(line, line), (2, 1, 4, 4)), rtol=1e-6)
    np.testing.assert_allclose(filled((1, 1, 3, 3), type="bilinear")[0, 0, 1], [0.5, 1, 0.5], rtol=1e-6)


def test_same_stream_same_weights_in_both_types():
    single, double = (filled((30, 7), t, type="msra") for t in (np.float32, np.float64))
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert not np.array_equal(single, filled((30, 7), name="conv1/1", type="msra"))


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"type": "xavier", "sparse": 3}, (4, 4), "sparse is only for"),
        ({"type": "gaussian", "std": 0}, (4, 4), "std > 0, got 0"),
        ({"type": "gaussian", "sparse": 5}, (4, 9), "sparse 5 is more than"),
        ({"type": "gaussian", "sparse": -2}, (4, 9), "got -2"),
        ({"type": "gaussian", "sparse": 0}, (), "scalar"),
        ({"type": "uniform", "min": 2}, (4,), "min 2 and max 1"),
        ({"type": "bilinear"}, (1, 1, 3, 4), "square"),
        ({"type": "bilinear"}, (3, 3), "4 axes"),
    ],
)
def test_what_cannot_be_filled_is_an_error(fields, shape, message):
    with pytest.raises(NetError, match=message):
        filled(shape, **fields)


def test_unknown_filler_names_the_nearest_and_all():
    with pytest.raises(NetError, match=r'unknown filler "Xavier".*did you mean "xavier".*msra, bilinear'):
        filled((2, 2), type="Xavier")
