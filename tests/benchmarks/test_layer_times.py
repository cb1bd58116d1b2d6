from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import brew

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("layer_times")


def test_every_type_is_timed(benchmark):
    assert {case.type for case in benchmark.CASES} == set(brew.layer_type_list())


def test_a_layer_has_times_both_ways_and_its_yardstick(benchmark, capsys):
    assert benchmark.main(["--only", "Softmax", "Accuracy", "--seconds", "0", "--json"]) == 0
    accuracy, softmax, _ = json.loads(capsys.readouterr().out)
    assert accuracy["type"] == "Accuracy"
    assert accuracy["backward"] is None
    for timing in (accuracy["forward"], softmax["forward"], softmax["backward"]):
        assert 0 < timing["fastest"] <= timing["median"]
        assert timing["yardstick"] > 0
    assert softmax["worst"] > 0


def test_gemms_are_held_against_each_way(benchmark):
    products = [benchmark.Gemm(2, 3, 4)], [benchmark.Gemm(64, 64, 64, 20)]
    case = benchmark.Case("InnerProduct", fields="inner_product_param { num_output: 4 }", bottoms=[(2, 3)],
                          products=products)  # fmt: skip
    result = benchmark.measure(case, 0)
    assert result.limit == 2.5
    assert result.backward.yardstick > result.forward.yardstick


@pytest.mark.parametrize(("bound", "code", "verdict"), [("", 1, "OVER"), ("some reason", 0, "over: some reason")])
def test_check_fails_where_nothing_explains_a_miss(benchmark, monkeypatch, capsys, bound, code, verdict):
    case = benchmark.Case("TanH", bottoms=[(100, 1000)], limit=0.001, bound=bound)
    monkeypatch.setattr(benchmark, "CASES", [case])
    assert benchmark.main(["--seconds", "0"]) == 0
    assert benchmark.main(["--seconds", "0", "--check"]) == code
    assert verdict in capsys.readouterr().out


def test_it_runs_by_itself_without_click_and_rich():
    code = (
        f"import sys; sys.path[:0] = [{str(BENCHMARKS)!r}, {str(BENCHMARKS.parent)!r}]\n"
        "import layer_times; layer_times.main(['--only', 'Input', '--seconds', '0'])\n"
        "assert not {'click', 'rich'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "Input" in run.stdout
