"""The metrics, by numbers worked out by hand; scikit-learn gives the same (its definitions are named in docs/pictures.md)."""

from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, UsageError
from brew.solver.scoring import names, odds
from brew.solver.scoring.classes import ClassScores, predicted
from brew.solver.scoring.labels import LabelScores
from brew.solver.scoring.ranking import Ranking
from brew.solver.scoring.values import ValueScores

# Six items of four classes, of which class 3 never comes. Predictions: 0 0 1 1 2 0, labels: 0 0 1 2 2 1.
SCORES = np.array(
    [[9, 1, 0, -9], [5, 4, 3, -9], [0, 7, 1, -9], [1, 6, 5, -9], [0, 1, 8, -9], [3, 2, 1, -9]], np.float32
)
LABELS = np.array([0, 0, 1, 2, 2, 1], np.float32)


def classes(wanted: list[str], *, ignore: int | None = None, batches: int = 3) -> ClassScores:
    scorer = ClassScores(4, wanted, chances=False, ignore=ignore)
    for part in np.array_split(np.arange(6), batches):
        scorer.add(SCORES[part][:, :, None], LABELS[part][:, None])
    return scorer


def test_classes_by_hand() -> None:
    wanted = ["accuracy", "top2", "top3", "precision", "recall", "f1", "precision_micro", "f1_micro", "mean_iou"]
    assert classes(wanted).results() == pytest.approx(
        {
            "accuracy": 4 / 6,
            "top2": 1.0,
            "top3": 1.0,
            "precision": (2 / 3 + 1 / 2 + 1) / 3,  # class 3 was neither a label nor a prediction: it does not count
            "recall": (1 + 1 / 2 + 1 / 2) / 3,
            "f1": (4 / 5 + 2 / 4 + 2 / 3) / 3,
            "precision_micro": 4 / 6,
            "f1_micro": 4 / 6,
            "mean_iou": (2 / 3 + 1 / 3 + 1 / 2) / 3,
        }
    )


def test_the_number_of_batches_changes_nothing() -> None:
    wanted = ["accuracy", "f1", "auc", "ap"]
    assert classes(wanted, batches=1).results() == classes(wanted, batches=6).results()


def test_an_ignored_label_does_not_count() -> None:
    scorer = classes(["accuracy", "recall"], ignore=2)
    assert scorer.items == 4
    assert scorer.results() == pytest.approx({"accuracy": 3 / 4, "recall": (1 + 1 / 2) / 2})


def test_a_predicted_class_without_labels_counts_with_0() -> None:
    scorer = ClassScores(3, ["precision", "recall", "f1"], chances=False, ignore=None)
    scorer.add(np.array([[[1.0], [0.0], [0.0]], [[0.0], [0.0], [1.0]]]), np.array([[0.0], [0.0]]))
    assert scorer.results() == pytest.approx({"precision": 1 / 2, "recall": (1 / 2 + 0) / 2, "f1": (2 / 3 + 0) / 2})


@pytest.mark.parametrize(
    ("scores", "label", "expected"),
    [
        ([1, 1, 0], 0, 1),  # ties count against the label
        ([1, 1, 0], 1, 0),
        ([1, 1, 1], 0, 1),
        ([0, 2, 1], 0, 1),
        ([np.nan, 2, 1], 0, 1),  # and so does NaN, its own
        ([3, np.nan, 1], 0, 1),  # or another's
        ([-np.inf, -np.inf, -np.inf], 2, 0),
        ([-np.inf, -np.inf, -np.inf], 0, 1),
    ],
)
def test_ties_and_nan_count_against_the_net(scores: list[float], label: int, expected: int) -> None:
    column = np.array(scores, np.float32).reshape(1, 3, 1)
    assert predicted(column, np.array([[label]])).item() == expected


def test_labels_that_are_no_class() -> None:
    with pytest.raises(DataError, match="label 4 is no class: there are scores of 4"):
        ClassScores(4, [], chances=False, ignore=None).add(SCORES[:1, :, None], np.array([[4.0]]))


# --- ranking ----------------------------------------------------------------------------------------------------------


