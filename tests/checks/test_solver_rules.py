"""`brew check` on solvers: every rule with a fault and without, the nets in the states the solver uses, texts, weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.checks import files
from brew.checks.finding import Finding
from brew.checks.states import Options

Check = Callable[..., list[Finding]]

NET = """layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """net: "net.prototxt"
base_lr: 0.1
lr_policy: "fixed"
max_iter: 100
"""
TESTED = SOLVER + "test_iter: 5\ntest_interval: 50\n"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """The findings of a solver, written to solver.prototxt, with NET or another net in net.prototxt."""
    monkeypatch.chdir(tmp_path)

    def run(solver: str, net: str = NET, **options: object) -> list[Finding]:
        (tmp_path / "net.prototxt").write_text(net)
        (tmp_path / "solver.prototxt").write_text(solver)
        return files.check("solver.prototxt", Options(**options))  # type: ignore[arg-type]

    return run


def short(findings: list[Finding]) -> list[tuple[str, str, int]]:
    return [(f.code, f.place.file.removesuffix(".prototxt"), f.place.line) for f in findings]


STEP = SOLVER.replace('"fixed"', '"step"') + "gamma: 0.1\n"
ADAM = SOLVER + 'type: "Adam"\n'
CASES = {
    "B200": (SOLVER.replace('"fixed"', '"exp"'), 3, SOLVER.replace('"fixed"', '"exp"') + "gamma: 0.9"),
    "B251": (STEP + "stepsize: 100", 6, STEP + "stepsize: 99"),
    "B252": (SOLVER + "power: 2", 5, STEP + "stepsize: 10"),
    "B253": (SOLVER + "rms_decay: 0.9", 5, SOLVER + 'type: "RMSProp" rms_decay: 0.9'),
    "B254": (ADAM, 5, ADAM + "momentum: 0.9"),
    "B255": (SOLVER.replace("0.1", "0"), 2, SOLVER + "momentum: 0.9 clip_gradients: 1"),
    "B256": (TESTED.replace("50", "200"), 6, TESTED),
    "B257": (SOLVER + "snapshot_after_train: false", 5, SOLVER + "snapshot_after_train: false snapshot: 50"),
}


@pytest.mark.parametrize("code", CASES)
def test_each_rule_finds_its_fault_and_nothing_in_a_sound_solver(code: str, check: Check) -> None:
    bad, line, good = CASES[code]
    [found] = check(bad)
    assert short([found]) == [(code, "solver", line)]
    assert found.severity == "warning"
    assert found.hint
    assert check(good) == []


@pytest.mark.parametrize(
    ("setting", "line"),
    [("momentum: 1", 5), ("clip_gradients: 0", 5), ("test_interval: 10", 5)],
)
def test_more_odd_numbers(setting: str, line: int, check: Check) -> None:
    assert [f.place.line for f in check(SOLVER + setting)] == [line]


@pytest.mark.parametrize(
    ("policy", "setting"),
    [
        ("plateau", "gamma: 0.1 plateau_winsize: 10"), ("multifixed", "stagelr: 0.1 stageiter: 100"),
        ("cosine", "cycle_iter: 10 cycle_mult: 2"), ("onecycle", "warmup_fraction: 0.2 start_div: 10"),
    ],
)  # fmt: skip
def test_fields_of_policies_that_caffe_has_not(policy: str, setting: str, check: Check) -> None:
    assert check(SOLVER.replace('"fixed"', f'"{policy}"') + setting) == []
    fields = [word.removesuffix(":") for word in setting.split() if word.endswith(":")]
    idle = check(SOLVER + setting)
    assert [f.code for f in idle] == ["B252"] * len(fields)
    assert all(f"does not read {field}" in found.message for field, found in zip(fields, idle, strict=True))
    assert all(f'"{policy}"' in (found.hint or "") for found in idle)


@pytest.mark.parametrize("name", ["AdamW", "lamb", "adam"])
def test_the_like_of_adam(name: str, check: Check) -> None:
    assert short(check(SOLVER + f'type: "{name}" momentum2: 0.99')) == [("B254", "solver", 5)]
    assert check(SOLVER + f'type: "{name}" momentum: 0.9 momentum2: 0.99 delta: 1e-6') == []


def test_what_cannot_be_left_out_is_said_once(check: Check) -> None:
    for policy, code in [("step", "B130"), ("plateau", "B130"), ("multifixed", "B130")]:
        found = check(SOLVER.replace('"fixed"', f'"{policy}"') + ("" if policy == "multifixed" else "gamma: 0.1"))
        assert [f.code for f in found] == [code], found


def test_a_stepvalue_that_is_never_reached(check: Check) -> None:
    solver = SOLVER.replace('"fixed"', '"multistep"') + "gamma: 0.1\nstepvalue: 50\nstepvalue: 100\n"
    assert short(check(solver)) == [("B251", "solver", 7)]


def test_a_train_net_without_loss(check: Check) -> None:
    net = NET.replace('"SoftmaxWithLoss"', '"SoftmaxWithLoss" include { phase: TEST }')
    assert ("B258", "solver", 1) in short(check(TESTED, net))
    assert check(TESTED) == []


def test_a_test_net_that_measures_nothing(check: Check) -> None:
    net = NET.replace('"SoftmaxWithLoss"', '"SoftmaxWithLoss" include { phase: TRAIN }')
    assert short(check(TESTED, net)) == [("B259", "solver", 5)]
    metric = 'layer { name: "a" type: "Accuracy" bottom: "ip" bottom: "label" top: "a" include { phase: TEST } }\n'
    assert check(TESTED, net + metric) == []


