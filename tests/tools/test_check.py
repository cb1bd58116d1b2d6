"""`brew check`: what it prints, its exit codes, JSON, and that it has nothing to say about sound files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., Any]


@pytest.fixture
def edited(folder: Path) -> Callable[[str, str, str], None]:
    """Replace text in a file of the folder."""

    def edit(name: str, old: str, new: str) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return edit


def test_a_sound_net(folder: Path, brew_run: Run) -> None:
    ran = brew_run("check", "net.prototxt")
    assert (ran.code, ran.out, ran.err) == (0, "", "1 file checked: nothing found\n")


def test_one_line_a_finding_and_the_remedy_below(folder: Path, brew_run: Run, edited: Any) -> None:
    edited("net.prototxt", '"InnerProduct"', '"InnerProdukt"')
    edited("solver.prototxt", "stepsize: 10", "stepsize: 20")
    ran = brew_run("check", "solver.prototxt")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0].startswith("solver.prototxt:8:1: warning B251: solver: stepsize is 20, max_iter 20: the rate never")
    assert lines[1] == '  = a smaller stepsize, or lr_policy: "fixed"'
    assert lines[2] == (
        'net.prototxt:10:20: error B120: layer "ip": unknown type "InnerProdukt" (in TRAIN and TEST)'
    )  # fmt: skip
    assert lines[3].startswith('  = did you mean "InnerProduct"?')
    assert len(lines) == 4
    assert ran.err == "1 file checked: 1 error and 1 warning\n"


def test_warnings_alone_are_exit_0_unless_strict(folder: Path, brew_run: Run, edited: Any) -> None:
    edited("solver.prototxt", "stepsize: 10", "stepsize: 20")
    assert brew_run("check", "solver.prototxt").code == 0
    assert brew_run("check", "--strict", "solver.prototxt").code == 1


def test_a_file_that_cannot_be_read_does_not_end_the_check(folder: Path, brew_run: Run, edited: Any) -> None:
    edited("net.prototxt", "num_output", "num_outputs")
    ran = brew_run("check", "solvr.prototxt", "net.prototxt")
    assert ran.code == 1
    assert [line.split(": ")[:2] for line in ran.out.splitlines()[::2]] == [
        ["solvr.prototxt", "error B100"],
        ["net.prototxt:11:31", "error B110"],
    ]


def test_json(folder: Path, brew_run: Run, edited: Any) -> None:
    assert json.loads(brew_run("check", "--json", "net.prototxt").out) == []
    edited("net.prototxt", 'bottom: "data" top', 'bottom: "date" top')
    [found] = json.loads(brew_run("check", "--json", "net.prototxt").out)
    assert found == {
        "file": "net.prototxt", "line": 10, "column": 41, "severity": "error", "code": "B120",
        "message": 'layer "ip" (InnerProduct): no layer above makes its bottom "date"',
        "remedy": 'did you mean "data"?', "states": ["TRAIN", "TEST"],
    }  # fmt: skip


def test_nothing_else_is_said_while_checking(folder: Path, brew_run: Run, edited: Any) -> None:
    edited("solver.prototxt", "random_seed", "solver_type: SGD random_seed")  # the upgrade of which is logged
    assert brew_run("check", "solver.prototxt").err == "1 file checked: nothing found\n"


def test_options_for_data_that_is_elsewhere(folder: Path, brew_run: Run) -> None:
    data = 'layer { name: "data" type: "Data" top: "data" data_param { source: "gone" batch_size: 2 } }\n'
    pool = 'layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { kernel_size: 9 } }\n'
    (folder / "deploy.prototxt").write_text(data + pool)
    assert "error B150" in brew_run("check", "deploy.prototxt").out
    assert brew_run("check", "--no-data", "deploy.prototxt").code == 0
    shaped = brew_run("check", "--shape", "data:2x3x4x4", "deploy.prototxt")
    assert shaped.code == 1
    assert shaped.out.startswith("deploy.prototxt:2:")
    unused = brew_run("check", "--shape", "dta:2x3x4x4", "deploy.prototxt")
    assert unused.code == 2
    assert "dta" in unused.err


def test_what_is_no_net_is_one_finding(folder: Path, brew_run: Run, edited: Any) -> None:
    item = 'item { name: "n0156" label: 1 display_name: "person" }\n'
    (folder / "map.prototxt").write_text(item * 50)
    label_map = "error B100: this is a label map of SSD's; a net, a solver or weights can be checked\n"
    assert brew_run("check", "map.prototxt").out == f"map.prototxt: {label_map}"
    edited("solver.prototxt", '"net.prototxt"', '"map.prototxt"')
    label_map = "error B110: this is a label map of SSD's, neither net nor solver\n"
    assert brew_run("check", "solver.prototxt").out == f"map.prototxt: {label_map}"
    edited("solver.prototxt", '"map.prototxt"', '"solver.prototxt"')
    out = brew_run("check", "solver.prototxt").out
    assert out == "solver.prototxt: error B110: this is a solver, and a net was expected\n"


def test_the_same_words_many_times_are_said_once(folder: Path, brew_run: Run) -> None:
    with (folder / "net.prototxt").open("a") as file:
        file.write('itm { name: "a" }\n' * 9 + 'top: "a"\n' * 3)
    ran = brew_run("check", "net.prototxt")
    errors = [line for line in ran.out.splitlines() if "error B110" in line]
    assert errors[0].endswith('NetParameter has no field "itm" (and 8 more like it)')
    assert len(errors) == 4 and all(line.endswith('has no field "top"') for line in errors[1:])
    assert ran.err == "1 file checked: 12 errors\n"
    assert len(json.loads(brew_run("check", "--json", "net.prototxt").out)) == 12


def test_weights(folder: Path, brew_run: Run, edited: Any) -> None:
    import brew

    brew.Net("net.prototxt", brew.TEST, seed=1).save("w.caffemodel")
    assert brew_run("check", "w.caffemodel").code == 0
    assert brew_run("check", "--weights", "w.caffemodel", "net.prototxt").code == 0
    edited("net.prototxt", "num_output: 2", "num_output: 3")
    assert "error B140" in brew_run("check", "--weights", "w.caffemodel", "net.prototxt").out


def test_without_files_it_is_a_usage_error(brew_run: Run) -> None:
    assert brew_run("check").code == 2


@pytest.mark.parametrize("solver", ["examples/digits/solver.prototxt", "examples/mnist/lenet_solver.prototxt"])
def test_the_examples_have_no_findings(solver: str, brew_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ran = brew_run("check", "--no-data", "--strict", solver)
    assert (ran.code, ran.out) == (0, "")
