"""Mistakes that used to be taken in silence, through the commands: the inputs of tests/fixtures/faults."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "fixtures" / "faults"
Run = Callable[..., Any]


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the faults in it and the digits beside them."""
    for number in ("29", "34", "35", "36", "39", "40", "41"):
        if (FAULTS / number).is_dir():
            shutil.copytree(FAULTS / number, tmp_path / number)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def solver(net: str, more: str = "") -> str:
    Path("s.prototxt").write_text(
        f'net: "{net}" base_lr: 0.01 lr_policy: "fixed" max_iter: 6 display: 1 snapshot_prefix: "s" {more}'
    )
    return "s.prototxt"


def warnings(err: str) -> list[str]:
    return [line.partition("] ")[2] for line in err.splitlines() if line.startswith("W")]


@pytest.mark.parametrize(
    ("net", "codes", "text"),
    [
        ("34/silent1_num_output_1.prototxt", {"B212"}, "its scores are of one class alone"),
        ("34/silent2_wrong_param.prototxt", {"B213", "B215"}, "does not read pooling_param (stride)"),
        ("34/silent3_accuracy_ignore.prototxt", {"B213"}, "Accuracy does not read loss_param (ignore_label)"),
        ("34/silent4_mll_on_scores.prototxt", {"B218"}, 'wants probabilities, and layer "fc" (InnerProduct) makes scores'),
        ("35/bilinear_no_group.prototxt", {"B216"}, "every top channel is the sum of 21 bottom channels"),
        ("36/net.prototxt", {"B217"}, "its weights start at 0 and are not learned (lr_mult 0)"),
    ],
)  # fmt: skip
def test_check_finds_it_and_a_run_warns_once(net: str, codes: set[str], text: str, faults: Path, brew_run: Run) -> None:
    checked = brew_run("check", net)
    assert checked.code == 0
    assert {line.split("warning ")[1][:4] for line in checked.out.splitlines() if "warning " in line} == codes
    assert text in checked.out
    loss = "loss" if "SoftmaxWithLoss" in (faults / net).read_text() else ""
    if loss or net.startswith("34/silent4"):
        ran = brew_run("train", "--solver", solver(net))
        told = [line for line in warnings(ran.err) if line.endswith("]")]
        assert {line[-5:-1] for line in told} == codes
        assert len(told) == len(codes)
        assert net in told[0] and text in ran.err
    else:
        ran = brew_run("time", "--model", net, "--iterations", "1", "--mode", "forward", "--phase", "TEST")
        assert {line[-5:-1] for line in warnings(ran.err)} == codes - {"B215"}  # how weights start, trainings tell


def test_a_loss_that_never_moves_is_told(faults: Path, brew_run: Run) -> None:
    ran = brew_run("train", "--solver", solver("36/net.prototxt"))
    assert "iteration 4: the loss has been 281.245 at 5 displays: it does not move" in ran.err


def test_the_digits_have_nothing_to_tell(faults: Path, brew_run: Run) -> None:
    text = (faults / "29" / "sgd.prototxt").read_text()
    text += " weight_decay: 0.0005 max_time: '1s' test_iter: 6 test_interval: 20"
    Path("s.prototxt").write_text(text)
    assert warnings(brew_run("train", "--solver", "s.prototxt").err) == []
    assert brew_run("check", "s.prototxt").out == ""


def test_a_state_of_another_type(faults: Path, brew_run: Run) -> None:
    assert brew_run("train", "--solver", "29/sgd.prototxt", "--set", "max_iter=10").code == 0
    resumed = ("train", "--solver", "29/rms.prototxt", "--snapshot", "29/sgd_iter_10.solverstate")
    refused = brew_run(*resumed)
    assert refused.code == 3
    assert refused.err.count("error[B140]") == 1
    assert 'the state of a solver of type "SGD"' in refused.err and "--reset-history" in refused.err
    again = brew_run(*resumed, "--reset-history")
    assert again.code == 0
    assert "the history (means of squared gradients) begins anew" in again.err
    done = brew_run("train", "--solver", "29/sgd.prototxt", "--set", "max_iter=10", "--resume")
    assert done.code == 0
    assert [line for line in warnings(done.err) if "there is nothing left to train" in line and "max_iter=" in line]


def test_a_path_with_an_escape(faults: Path, brew_run: Run) -> None:
    for ran in (brew_run("train", "--solver", "41/solver.prototxt"), brew_run("check", "41/solver.prototxt")):
        text = ran.err + ran.out
        assert "41/solver.prototxt:2:63" in text
        assert r"has a character that no path should have, \n (code 10)" in text and '"run/new/t1"' in text
        assert ran.code != 0
    assert [path.name for path in faults.iterdir() if path.name.startswith("run")] == []


def test_outputs_of_many_numbers(faults: Path, brew_run: Run) -> None:
    from brew.net.outputs import MOST_SHOWN

    Path("w").mkdir()
    path = solver("40/n_1000.prototxt", "test_iter: 2 test_interval: 10 snapshot: 6")
    assert "warning B262" in brew_run("check", path).out
    ran = brew_run("train", "--solver", path)
    shown = [line for line in ran.err.splitlines() if "unused_label = " in line]
    left = [line for line in ran.err.splitlines() if "unused_label has 900 more elements" in line]
    assert (len(shown), len(left)) == (7 * MOST_SHOWN, 7)
    tested = ("test", "--model", "40/n_1000.prototxt", "--weights", "s_iter_6.caffemodel", "--iterations", "2")
    lines = brew_run(*tested).out.splitlines()
    assert len([line for line in lines if line.startswith("unused_label = ")]) == MOST_SHOWN
    assert len([line for line in lines if "900 more elements" in line]) == 1
    everything = brew_run("-v", *tested).out.splitlines()
    assert len([line for line in everything if line.startswith("unused_label = ")]) == 1000


def test_one_data_layer_for_both_phases_is_tested_on_what_it_learns(faults: Path, brew_run: Run) -> None:
    text = (FAULTS / "29" / "net.prototxt").read_text()
    both = text.partition("layer {")[0] + text[text.index("layer {") :]
    first, second = both.index("  include { phase: TRAIN }\n"), both.index('layer {\n  name: "digits"', 60)
    net = both[:first] + both[first:].replace("  include { phase: TRAIN }\n", "", 1)
    second = net.index('layer {\n  name: "digits"', net.index('name: "digits"\n  type') + 1)
    third = net.index('layer {\n  name: "conv1"')
    Path("net.prototxt").write_text(net[:second] + net[third:])
    found = brew_run("check", solver("net.prototxt", "test_iter: 6 test_interval: 3")).out
    assert "B223" in found
