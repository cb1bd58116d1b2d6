"""state() and restore(state): what a Python layer keeps on itself is part of exact resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.errors import NetError
from brew.files.weights.caffemodel import read_solver_state
from brew.layers._python_state import packed, unpacked
from brew.python_layer import PythonLayer
from brew.solver.solver import Solver

MODULE = __name__

# A data layer with an order of its own, and a top that depends on all batches so far; it dies when it is told to.
LAYER = """
import os, signal
import numpy as np
import brew.python_layer

class Walk(brew.python_layer.PythonLayer):
    def setup(self, bottom, top):
        self.random, self.sum, self.batches = np.random.default_rng(7), np.zeros(3, np.float32), 0
        top[0].reshape(4, 3)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        if self.batches == int(os.environ.get("DIES_AT", -1)):
            os.kill(os.getpid(), signal.SIGKILL)
        x = self.random.standard_normal((4, 3)).astype(np.float32)
        self.sum += x.mean(0)
        top[0].data[...] = x + self.sum
        self.batches += 1

    def state(self):
        return {"random": self.random.bit_generator.state, "sum": self.sum, "batches": self.batches}

    def restore(self, state):
        self.random.bit_generator.state = state["random"]
        self.sum, self.batches = state["sum"], state["batches"]
"""
NET = """
layer { name: "walk" type: "Python" top: "x" python_param { module: "%s" layer: "%s" } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 reduction_param { operation: SUMSQ } }
"""
SOLVER = """net: "net.prototxt" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 7 random_seed: 3
snapshot: 2 snapshot_prefix: "%s" snapshot_format: %s
"""


def folder(tmp_path: Path, prefix: str, snapshot_format: str = "BINARYPROTO") -> Path:
    (tmp_path / "walk_layer.py").write_text(LAYER)
    (tmp_path / "net.prototxt").write_text(NET % ("walk_layer", "Walk"))
    (tmp_path / f"{prefix}.prototxt").write_text(SOLVER % (prefix, snapshot_format))
    return tmp_path


def train(where: Path, prefix: str, *options: str, **environment: str) -> int:
    command = [sys.executable, "-m", "brew", "train", f"{prefix}.prototxt", *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize(("snapshot_format", "ending"), [("BINARYPROTO", ""), ("HDF5", ".h5")])
def test_killed_and_resumed_it_ends_where_an_undisturbed_one_does(tmp_path, snapshot_format, ending):
    where = folder(tmp_path, "whole", snapshot_format)
    folder(tmp_path, "killed", snapshot_format)
    assert train(where, "whole") == 0
    assert train(where, "killed", DIES_AT="5") == -signal.SIGKILL
    assert not (where / f"killed_iter_7.caffemodel{ending}").exists()
    assert train(where, "killed", "--resume") == 0
    whole, resumed = (brew.Net(where / "net.prototxt", brew.TRAIN, weights=where / f"{p}_iter_7.caffemodel{ending}")
                      for p in ("whole", "killed"))  # fmt: skip
    for one, other in zip(whole.params["ip"], resumed.params["ip"], strict=True):
        assert np.array_equal(one.data, other.data)
        assert one.data.any()


def test_it_stands_in_a_field_of_ours_beside_caffe_s(tmp_path, monkeypatch):
    monkeypatch.chdir(folder(tmp_path, "run"))
    made = brew.get_solver("run.prototxt")
    made.step(2)
    stored = read_solver_state(made.snapshot().state)
    assert stored.iter == 2
    assert stored.resume is not None
    names = {(c.layer, c.name): c for c in stored.resume.carried}
    assert json.loads(names["walk", "state"].data)["batches"] == 2
    assert names["walk", "state 0"].dtype == "<f4"


def test_values_come_back_as_they_were():
    state = {
        "at": 3, "rate": 0.1, "none": None, "names": ["a", {"b": True}], "order": np.arange(3)[::-1],
        "mask": np.array([[True, False]]), "number": np.float32(0.1), "deep": {"x": [np.zeros((0, 2), np.float32)]},
    }  # fmt: skip
    found = unpacked(packed(state))
    assert found["at"] == 3
    assert found["rate"] == 0.1
    assert found["names"] == ["a", {"b": True}]
    assert found["order"].tolist() == [2, 1, 0]
    assert found["mask"].dtype == np.bool_
    assert found["number"] == np.float32(0.1)
    assert found["deep"]["x"][0].shape == (0, 2)
    assert found["order"].flags.writeable
    assert unpacked(packed([(1, 2)])) == [[1, 2]]


class Odd(PythonLayer):
    """Its state cannot be stored."""

    def reshape(self, bottom, top):
        top[0].reshape(4, 3)

    def forward(self, bottom, top):
        pass

    def state(self):
        return {"handle": object()}

    def restore(self, state):
        raise AssertionError


class Forgetful(Odd):
    """It cannot take back what it stored."""

    def state(self):
        return [1]

    def restore(self, state):
        raise ValueError(f"what is {state}?")


def solver(tmp_path: Path, cls: str) -> Solver:
    (tmp_path / "net.prototxt").write_text(NET % (MODULE, cls))
    (tmp_path / "s.prototxt").write_text((SOLVER % (tmp_path / "s", "BINARYPROTO")).replace("net.", f"{tmp_path}/net."))
    return brew.get_solver(tmp_path / "s.prototxt")


def test_what_cannot_be_stored(tmp_path):
    made = solver(tmp_path, "Odd")
    with pytest.raises(NetError, match=r'layer "walk" .*: Odd.state returned what a snapshot cannot hold: object;'):
        made.snapshot()


def test_an_error_in_restore_comes_as_it_is(tmp_path):
    made = solver(tmp_path, "Forgetful")
    files = made.snapshot()
    with pytest.raises(ValueError, match=r"what is \[1\]\?") as caught:
        made.restore(files.state)
    assert "Forgetful.restore raised ValueError" in caught.value.__notes__[0]


def test_a_snapshot_without_state_of_the_layer(tmp_path, caplog):
    made = solver(tmp_path, "Forgetful")
    made.net.layers[0].has_own_state = False
    files = made.snapshot()
    solver(tmp_path, "Forgetful").restore(files.state)
    assert "the solver state holds no state of layer walk: it begins anew" in caplog.messages
