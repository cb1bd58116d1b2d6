"""mixup and cutmix: shares, labels, partners, and what cannot be mixed."""

from __future__ import annotations

import numpy as np
import pytest

from brew.data import mixing
from brew.data.augment.draws import Draws
from brew.errors import DataError
from brew.proto.brew_pb2 import MixParameter

random = np.random.default_rng(0)
CLASSES = 5


def batch(count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    data = random.normal(size=(count, 3, 12, 10)).astype(np.float32)
    return data, np.eye(CLASSES, dtype=np.float32)[random.integers(0, CLASSES, count)]


def mixed(param: MixParameter, data: np.ndarray, labels: np.ndarray, first: int = 0):
    x, y = data.copy(), labels.copy()
    mixing.mixed(x, y, param, lambda number: Draws(1, "data", first + number))
    return x, y


def test_mixup_takes_shares_of_both_and_of_their_labels():
    data, labels = batch()
    x, y = mixed(MixParameter(mixup_alpha=1, classes=CLASSES), data, labels)
    shares = []
    for i in range(8):
        other = data[i ^ 1]
        share = float(((x[i] - other) * (data[i] - other)).sum() / ((data[i] - other) ** 2).sum())
        assert np.allclose(x[i], share * data[i] + (1 - share) * other, atol=1e-5)
        assert np.allclose(y[i], share * labels[i] + (1 - share) * labels[i ^ 1], atol=1e-5)
        shares.append(share)
    assert len({round(share, 5) for share in shares}) == 8 and 0 < min(shares) < max(shares) < 1


def test_cutmix_cuts_a_rectangle_and_shares_labels_by_its_area():
    for first in range(0, 200, 8):
        data, labels = batch()
        x, y = mixed(MixParameter(cutmix_alpha=1, classes=CLASSES), data, labels, first)
        for i in range(8):
            other = (x[i] == data[i ^ 1]).all(0)
            assert np.array_equal(x[i][:, ~other], data[i][:, ~other])
            if other.any():
                rows, columns = np.nonzero(other.any(1))[0], np.nonzero(other.any(0))[0]
                assert other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            share = 1 - other.mean()
            assert np.allclose(y[i], share * labels[i] + (1 - share) * labels[i ^ 1], atol=1e-6)


def test_a_record_does_not_depend_on_the_size_of_its_batch():
    data, labels = batch(8)
    param = MixParameter(mixup_alpha=0.4, cutmix_alpha=1, prob=0.8, classes=CLASSES)
    whole = mixed(param, data, labels, 40)
    parts = [mixed(param, data[i : i + 2], labels[i : i + 2], 40 + i) for i in range(0, 8, 2)]
    for n in range(2):
        assert np.array_equal(whole[n], np.concatenate([part[n] for part in parts]))


def test_without_probability_nothing_is_mixed():
    data, labels = batch()
    x, y = mixed(MixParameter(mixup_alpha=1, prob=0, classes=CLASSES), data, labels)
    assert np.array_equal(x, data) and np.array_equal(y, labels)


@pytest.mark.parametrize("alpha", [0.2, 0.7, 1.0, 2.0, 8.0])
def test_shares_are_of_the_beta_distribution(alpha):
    found = np.array([mixing.beta(alpha, Draws(1, "d", i).of("mix")) for i in range(6000)])
    assert ((found >= 0) & (found <= 1)).all()
    assert abs(found.mean() - 0.5) < 0.02
    assert abs(found.var() - 1 / (4 * (2 * alpha + 1))) < 0.012
    expected = random.beta(alpha, alpha, 200_000)
    for quantile in (0.1, 0.25, 0.75):
        assert abs((found < np.quantile(expected, quantile)).mean() - quantile) < 0.03


def test_soft_labels():
    param = MixParameter(classes=4, label_smoothing=0.2)
    soft = mixing.soft_labels(np.array([0, 3]), param, str, smoothed=True)
    assert np.allclose(soft, [[0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.05, 0.85]])
    hard = mixing.soft_labels(np.array([0, 3]), param, str, smoothed=False)
    assert hard.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    for labels, wrong in (([0, 4], "4"), ([-1, 0], "-1"), ([1, 0.5], "0.5")):
        with pytest.raises(DataError, match=rf"record \d has the label {wrong}; mix_param has 4 classes"):
            mixing.soft_labels(labels, param, lambda i: f"record {i}", smoothed=True)