@pytest.mark.parametrize(("passes", "found"), [(4, 1), (5, 0), (6, 1)])
def test_test_batches_against_the_test_data(passes: int, found: int, check: Check, tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["data"], file["label"] = np.zeros((10, 3), "f4"), np.arange(10) % 2
    (tmp_path / "list.txt").write_text("d.h5\n")
    data = 'layer { name: "data" type: "HDF5Data" top: "data" top: "label"\n'
    data += ' hdf5_data_param { source: "list.txt" batch_size: 2 } }\n'
    net = data + NET[NET.index('layer { name: "ip"') :]
    said = [f for f in check(TESTED.replace("test_iter: 5", f"test_iter: {passes}"), net) if f.code != "B223"]
    assert short(said) == [("B260", "solver", 5)] * found
    assert all(f.hint == "test_iter: 5 is once through" for f in said)


def test_a_layer_that_no_net_of_the_solver_has(check: Check) -> None:
    extra = 'layer { name: "x" type: "Silence" bottom: "ip"\n include { stage: "never" } }\n'
    assert short(check(TESTED, NET + extra)) == [("B261", "net", 7)]
    assert check(TESTED + 'test_state { stage: "never" }', NET + extra) == []


def test_all_errors_of_solver_and_net_at_once(check: Check) -> None:
    solver = """net: "net.prototxt"
base_lr: 0.1 momentum: -1
lr_policy: "stepp"
max_iter: 100
test_iter: -1
test_interval: 10
snapshot_prefix: "no/folder/x"
weights: "no.caffemodel"
"""
    found = check(solver, NET.replace('bottom: "ip"', 'bottom: "pi"'))
    assert short(found) == [
        *[("B130", "solver", n) for n in (2, 3, 5)], ("B700", "solver", 7), ("B150", "solver", 8), ("B120", "net", 5),
    ]  # fmt: skip
    assert {f.severity for f in found} == {"error"}
    assert found[-1].states == ("TRAIN", "TEST")


def test_a_missing_net_is_one_error(check: Check, tmp_path: Path) -> None:
    assert short(check(TESTED.replace("net.proto", "none.proto"))) == [("B150", "solver", 1)]


def test_a_net_written_in_the_solver(check: Check) -> None:
    solver = SOLVER.replace('net: "net.prototxt"\n', "net_param {\n" + NET.replace('"InnerProduct"', '"Inner"') + "}\n")
    assert short(check(solver)) == [("B120", "solver", 4)]


def test_every_unknown_field_and_wrong_value_without_echoes(check: Check) -> None:
    solver = SOLVER.replace("max_iter", "max_itr").replace("0.1", "0.1x").replace("net:", "nett: 1\nnet:")
    net = (
        NET.replace("num_output", "num_outputs")
        .replace("dim: 3", "dim: three")
        .replace('top: "ip"', 'top: "ip" top: 7')
    )
    found = check(solver, net + 'layer { name: "e" type: "Relu" bottom: "loss" top: "e" }\n')
    assert short(found) == [
        *[("B110", "solver", n) for n in (1, 3, 5)], ("B110", "net", 2), ("B110", "net", 3), ("B110", "net", 4),
        ("B120", "net", 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('name: "a"\nnaem: 1\nlayer { name: "x"', [2, 3]),  # what can be stepped over, then the open brace
        ('layer {\n name: "x"\nlayer { name: "y" }', [3]),  # a missing brace ends it: no error for every field below
        ("name: 'a'\nname: 'b'\nname 3\nforce_backward: maybe", [2, 3, 4]),
        ("layer { typo { a { b: [1, 2] } } typo: <c: 1> }", [1, 1, 1]),  # and no type
    ],
)
def test_reading_on_after_errors_in_the_text(text: str, lines: list[int], tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    assert [f.place.line for f in files.check(str(path), Options())][: len(lines)] == lines


@pytest.fixture
def trained(tmp_path: Path, check: Check) -> Path:
    """Weights of NET, of which two are not finite."""
    (tmp_path / "net.prototxt").write_text(NET)
    net = brew.Net(str(tmp_path / "net.prototxt"), brew.TRAIN, seed=1)
    net.params["ip"][0].data[0, :2] = np.nan, np.inf
    net.save(tmp_path / "w.caffemodel")
    return tmp_path / "w.caffemodel"


def test_weights_that_are_not_finite_are_counted(trained: Path) -> None:
    [found] = files.check(str(trained), Options())
    assert found.code == "B281"
    assert found.message == 'layer "ip", blob 0: 2 of 6 numbers are NaN or infinite'


def test_weights_that_do_not_fit_a_net(trained: Path, check: Check) -> None:
    def said(net: str) -> list[tuple[str, str, int]]:
        return [line for line in short(check(SOLVER, net, weights=(str(trained),))) if line[0] != "B281"]

    assert said(NET) == []
    assert said(NET.replace("num_output: 2", "num_output: 5")) == [("B140", "net", 3), ("B140", "net", 3)]
    codes = {code for code, _, _ in said(NET.replace('name: "ip"', 'name: "other"'))}
    assert codes == {"B284", "B285"}


def test_damaged_weights_are_a_finding(tmp_path: Path) -> None:
    (tmp_path / "w.caffemodel").write_bytes(b"\x00\x01\x02broken")
    [found] = files.check(str(tmp_path / "w.caffemodel"), Options())
    assert (found.severity, found.code) == ("error", "B140")


def test_every_warning_is_in_the_docs() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "check.md").read_text()
    rows = [f"| {code} | {meaning} |" for code, meaning in files.meanings().items()]
    assert [row for row in rows if row not in docs] == []


def test_no_batch_to_test_is_a_word_and_no_error(check: Check) -> None:
    found = check(TESTED.replace("test_iter: 5", "test_iter: 0"), NET)
    assert [(f.severity, f.message) for f in found] == [("warning", "test_iter is 0: tests of this net run no batch")]
