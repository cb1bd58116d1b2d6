from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
TEXT = 'name: "loss" type: "SoftmaxWithLoss"'
EVEN = np.zeros((2, 4))  # every class has probability 1/4


def test_worked_by_hand(device):
    run = run_layer(f"{TEXT} loss_weight: 2", [EVEN, [0, 3]], device=device)
    assert run.tops[0] == pytest.approx(np.log(4))
    np.testing.assert_allclose(run.bottom_diffs[0], [[-0.75, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, -0.75]], rtol=1e-6)
    assert run.bottom_diffs[1] is None  # labels have no gradient


def test_labels_are_cut_off_to_integers(device):
    x = random.standard_normal((2, 4))
    whole, cut = (run_layer(TEXT, [x, t], device=device).tops[0] for t in ([1, 0], [1.9, -0.9]))
    assert whole == cut


def test_a_hopeless_label_costs_at_most_87(device):
    run = run_layer(TEXT, [[[0, 1000.0]], [0]], device=device)
    assert run.tops[0] == pytest.approx(-np.log(np.finfo(np.float32).tiny))
    assert run.bottom_diffs[0].tolist() == [[-1, 1]]


# 2 items of 3 positions, 4 labels that count
@pytest.mark.parametrize(
    ("fields", "divisor"),
    [
        ("", 4),
        ("normalization: VALID", 4),
        ("normalization: FULL", 6),
        ("normalization: BATCH_SIZE", 2),
        ("normalization: NONE", 1),
        ("normalize: true", 4),
        ("normalize: false", 2),
        ("normalize: false normalization: FULL", 6),
    ],
)
def test_normalization(fields, divisor, device):
    labels = [[0, 1, 7], [7, 2, 3]]
    text = f"{TEXT} loss_param {{ ignore_label: 7 {fields} }}"
    run = run_layer(text, [np.zeros((2, 4, 3)), labels], device=device)
    assert run.tops[0] == pytest.approx(4 * np.log(4) / divisor)
    assert run.bottom_diffs[0][0, 0].tolist() == pytest.approx([-0.75 / divisor, 0.25 / divisor, 0])
    assert not run.bottom_diffs[0][1, :, 0].any()


def test_all_ignored(device):
    run = run_layer(f"{TEXT} loss_param {{ ignore_label: -1 }}", [EVEN, [-1, -1]], device=device)
    assert run.tops[0] == 0
    assert not run.bottom_diffs[0].any()


def test_second_top_has_the_probabilities(device):
    x = random.standard_normal((2, 5, 3))
    run = run_layer(f'{TEXT} top: "l" top: "p"', [x, np.zeros((2, 3))], device=device)
    np.testing.assert_allclose(run.tops[1], np.exp(x) / np.exp(x).sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize(("fields", "labels"), [("", (2, 3, 40)), ("softmax_param { axis: -1 }", (2, 5, 3))])
def test_gradient(fields, labels, device):
    x = random.standard_normal((2, 5, 3, 40))
    t = random.integers(0, 4, labels)
    check_gradient(f"{TEXT} {fields} loss_param {{ ignore_label: 1 }} loss_weight: 0.5", [x, t], device=device)


def test_many_positions(device):
    x, t = random.standard_normal((3, 2, 6000)), random.integers(0, 2, (3, 6000))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    expected = -np.log(np.take_along_axis(p, t[:, None], 1)).mean()
    assert run_layer(TEXT, [x, t], device=device).tops[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(0, 4), (3, 1)])
def test_empty_batch_and_single_class(shape, device):
    run = run_layer(TEXT, [np.ones(shape), np.zeros(shape[0])], device=device)
    assert run.tops[0] == 0
    assert run.bottom_diffs[0].shape == shape and not run.bottom_diffs[0].any()


@pytest.mark.parametrize(("label", "said"), [(4, "4"), (-1, "-1"), (np.nan, "nan"), (1e30, "1e+30")])
def test_a_label_that_is_no_class(label, said):
    with pytest.raises(DataError) as error:
        run_layer(TEXT, [EVEN, [0, label]])
    wrong = f'layer "loss" (SoftmaxWithLoss): label {said} at position 1 is no class'
    assert error.value.message == f"{wrong}; expected 0 to 3 as each of the 2"


@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_a_label_that_is_no_class_becomes_nan_on_cuda(device):
    run = run_layer(TEXT, [EVEN, [0, 4]], device=device)
    assert np.isnan(run.tops[0])
    assert np.isnan(run.bottom_diffs[0][1]).all() and not np.isnan(run.bottom_diffs[0][0]).any()


def test_wrong_number_of_labels():
    with pytest.raises(NetError, match=r'scores with 4 classes and 2 labels for them; .*"bottom1" 3'):
        run_layer(TEXT, [EVEN, [0, 1, 2]])
