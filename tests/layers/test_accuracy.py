from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.testing import run_layer

SCORES = [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4]]
LABELS = [1, 1, 2, 0]


def accuracy(fields: str = "", tops: int = 1) -> str:
    names = "".join(f' top: "{i}"' for i in range(tops))
    return f'name: "acc" type: "Accuracy" {names} accuracy_param {{ {fields} }}'


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        ("", 2 / 4),
        ("top_k: 2", 3 / 4),  # the last item's label ties for place 2: that counts against it
        ("top_k: 3", 1),
        ("ignore_label: 1", 1 / 2),
        ("ignore_label: 2 top_k: 2", 2 / 3),
    ],
)
def test_worked_by_hand(fields, share, device):
    assert run_layer(accuracy(fields), [SCORES, LABELS], device=device).tops[0] == pytest.approx(share)


def test_accuracy_of_each_class(device):
    run = run_layer(accuracy("ignore_label: 2", tops=2), [SCORES, LABELS], device=device)
    assert run.tops[0] == pytest.approx(1 / 3)
    assert run.tops[1].tolist() == [0, 0.5, 0]


@pytest.mark.parametrize("score", [0.0, np.nan])
def test_an_output_that_says_nothing_is_wrong(score, device):
    assert run_layer(accuracy(), [np.full((2, 3), score), [0, 1]], device=device).tops[0] == 0


def test_axis(device):
    scores = np.moveaxis(np.array(SCORES).reshape(2, 2, 3), 2, 0)  # 3 x 2 x 2
    run = run_layer(accuracy("axis: 0"), [scores, np.reshape(LABELS, (2, 2))], device=device)
    assert run.tops[0] == 0.5


def test_nothing_counts(device):
    run = run_layer(accuracy("ignore_label: 0", tops=2), [np.ones((2, 3)), [0, 0]], device=device)
    assert run.tops[0] == 0 and not run.tops[1].any()
    assert run_layer(accuracy(), [np.ones((0, 3)), []], device=device).tops[0] == 0


def test_a_label_that_is_no_class(device):
    if device == "cuda":
        assert np.isnan(run_layer(accuracy(), [SCORES, [0, 0, 0, 3]], device=device).tops[0])
        return
    with pytest.raises(
        DataError, match=r'layer "acc" \(Accuracy\): label 3 at position 3 is no class; expected 0 to 2'
    ):
        run_layer(accuracy(), [SCORES, [0, 0, 0, 3]])


def test_errors():
    with pytest.raises(NetError, match="top_k 4 is more than the 3 classes"):
        run_layer(accuracy("top_k: 4"), [SCORES, LABELS])
    with pytest.raises(NetError, match="top_k must be at least 1"):
        run_layer(accuracy("top_k: 0"), [SCORES, LABELS])
    with pytest.raises(NetError, match="scores with 3 classes and 4 labels"):
        run_layer(accuracy(), [SCORES, [1]])
