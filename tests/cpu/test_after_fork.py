"""Nets in children made by fork, as multiprocessing makes them by default up to Python 3.13: they work, and hang never.

Each case is a program of its own: what forks here must not have pytest's threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LMDB = ROOT / "tests/fixtures/conformance/data/raw_lmdb"

BEGIN = """
import multiprocessing, os, signal, sys
import numpy as np
from brew import Net
from brew.cpu import threads
from brew.proto.brew_pb2 import NetParameter, SolverParameter
from brew.prototxt import parse
from brew.solver import Solver

threads.use(2)
TEXT = '''force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 16 dim: 12 dim: 12 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 16 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "r" }
layer { name: "p" type: "Pooling" bottom: "r" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "p" top: "ip" inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }'''
X = np.random.default_rng(0).standard_normal((2, 16, 12, 12)).astype("f")

def round_trip(net):
    top = net.forward(x=X)["ip"].copy()
    net.blobs["ip"].diff[...] = 1
    return top, net.backward()["x"].copy()

def in_child(work):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status

def equal(a, b):
    assert all(np.array_equal(x, y) for x, y in zip(a, b))
"""
NETS = """
net = Net(parse(TEXT, NetParameter), 0)
before = round_trip(net)
"""
SOLVER = f"""
source = {str(LMDB)!r}
text = f'''net_param {{{{ layer {{{{ name: "d" type: "Data" top: "x" top: "t" data_param {{{{ source: "{{source}}" batch_size: 4 }}}} }}}}
  layer {{{{ name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {{{{ num_output: 8 kernel_size: 3 weight_filler {{{{ type: "xavier" }}}} }}}} }}}}
  layer {{{{ name: "ip" type: "InnerProduct" bottom: "c" top: "y" inner_product_param {{{{ num_output: 2 weight_filler {{{{ type: "xavier" }}}} }}}} }}}}
  layer {{{{ name: "l" type: "SoftmaxWithLoss" bottom: "y" bottom: "t" top: "l" }}}} }}}}
  base_lr: 0.001 momentum: 0.9 lr_policy: "fixed" max_iter: 9 snapshot_prefix: "s" random_seed: 3'''
def trained(solver, steps):
    solver.step(steps)
    return [solver.net.params["ip"][0].data.copy()]
whole = trained(Solver(parse(text, SolverParameter)), 6)
solver = Solver(parse(text, SolverParameter))
solver.step(2)
"""
CASES = {
    "a net of the parent's": NETS + "in_child(lambda: equal(round_trip(net), before)); equal(round_trip(net), before)",
    "a net made there": NETS + """
def work():
    other = Net(parse(TEXT, NetParameter), 0)
    for name in net.params:
        for mine, theirs in zip(other.params[name], net.params[name]):
            mine.data = theirs.data
    equal(round_trip(other), before)
in_child(work)""",
    "a grandchild": NETS + "in_child(lambda: (equal(round_trip(net), before), in_child(lambda: equal(round_trip(net), before))))",
    "a grandchild alone": NETS + "in_child(lambda: in_child(lambda: equal(round_trip(net), before)))",
    "another thread there": NETS + """
def work():
    from threading import Thread
    ran = []
    beside = Thread(target=lambda: ran.append(round_trip(net)))
    beside.start(); beside.join()
    equal(ran[0], before); equal(round_trip(net), before)
in_child(work)""",
    "a pool": NETS + """
def ran(number):
    signal.alarm(60)
    return round_trip(net)
with multiprocessing.get_context("fork").Pool(2) as pool:
    for found in pool.map(ran, range(6)):
        equal(found, before)""",
    "a training goes on in both": SOLVER + "in_child(lambda: equal(trained(solver, 4), whole)); equal(trained(solver, 4), whole)",
    "a training begins there": SOLVER + "in_child(lambda: equal(trained(Solver(parse(text, SolverParameter)), 6), whole))",
    "a training is closed there": SOLVER + "in_child(solver.close); equal(trained(solver, 4), whole)",
    "forked while a thread reads": f"""
import pathlib, threading
from brew.data.databases.opening import open_database
path = pathlib.Path({str(LMDB)!r})
database, ended = open_database(path), threading.Event()
def read():
    while not ended.is_set():
        for record in database.scan(0):
            pass
thread = threading.Thread(target=read, daemon=True)
thread.start()
for _ in range(40):
    in_child(lambda: list(open_database(path).scan(0)))
ended.set()
thread.join()
""",
    "forked before any net": "in_child(lambda: round_trip(Net(parse(TEXT, NetParameter), 0)))",
}  # fmt: skip


@pytest.mark.parametrize("engine", ["onednn", "numpy"])
@pytest.mark.parametrize("case", CASES)
def test_a_child_made_by_fork(case: str, engine: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"BREW_ONEDNN": "off"} if engine == "numpy" else {})
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + CASES[case]],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
