"""Machine code that nobody holds any more is freed, and none that anybody may still call."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from native_blobs import blocked, flat, run

from brew import prototxt
from brew.cpu import threads
from brew.cpu.llvm import compiler, team
from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.writer import Writer
from brew.cpu.native.blocked import Blocked
from brew.cpu.native.depthwise import Depthwise
from brew.cpu.native.grouped import Multiplied, Summed
from brew.cpu.native.grouped_plan import Filters
from brew.cpu.native.winograd import Convolution, Overlapped
from brew.cpu.native.winograd_gradient import Gradient
from brew.layer import TRAIN
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

pytestmark = pytest.mark.native
ROOT = Path(__file__).resolve().parents[2]
Call = Callable[[], None]
Made = list[weakref.ref[compiler.Function]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Every function that the test makes; none stays that is not held."""
    found: Made = []
    make = compiler._make

    def noted(name: str, text: Callable[[], str]) -> compiler.Function:
        function = make(name, text)
        found.append(weakref.ref(function))
        return function

    monkeypatch.setattr(compiler, "_made", compiler.Made(0))
    monkeypatch.setattr(compiler, "_make", noted)
    return found


def mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def resident() -> int:
    """KiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


def multiplied_by(number: int, w: Writer) -> None:
    address, count = w.function(2)
    with w.loop(0, count) as i:
        w.store(address + i * w.bytes, w.load(address + i * w.bytes) * float(number))


def function(number: int) -> compiler.Function:
    return compiler.function(f"test: by {number}", partial(multiplied_by, number))


def check(of: compiler.Function, number: int) -> None:
    values = np.arange(compiler.target().width, dtype=np.float32)
    ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(of.address)(values.ctypes.data, 1)
    assert values.tolist() == [number * i for i in range(len(values))]


def test_what_is_held_and_the_latest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    made = compiler.Made(3)
    monkeypatch.setattr(compiler, "_made", made)
    held = function(0)
    for number in range(1, 9):
        check(function(number), number)
    assert len(made) == 4
    check(held, 0)
    monkeypatch.setattr(compiler, "_make", lambda *_: pytest.fail("it is in memory"))
    assert function(0) is held
    for _ in range(3):
        check(function(7), 7)
        check(function(8), 8)


def test_new_functions_without_end_take_no_more_mappings(made: Made) -> None:
    before = 0
    for number in range(60):
        check(function(number), number)
        before = before or mappings()
    assert mappings() <= before + 6  # each takes three


# --- what calls a function holds it -----------------------------------------------------------------------------------

SOURCE, TARGET = Blocked(2, 20, 9, 10), Blocked(2, 32, 9, 10)
LARGE, TURNED = np.ones((32, 20, 3, 3), np.float32), np.ones((20, 32, 3, 3), np.float32)


def array(blob: Blocked) -> np.ndarray:
    return blocked(np.ones((blob.images, blob.channels, blob.height, blob.width), np.float32))


def convolved(it: Convolution, filters: np.ndarray, source: Blocked, target: Blocked) -> list[Call]:
    transformed = flat(it.filters.size)
    return [
        *it.transform(filters, transformed),
        *it.bind(array(source), array(target), transformed, flat(it.scratch)),
    ]


def winograd() -> list[Call]:
    it = Convolution(SOURCE, TARGET, 3, (1, 1), threads.wanted(), derived=True)
    return convolved(it, LARGE, SOURCE, TARGET)


def overlapped() -> list[Call]:
    it = Overlapped(TARGET, SOURCE, 3, (1, 1), threads.wanted(), derived=True)
    return convolved(it, LARGE, TARGET, SOURCE)


def gradient() -> list[Call]:
    it = Gradient(SOURCE, TARGET, 3, (1, 1))
    return it.bind(array(SOURCE), array(TARGET), LARGE.copy(), flat(it.scratch), np.zeros(32, np.float32))


def grouped() -> list[Call]:
    of = Filters(SOURCE, TARGET, 4, (3, 3), pad=(1, 1))
    way, filters = Multiplied(of, threads.wanted()), np.ones((32, 5, 3, 3), np.float32)
    packed = flat(way.filters)
    summed = Summed(of, threads.wanted())
    return [
        *way.transform(filters, packed),
        *way.bind(array(SOURCE), array(TARGET), packed, flat(way.scratch)),
        *summed.bind(array(SOURCE), array(TARGET), filters, flat(summed.scratch)),
    ]


def depthwise() -> list[Call]:
    it, filters = Depthwise(SOURCE, SOURCE, 1, (1, 1)), np.ones((20, 1, 3, 3), np.float32)
    x, y = array(SOURCE), array(SOURCE)
    return [
        *it.forward(x, y, filters),
        *it.backward(x, y, filters, flat(it.scratch), array(SOURCE), filters.copy()),
    ]


@pytest.mark.parametrize("openmp", [True, False], ids=["OpenMP", "workers"])
@pytest.mark.parametrize("bind", [winograd, overlapped, gradient, grouped, depthwise])
def test_no_address_outlives_its_code(
    bind: Callable[[], list[Call]], openmp: bool, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not openmp:
        monkeypatch.setattr(team, "_openmp", lambda: None)
    calls = bind()
    gc.collect()
    assert made and all(function() is not None for function in made)
    run(calls)
    del calls
    gc.collect()
    assert not any(function() is not None for function in made)


def test_a_table_keeps_its_functions(made: Made) -> None:
    table = Slots("code", "number").table({"code": function(3), "number": 5})
    (code,) = made
    assert code() is not None and table.tolist() == [code().address, 5]  # type: ignore[union-attr]
    part = table[:1]
    del table
    assert code() is not None
    del part
    assert code() is None


def test_addresses_are_asked_for_where_functions_are_kept() -> None:
    files = (path for room in ("brew/cpu", "brew/net", "layers") for path in (ROOT / room).rglob("*.py"))
    asking = {path.name for path in files if re.search(r"\.address\b", path.read_text())}
    assert asking == {"calls.py", "compiler.py", "slots.py", "team.py"}


# --- nets of ever new sizes -------------------------------------------------------------------------------------------

NET = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: {n} dim: {c} dim: {h} dim: {w} }} }} }}
layer {{ name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param {{ num_output: {k} kernel_h: {a}
         kernel_w: {b} pad: 1 group: {g} weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "bn" type: "BatchNorm" bottom: "c" top: "bn" }}
layer {{ name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param {{ bias_term: true }} }}
layer {{ name: "relu" type: "ReLU" bottom: "bn" top: "bn" }}
layer {{ name: "dw" type: "Convolution" bottom: "bn" top: "dw" convolution_param {{ num_output: {k} kernel_h: {b}
         kernel_w: {a} pad: 2 stride: {s} group: {k} weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "w" type: "Convolution" bottom: "dw" top: "w" convolution_param {{ num_output: 17 kernel_size: 3 pad: 2
         weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "sum" type: "Reduction" bottom: "w" top: "sum" reduction_param {{ operation: SUMSQ }} loss_weight: 0.01 }}
"""