def ranked(scores: list[float], right: list[int], most: int = 100) -> tuple[float, float]:
    ranking = Ranking(1, most)
    truth = np.array(right, np.bool_)[:, None]
    ranking.add(np.array(scores)[:, None], truth, np.ones_like(truth))
    area, precision = ranking.results()
    assert ranking.is_exact == (len(scores) <= most)
    return float(area[0]), float(precision[0])


@pytest.mark.parametrize("most", [100, 2])  # exact, and in bins
def test_areas_and_precisions_by_hand(most: int) -> None:
    # Pairs (right, wrong): 3 x 2 = 6, of which (0.8, 0.9), (0.4, 0.9) and (0.4, 0.6) are in the wrong order.
    area, precision = ranked([0.9, 0.8, 0.6, 0.4, 0.95], [0, 1, 0, 1, 1], most)
    assert area == pytest.approx(3 / 6)
    assert precision == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    area, precision = ranked([5, 5, 1], [1, 0, 0], most)  # equal scores count half, and come together
    assert area == pytest.approx((0.5 + 1) / 2)
    assert precision == pytest.approx(1 / 2)


def test_without_right_or_wrong_items_there_is_no_area() -> None:
    area, precision = ranked([1, 2], [1, 1])
    assert np.isnan(area) and precision == 1
    area, precision = ranked([1, 2], [0, 0])
    assert np.isnan(area) and np.isnan(precision)


def test_many_scores_are_counted_in_bins_nearly_as_well() -> None:
    random = np.random.default_rng(1)
    right = random.random((4000, 5)) < 0.3
    scores = random.normal(0, 2, (4000, 5)) + 1.5 * right
    exact, binned = Ranking(5), Ranking(5, 5000)
    for part in np.array_split(np.arange(4000), 7):
        for ranking in (exact, binned):
            ranking.add(scores[part], right[part], np.ones_like(right[part]))
    assert exact.is_exact and not binned.is_exact
    for a, b in zip(exact.results(), binned.results(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_log_odds_are_those_of_the_softmax_and_keep_apart_what_it_makes_equal() -> None:
    scores = np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 60.0], [0.0, 0.0, 61.0]], np.float32)
    p = odds.chances(scores)[0]
    np.testing.assert_allclose(odds.of_scores(scores)[0], np.log(p / (1 - p)))
    assert odds.chances(scores)[1, 2] == odds.chances(scores)[2, 2] == 1
    assert odds.of_scores(scores)[1:, 2].tolist() == pytest.approx([60 - np.log(2), 61 - np.log(2)])
    np.testing.assert_allclose(odds.of_chances(p), np.log(p / (1 - p)))


def test_of_two_classes_the_second_is_ranked() -> None:
    scorer = ClassScores(2, ["auc", "ap"], chances=True, ignore=None)
    chances = np.array([0.9, 0.2, 0.6])
    scorer.add(np.stack([1 - chances, chances], 1)[:, :, None], np.array([[1.0], [0.0], [0.0]]))
    assert scorer.results() == {"auc": 1.0, "ap": 1.0}
    assert len(scorer.ranked()["auc"]) == 1


# --- several labels, and values ---------------------------------------------------------------------------------------


def test_several_labels_by_hand() -> None:
    scorer = LabelScores(3, names.wanted(["all"], "labels", 3, 1), chances=False, ignore=-1)
    scorer.add(np.array([[1.0, -1.0, 2.0], [-1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0], [1.0, 1.0, -1.0]]))
    scorer.add(np.array([[-2.0, -2.0, -2.0]]), np.array([[0.0, 0.4, 0.6]]))  # soft targets: half or more is 1
    # Right: 1 1 0, 0 1 -, 1 1 0. By label (hits, labels, predictions): (1, 2, 1), (1, 1, 1), (0, 1, 1).
    assert scorer.results() == pytest.approx(
        {
            "accuracy": 5 / 8,
            "exact_match": 0 / 3,
            "precision": (1 + 1 + 0) / 3,
            "recall": (1 / 2 + 1 + 0) / 3,
            "f1": (2 / 3 + 1 + 0) / 3,
            "f1_micro": 2 * 2 / (4 + 3),
            "auc": (1 + 1 + 0) / 3,
            "ap": (1 + 1 + 1 / 2) / 3,
        }
    )


