from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.proto.brew_pb2 import BlobProto
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
TEXT = 'name: "loss" type: "InfogainLoss"'
EVEN = np.zeros((2, 2))  # both classes have probability 1/2
H = np.array([[1.0, 0.5], [0.0, 2.0]])


def test_worked_by_hand(device):
    run = run_layer(f"{TEXT} loss_weight: 2", [EVEN, [0, 1], H], device=device)
    assert run.tops[0] == pytest.approx(3.5 * np.log(2) / 2)
    np.testing.assert_allclose(run.bottom_diffs[0], [[-0.25, 0.25], [1, -1]], rtol=1e-6)
    assert run.bottom_diffs[1:] == [None, None]


def test_the_unit_matrix_gives_softmax_with_loss(device):
    x, t = random.standard_normal((2, 5, 3)), random.integers(0, 5, (2, 3))
    fields = "loss_param { ignore_label: 2 }"
    run = run_layer(f"{TEXT} {fields}", [x, t, np.eye(5)], device=device)
    other = run_layer(f'type: "SoftmaxWithLoss" {fields}', [x, t], device=device)
    np.testing.assert_allclose(run.tops[0], other.tops[0], rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], other.bottom_diffs[0], atol=1e-6)


def test_the_matrix_from_a_file(device, tmp_path):
    path = tmp_path / "matrix.binaryproto"
    path.write_bytes(BlobProto(num=1, channels=1, height=2, width=2, data=H.ravel()).SerializeToString())
    text = f'{TEXT} infogain_loss_param {{ source: "{path}" }}'
    run, other = run_layer(text, [EVEN, [0, 1]], device=device), run_layer(TEXT, [EVEN, [0, 1], H], device=device)
    assert run.tops[0] == other.tops[0]
    np.testing.assert_array_equal(run.bottom_diffs[0], other.bottom_diffs[0])
    with pytest.raises(NetError, match="the matrix of source has 4 elements; 3 classes need 9"):
        run_layer(text, [np.zeros((2, 3)), [0, 1]])


def test_a_hopeless_class_counts_as_a_small_probability(device):
    run = run_layer(TEXT, [[[0, 1000.0]], [0], np.eye(2)], device=device)
    assert run.tops[0] == pytest.approx(-np.log(1e-20))
    assert run.bottom_diffs[0].tolist() == [[-1, 1]]


# 2 items of 3 positions, 4 labels that count
@pytest.mark.parametrize(
    ("fields", "divisor"),
    [("", 4), ("normalization: FULL", 6), ("normalization: BATCH_SIZE", 2), ("normalization: NONE", 1)],
)
def test_normalization(fields, divisor, device):
    text = f"{TEXT} loss_param {{ ignore_label: 7 {fields} }}"
    run = run_layer(text, [np.zeros((2, 2, 3)), [[0, 1, 7], [7, 1, 0]], np.eye(2)], device=device)
    assert run.tops[0] == pytest.approx(4 * np.log(2) / divisor)
    assert run.bottom_diffs[0][0, 0].tolist() == pytest.approx([-0.5 / divisor, 0.5 / divisor, 0])
    assert not run.bottom_diffs[0][1, :, 0].any()


def test_second_top_has_the_probabilities(device):
    x = random.standard_normal((2, 5, 3))
    run = run_layer(f'{TEXT} top: "l" top: "p"', [x, np.zeros((2, 3)), np.eye(5)], device=device)
    np.testing.assert_allclose(run.tops[1], np.exp(x) / np.exp(x).sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "x", "labels", "classes"),
    [("", (2, 5, 3, 4), (2, 3, 4), 5), ("infogain_loss_param { axis: -1 }", (2, 5, 3), (2, 5), 3)],
)
def test_gradient(fields, x, labels, classes, device):
    matrix = random.uniform(0.1, 1, (classes, classes))
    bottoms = [random.standard_normal(x), random.integers(0, classes, labels), matrix]
    text = f"{TEXT} {fields} loss_param {{ ignore_label: 1 }} loss_weight: 0.5"
    check_gradient(text, bottoms, device=device)


def test_empty_batch(device):
    run = run_layer(TEXT, [np.ones((0, 2)), np.ones(0), H], device=device)
    assert run.tops[0] == 0


def test_a_label_that_is_no_class():
    with pytest.raises(DataError, match="label 2 at position 1 is no class; expected 0 to 1"):
        run_layer(TEXT, [EVEN, [0, 2], H])


@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_a_label_that_is_no_class_becomes_nan_on_cuda(device):
    run = run_layer(TEXT, [EVEN, [0, 2], H], device=device)
    assert np.isnan(run.tops[0])
    assert np.isnan(run.bottom_diffs[0]).all(axis=1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("fields", "bottoms", "message"),
    [
        ("loss_param { normalize: true }", [EVEN, [0, 1], H], "normalize is not for this layer"),
        ("", [EVEN, [0, 1]], r"the matrix is missing: give infogain_loss_param.source or a third bottom"),
        ("", [EVEN, [0, 1], np.eye(3)], "a third bottom of 2 x 2 elements"),
        ("", [EVEN, [0, 1, 1], H], "scores with 2 classes and 2 labels for them"),
    ],
)
def test_mistakes_are_named(fields, bottoms, message):
    with pytest.raises(NetError, match=message):
        run_layer(f"{TEXT} {fields}", bottoms)


def test_a_file_that_is_not_there():
    with pytest.raises(DataError, match="there is no nowhere"):
        run_layer(f'{TEXT} infogain_loss_param {{ source: "nowhere.binaryproto" }}', [EVEN, [0, 1]])