def text(draw: random.Random) -> str:
    """A net whose layers have code of our own, for sizes that hardly come again."""
    sizes = {name: draw.randint(1, 3) for name in "nabs"}
    group = draw.choice((1, 2, 3, 4, 5, 8))
    c, k = (group * draw.randint(1, 6) for _ in "ck")
    return NET.format(**sizes, g=group, c=c, k=k, h=draw.randint(4, 12), w=draw.randint(4, 30))


def made_of(written: str, engine: str = "onednn") -> Net:
    return Net(prototxt.parse(written, NetParameter), phase=TRAIN, seed=3, engine=engine, keep=["data"])


def passed(net: Net, number: int) -> dict[str, np.ndarray]:
    """What a pass over random data gives."""
    data = net.blobs["data"]
    data.data[...] = np.random.default_rng(number).standard_normal(data.shape)
    net.clear_param_diffs()
    net.forward()
    net.backward()
    found = {f"{name} {i}": b.diff.copy() for name, blobs in net.params.items() for i, b in enumerate(blobs)}
    return found | {"sum": net.blobs["sum"].data.copy()}


def right(number: int) -> None:
    """A random net gives what Caffe's engine gives."""
    written = text(random.Random(number))
    found, wanted = (passed(made_of(written, engine), number) for engine in ("onednn", "caffe"))
    for name, value in wanted.items():
        # Sums of what nearly cancels out: by the largest gradient of the net.
        scale = max(abs(v).max() for key, v in wanted.items() if (key == "sum") == (name == "sum"))
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-4 * scale, err_msg=f"{number} {name}")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> compiler.Made:
    """Only four functions stay that no net holds."""
    made = compiler.Made(4)
    monkeypatch.setattr(compiler, "_made", made)
    return made


@pytest.mark.onednn
def test_nets_of_random_sizes_are_right_and_leave_nothing(few: compiler.Made) -> None:
    for number in range(12):
        right(number)
    gc.collect()
    assert len(few) <= 4


@pytest.mark.onednn
def test_on_two_threads(few: compiler.Made) -> None:
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(right, range(100, 112)):
            pass


@pytest.mark.onednn
def test_a_net_that_is_reshaped_back_and_forth_makes_its_code_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    make = compiler._make
    monkeypatch.setattr(compiler, "_made", compiler.Made())
    monkeypatch.setattr(compiler, "_make", lambda name, text: names.append(name) or make(name, text))
    net, loss = made_of(text(random.Random(5))), {}
    shapes = [
        net.blobs["data"].shape,
        tuple(size + 3 for size in net.blobs["data"].shape[:1]) + net.blobs["data"].shape[1:2] + (9, 23),
    ]
    for turn in range(8):
        shape = shapes[turn % 2]
        net.blobs["data"].reshape(*shape)
        net.reshape()
        found = passed(net, 1)["sum"]
        assert loss.setdefault(shape, found) == found
        if turn == 1:
            assert names and len(set(names)) == len(names)
            before = len(names)
    assert len(names) == before


def in_a_process(code: str) -> list[int]:
    """The numbers that code prints in a process of its own, which can import this module."""
    here = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


NETS = """
import test_freed_code as t
t.compiler._made = t.compiler.Made(32)
for number in range(300):
    t.passed(t.made_of(t.text(t.random.Random(number))), number)
    if number == 100:
        t.gc.collect()
        before = t.mappings()
t.gc.collect()  # what waits for the collector still is a matter of chance
print(len(t.compiler._made), t.mappings() - before)
"""


@pytest.mark.slow
@pytest.mark.onednn
@pytest.mark.timeout(1200)
def test_a_process_lives_through_sizes_without_end() -> None:
    """Each net takes about one function, three mappings, that no net before it has had."""
    functions, more = in_a_process(NETS)
    assert functions <= 32
    assert more < 60


FUNCTIONS = """
import test_freed_code as t
t.compiler._made = t.compiler.Made(32)
for number in range(1500):
    t.function(number)
    if number == 500:
        before = t.mappings(), t.resident()
print(t.mappings() - before[0], t.resident() - before[1])
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_making_and_freeing_a_function_leaves_no_memory() -> None:
    """It takes 60 KiB while it lives."""
    more, kib = in_a_process(FUNCTIONS)
    assert more < 20
    assert kib < 2000
