"""`brew show`: the table, what was assumed, solvers, and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
DATA = """
engine: "CAFFE"
name: "d"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "none" batch_size: 8 }
        transform_param { crop_size: 5 force_gray: true } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 100 } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "relu" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_the_table(brew_run: Run, folder: Path):
    (folder / "d.prototxt").write_text(DATA)
    done = brew_run("show", "d.prototxt")
    lines = done.out.splitlines()
    assert done.code == 0 and max(map(len, lines[2:])) <= 80
    assert lines[0] == "d, TRAIN, batch of 8"
    assert lines[1].startswith('assumed: layer "data" brings images of 1 x 5 x 5')
    rows = [line.split() for line in lines]
    assert ["ip", "InnerProduct", "8x100", "2,600", "20.0", "K", "13.3", "KiB"] in rows
    assert ["loss", "SoftmaxWithLoss", "scalar", "4", "B"] in rows
    assert ["total", "2,600", "20.0", "K", "17.2", "KiB"] in rows
    assert "multiply-adds: 2.50 K for one item of the batch" in lines
    assert ["memory", "inference", "training"] in rows
    assert any(row[:3] == ["used", "in", "turns"] for row in rows)
    assert "split" not in done.out and "ip_ip_0_split" in brew_run("show", "d.prototxt", "--all").out


def test_a_solver_shows_its_nets(brew_run: Run, folder: Path):
    train = json.loads(brew_run("show", "solver.prototxt", "--json").out)
    assert train["phase"] == "TRAIN" and train["learned"] == 14
    assert train["training_bytes"]["history"] == 14 * 4
    assert sum(train["training_bytes"].values()) == 2 * train["training_bytes"]["total"]
    test = json.loads(brew_run("show", "solver.prototxt", "--phase", "test", "--json").out)
    assert test["phase"] == "TEST" and test["training_bytes"] is None
    (folder / "solver.prototxt").write_text((folder / "solver.prototxt").read_text() + 'type: "Adam"')
    adam = json.loads(brew_run("show", "solver.prototxt", "--json").out)
    assert adam["training_bytes"]["history"] == 2 * 14 * 4


def test_shapes_and_batch(brew_run: Run, folder: Path):
    (folder / "d.prototxt").write_text(DATA)
    given = json.loads(brew_run("show", "d.prototxt", "--shape", "data=1,3,7,7", "--json").out)
    assert given["layers"][0]["tops"] == {"data": [1, 3, 7, 7], "label": [1]} and given["assumed"] == []
    given = json.loads(brew_run("show", "d.prototxt", "--batch", "3", "--json").out)
    assert given["batch"] == 3 and given["layers"][0]["tops"]["data"] == [3, 1, 5, 5]


def test_what_is_neither_net_nor_solver(brew_run: Run, folder: Path):
    (folder / "bad").write_text('base_lr: 0.1\nlr_polcy: "fixed"\n')
    solver = brew_run("show", "bad")
    assert solver.code == 3 and 'SolverParameter has no field "lr_polcy"' in solver.err
    (folder / "bad").write_text('name: "n"\nlayer { nam: "a" }\n')
    net = brew_run("show", "bad")
    assert net.code == 3 and 'LayerParameter has no field "nam"' in net.err
    assert brew_run("show", "none").code == 3


def test_recomputation_is_predicted(brew_run: Run, folder: Path):
    rows = 'engine: "CAFFE" layer { name: "d" type: "Input" top: "x0" input_param { shape { dim: 256 dim: 100 } } }'
    for i in range(12):
        rows += f'layer {{ name: "ip{i}" type: "InnerProduct" bottom: "x{i}" top: "y{i}" inner_product_param {{ num_output: 100 }} }}'
        rows += f'layer {{ name: "s{i}" type: "Sigmoid" bottom: "y{i}" top: "x{i + 1}" }}'
    (folder / "d.prototxt").write_text(
        rows + 'layer { name: "l" type: "Reduction" bottom: "x12" top: "l" loss_weight: 1 }'
    )
    (folder / "s.prototxt").write_text('net: "d.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1 recompute: true')
    runs = (("d.prototxt",), ("d.prototxt", "--recompute"), ("s.prototxt",))
    plain, *again = (json.loads(brew_run("show", *run, "--json").out)["training_bytes"] for run in runs)
    assert again[0] == again[1] and again[0]["arena"] < 0.7 * plain["arena"]
    doubled = json.loads(brew_run("show", "s.prototxt", "--batch", "512", "--json").out)["training_bytes"]
    ratio = doubled["arena"] / again[0]["arena"]  # the largest batch that fits is told from it
    assert 1.7 < ratio < 2.02
    assert "runs again for backward" in brew_run("show", "s.prototxt", "--plan").out
    assert "runs again for backward" not in brew_run("show", "d.prototxt", "--plan").out


def test_the_plan(brew_run: Run, folder: Path):
    (folder / "d.prototxt").write_text(DATA)
    rows = [line.split() for line in brew_run("show", "d.prototxt", "--plan").out.splitlines()]
    assert rows[0] == ["layer", "type", "runs", "tops", "lie", "and"]
    assert ["relu", "ReLU", "NumPy", "plain"] in rows
    lines = json.loads(brew_run("show", "d.prototxt", "--plan", "--no-fuse", "--json").out)
    assert {line["name"] for line in lines} >= {"data", "ip", "relu", "loss"}
    assert not any(line["together"] for line in lines)


@pytest.mark.onednn
@pytest.mark.native
def test_the_plan_says_which_way_convolutions_go(brew_run: Run, folder: Path):
    convolution = 'type: "Convolution" bottom: "{0}" top: "{1}" convolution_param {{ num_output: 64 kernel_size: {2} }}'
    shape = "shape { dim: 4 dim: 64 dim: 20 dim: 20 }"
    (folder / "c.prototxt").write_text(
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ {shape} }} }}'
        + f'layer {{ name: "a" {convolution.format("x", "a", 3)} }}'
        + 'layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }'
        + f'layer {{ name: "b" {convolution.format("a", "b", 1)} }}'
        + 'layer { name: "loss" type: "Reduction" bottom: "b" top: "loss" loss_weight: 1 }'
    )
    lines = {line["name"]: line for line in json.loads(brew_run("show", "c.prototxt", "--plan", "--json").out)}
    ways = {what: "Winograd by rule" for what in ("forward", "filters")}
    assert lines["a"]["ways"] == ways, "the input wants no gradient"
    assert lines["b"]["ways"] == dict.fromkeys(("forward", "filters", "bottom"), "direct")
    assert lines["relu"]["ways"] == lines["loss"]["ways"] == {}
    rows = {line.split()[0]: line for line in brew_run("show", "c.prototxt", "--plan").out.splitlines()}
    assert "  Winograd by rule" in rows["a"] and rows["b"].endswith("  direct")
    assert "Winograd" not in brew_run("show", "c.prototxt", "--plan", "--engine", "caffe").out