def test_probabilities_are_over_a_half() -> None:
    scorer = LabelScores(1, ["accuracy"], chances=True, ignore=None)
    guess = scorer.add(np.array([[0.4], [0.5], [0.51]]), np.array([[0.0], [0.0], [1.0]]))
    assert guess.ravel().tolist() == [False, False, True] and scorer.results() == {"accuracy": 1.0}


def test_values_by_hand() -> None:
    scorer = ValueScores(2, ["mae", "rmse", "r2"])
    scorer.add(np.array([[1.0, 5.0], [2.0, 5.0]]), np.array([[1.0, 5.0], [4.0, 5.0]]))
    scorer.add(np.array([[9.0, 6.0]]), np.array([[7.0, 5.0]]))
    # Errors 0 -2 2 and 0 0 1; targets 1 4 7 have the spread 18, 5 5 5 none: their R2 does not count.
    assert scorer.results() == pytest.approx({"mae": 5 / 6, "rmse": np.sqrt(9 / 6), "r2": 1 - 8 / 18})


def test_r2_does_not_cancel_far_from_0() -> None:
    random = np.random.default_rng(2)
    truth = 1e6 + random.normal(0, 1, (1000, 1))
    guess = truth + random.normal(0, 0.5, (1000, 1))
    scorer = ValueScores(1, ["r2"])
    for part in np.array_split(np.arange(1000), 13):
        scorer.add(guess[part], truth[part])
    expected = 1 - ((guess - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert scorer.results()["r2"] == pytest.approx(expected, rel=1e-9)


def test_r2_of_targets_that_differ_by_little_of_their_size() -> None:
    scorer = ValueScores(1, ["r2"])
    scorer.add(np.full((2, 1), 1.7e9), np.array([[1.7e9 - 128], [1.7e9 + 128]]))  # neighbours in float32, nearly
    assert scorer.results() == {"r2": 0.0}


def test_a_number_that_is_nan_is_not_left_out_of_r2() -> None:
    scorer = ValueScores(2, ["r2"])
    scorer.add(np.array([[1.0, np.nan], [4.0, np.nan]]), np.array([[1.0, 1.0], [4.0, 2.0]]))
    assert np.isnan(scorer.results()["r2"])


def test_a_probability_that_rounding_made_more_than_1_is_ranked() -> None:
    scorer = LabelScores(1, ["auc"], chances=True, ignore=None)
    scorer.add(np.array([[1 + 1e-7], [0.5], [0.2]]), np.array([[0.0], [1.0], [0.0]]))
    assert scorer.results() == {"auc": 0.5}


def test_scores_that_are_not_finite_warn_of_nothing() -> None:
    scores = np.array([[np.inf, 1.0, np.inf], [np.nan, 0.0, 1.0], [-np.inf] * 3, [-1e30, 1e30, 0]])
    with np.errstate(all="raise", under="ignore"):
        odds.of_scores(scores)
        odds.chances(scores)
        odds.chances_of_labels(scores)


def test_nothing_counted_is_nan() -> None:
    for scorer in (
        ClassScores(2, ["accuracy", "f1", "auc"], chances=False, ignore=None),
        LabelScores(2, ["accuracy", "f1_micro", "ap"], chances=False, ignore=None),
        ValueScores(2, ["mae", "r2"]),
    ):
        assert np.isnan(list(scorer.results().values())).all()


def test_names_are_checked() -> None:
    assert names.listed("F1, top3,mean-iou") == ["f1", "top3", "mean_iou"]
    with pytest.raises(UsageError, match='no metric is called "acuracy"') as caught:
        names.listed("acuracy")
    assert caught.value.hint == 'did you mean "accuracy"?'
    assert names.wanted(["all"], "classes", 3, 1) == ["accuracy", "precision", "recall", "f1", "auc", "ap"]
    assert names.wanted(["all", "f1"], "classes", 3, 9) == ["pixel_accuracy", "mean_iou", "f1"]
