"""A loss that is stuck is told once: exploded scores, and a loss that does not move."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import brew
from brew.solver.solver import Solver
from brew.solver.training.events import Displayed
from brew.solver.training.stuck import Stuck

NET = """
layer {{ name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {{
  shape {{ dim: 8 dim: 4 dim: 2 }} shape {{ dim: 8 dim: 2 }} data_filler {{ type: "gaussian" }} data_filler {{ value: 1 }} }} }}
layer {{ name: "l" type: "{loss}" bottom: "x" bottom: "y" top: "l" {more} }}
"""
MOST = -math.log(1.17549435e-38)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]


def watch(
    tmp_path: Path, losses: list[float], loss: str = "SoftmaxWithLoss", more: str = "", rate: float = 0.1
) -> None:
    """Displays of these losses, as a training of the net would show them."""
    (tmp_path / "net.prototxt").write_text(NET.format(loss=loss, more=more))
    stuck = Stuck(brew.Net(tmp_path / "net.prototxt", brew.TRAIN))
    for iteration, value in enumerate(losses):
        stuck(Displayed(iteration, value, rate, {"l": value}, 0.0, 0))


@pytest.mark.parametrize("share", [15, 16, 8, 5])
def test_scores_that_have_exploded(share: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """16 items, each of which loses nothing or all: 81.878 and 87.33 are 15 and 16 of them."""
    watch(tmp_path, [2.0] + [MOST * share / 16 + 1e-6 * i for i in range(8)])
    [line] = warnings(caplog)
    assert "the scores have exploded" in line and line.startswith('iteration 3: the loss "l" is')


@pytest.mark.parametrize(
    ("more", "factor"),
    [("loss_param { normalize: false }", 2), ("loss_param { normalization: NONE }", 16),
     ("loss_param { normalization: FULL }", 1), ("loss_param { normalization: BATCH_SIZE }", 2)],
)  # fmt: skip
def test_every_normalization(more: str, factor: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch(tmp_path, [factor * 12.5] * 4, more=more)
    assert warnings(caplog) == []
    watch(tmp_path, [factor * MOST * 14 / 16] * 3, more=more)
    assert len(warnings(caplog)) == 1


def test_high_and_no_lower_counts_after_ten_displays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch(tmp_path, [50 + 0.1 * i for i in range(9)])
    assert warnings(caplog) == []
    watch(tmp_path, [50 + 0.1 * i for i in range(30)])
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize(
    "losses",
    [
        [80 * 0.9**i for i in range(20)],  # a bad start that mends itself
        [MOST, MOST * 15 / 16, 3, MOST, MOST * 15 / 16, 3],
        [2.3, 2.2, 2.1, 2.0, 1.9, 1.8],
        [0.0] * 20,
        [math.nan] * 20,
    ],
)
def test_what_is_not_stuck(losses: list[float], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch(tmp_path, losses)
    assert warnings(caplog) == []


def test_a_loss_that_does_not_move(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch(tmp_path, [1.5, 1.25, 1.25, 1.25, 1.25])
    assert warnings(caplog) == []
    watch(tmp_path, [1.5] + [1.25] * 20)
    [line] = warnings(caplog)
    assert line.startswith("iteration 5: the loss has been 1.25 at 5 displays: it does not move")


def test_without_a_rate_nothing_is_expected_to_move(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch(tmp_path, [1.25] * 20, rate=0.0)
    assert warnings(caplog) == []


@pytest.mark.parametrize("loss", ["InfogainLoss", "MultinomialLogisticLoss"])
def test_losses_with_another_least(loss: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = NET.format(loss=loss, more="")
    if loss == "InfogainLoss":
        text = (
            text.replace('bottom: "y" top: "l"', 'bottom: "y" bottom: "h" top: "l"')
            + """
        layer { name: "h" type: "Input" top: "h" input_param { shape { dim: 1 dim: 1 dim: 4 dim: 4 } } }"""
        )
        text = _first(text, '"h" type: "Input"')
    else:
        text = text.replace("dim: 8 dim: 2 }", "dim: 8 }")
    (tmp_path / "net.prototxt").write_text(text)
    stuck = Stuck(brew.Net(tmp_path / "net.prototxt", brew.TRAIN))
    for iteration in range(3):
        value = -math.log(1e-20) * (7 - iteration) / 8
        stuck(Displayed(iteration, value, 0.1, {"l": value}, 0.0, 0))
    assert sum("1e-20" in line for line in warnings(caplog)) == 1


def _first(text: str, what: str) -> str:
    """The line with `what` before all others."""
    lines = text.splitlines()
    chosen = next(line for line in lines if what in line)
    return "\n".join([chosen, *(line for line in lines if line is not chosen)])


def test_a_training_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "net.prototxt").write_text("""
    layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {
      shape { dim: 8 dim: 4 } shape { dim: 8 } data_filler { type: "constant" value: 1 } data_filler { value: 1 } } }
    layer { name: "f" type: "InnerProduct" bottom: "x" top: "f" inner_product_param { num_output: 3
      weight_filler { type: "xavier" } bias_filler { type: "uniform" min: 1e4 max: 2e4 } } }
    layer { name: "l" type: "SoftmaxWithLoss" bottom: "f" bottom: "y" top: "l" }""")
    (tmp_path / "s").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 1e-9 lr_policy: "fixed" max_iter: 8 display: 1 random_seed: 3 '
        f'snapshot_prefix: "{tmp_path}/s" snapshot_after_train: false'
    )
    solver = Solver(tmp_path / "s", device="cpu")
    solver.solve()
    solver.close()
    told = [line for line in warnings(caplog) if "iteration" in line]
    assert ["exploded" in told[0], "does not move" in told[1], len(told)] == [True, True, 2]
