"""Random nets in memory where every large block ends at a page that nobody may touch (guard.c, preloaded).

Reading or writing behind a block, and touching a freed one, ends the process there and then, with Python's traceback;
fresh memory holds NaN. In a process of one's own:

    cc -O1 -shared -fPIC tests/guard/guard.c -o guard.so -ldl
    LD_PRELOAD=./guard.so GUARD_FILL=1 python -X faulthandler ...
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS, ROOT = HERE.parent, HERE.parents[1]
PRELUDE = "import ctypes, numpy as np\nblock = np.empty(5000, np.float32)\nplace = block.ctypes.data\n"


def compiler() -> list[str] | None:
    """The system's C compiler, else the one in the ziglang wheel."""
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = compiler()
    if command is None:
        pytest.skip("the allocator is C, and there is no C compiler: no cc, gcc, clang, ziglang")
    target = tmp_path_factory.mktemp("guard") / "guard.so"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    subprocess.run([*command, *flags, str(HERE / "guard.c"), "-o", str(target), "-ldl"], check=True)
    return target


def run(code: str, library: Path | None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Code in a process of its own, on one thread, with the allocator where one is given."""
    own = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(TESTS), *sys.path]), "OMP_NUM_THREADS": "1", **environment}
    if library is not None:
        own["LD_PRELOAD"] = str(library)
    command = [sys.executable, "-X", "faulthandler", "-c", code]
    return subprocess.run(command, env=os.environ | own, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("fault", "ends", "says"),
    [
        ("ctypes.memset(place + block.nbytes, 0, 1)", signal.SIGSEGV, "Segmentation fault"),
        ("ctypes.string_at(place + block.nbytes, 1)", signal.SIGSEGV, "Segmentation fault"),
        ("del block; ctypes.string_at(place, 1)", signal.SIGSEGV, "Segmentation fault"),
        ("odd = np.empty(5001, np.uint8); ctypes.memset(odd.ctypes.data + 5001, 0, 1); del odd", signal.SIGABRT, "behind a block"),
        ("ctypes.memset(place - 1, 0, 1); del block", signal.SIGABRT, "before a block"),
    ],
    ids=["written behind", "read behind", "read when freed", "written into the rest", "written before"],
)  # fmt: skip
def test_a_planted_fault_ends_the_process(fault: str, ends: signal.Signals, says: str, library: Path) -> None:
    done = run(PRELUDE + fault, library)
    assert done.returncode == -ends, done.stderr
    assert says in done.stderr


def test_what_is_right_runs(library: Path) -> None:
    done = run(
        PRELUDE + "block[:] = 1; block.resize(9000); assert block[:5000].all() and not block[5000:].any()", library
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_fresh_memory_is_nan_on_request(library: Path) -> None:
    code = PRELUDE + "print(np.isnan(block).all(), np.isnan(np.empty(200)).all(), np.zeros(5000).any())"
    assert run(code, library, GUARD_FILL="1").stdout.split() == ["True", "True", "False"]


NET = """
import numpy as np
from brew import prototxt
from brew.cpu.llvm.slots import Slots
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

table = Slots.table
if {planted}:  # code of our own goes over one row too many
    Slots.table = lambda self, values: table(self, {{n: v + (n in ("rows", "of_band")) for n, v in values.items()}})
net = Net(prototxt.parse('''
    layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 64 dim: 20 dim: 20 }} }} }}
    layer {{ name: "dw" type: "Convolution" bottom: "data" top: "dw"
        convolution_param {{ num_output: 64 group: 64 kernel_size: 3 pad: 1 }} }}
''', NetParameter), phase=1)
net.forward()
print("ran")
"""


@pytest.mark.native
@pytest.mark.onednn
def test_machine_code_of_our_own_that_reaches_too_far_is_found(library: Path) -> None:
    assert run(NET.format(planted=False), library).stdout == "ran\n"
    done = run(NET.format(planted=True), library)
    assert done.returncode == -signal.SIGSEGV
    assert "in forward" in done.stderr  # Python's traceback leads there


PIXELS = """
import numpy as np
from brew.cpu.pixels import calls, colours, resampling
from brew.data.augment import affine, blur, view

def scratch(purpose, size):  # not a byte more than is asked for
    return np.empty(size - {short}, np.uint8) if purpose == "colours" else np.empty(size, np.uint8)

for module in (colours, resampling, affine, blur, view):
    module.scratch = scratch
draw, fill = np.random.default_rng(0), np.zeros(3, np.uint8)

def paint(pixels, place):
    colours.coloured(pixels, [colours.Turned(1.0, 1.2), colours.Scaled((1.0,) * 3, (3.0,) * 3)], place, (2, 1, 0))

for number in range(300):
    rows, columns, height, width, tall, wide = draw.integers(1, 90, 6).tolist()
    image = draw.integers(0, 256, (rows, columns, 3), np.uint8).transpose(2, 0, 1)
    image = image if number % 2 else np.ascontiguousarray(image)
    top, left = int(draw.integers(-30, rows)), int(draw.integers(-30, columns))
    window = top, left, top + tall, left + wide
    seen = view.View(window, (height, width), (0, 0, height, width), number % 6, mirrored=bool(number % 3))
    view.seen(image, seen, fill, paint)
    mapping = affine.about_the_middle(rows, columns, turn=draw.uniform(-3, 3), scale=draw.uniform(0.3, 2), move=(9, -30))
    affine.mapped(image, mapping, fill, number % 3 + 1, paint)
    blur.blurred(image, draw.uniform(0.1, 5))
print("all seen")
"""


@pytest.mark.native
def test_augmentation_touches_its_own_memory_alone(library: Path) -> None:
    done = run(PIXELS.format(short=0), library, GUARD_LEAST="64")
    assert (done.stdout, done.returncode) == ("all seen\n", 0), done.stderr
    assert run(PIXELS.format(short=64), library, GUARD_LEAST="64").returncode == -signal.SIGSEGV


RANDOM = """
from differential import many
for number, found, _ in many.checked({seed}, range({count}), more=1, length=7, jobs=1):
    for failure in found.failures:
        print(number, failure)
print("all ran")
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fill", ["", "1"], ids=["as it comes", "NaN"])
def test_random_nets_touch_their_own_memory_alone(fill: str, library: Path) -> None:
    done = run(RANDOM.format(seed=1701 + bool(fill), count=100), library, **({"GUARD_FILL": fill} if fill else {}))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all ran\n"
