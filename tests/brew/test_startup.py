"""What `import brew`, its face and the first iteration load and cost. Times are the fastest of alternating rounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 0.15  # seconds above NumPy's own import
QUIET = 0.07  # seconds that NumPy's import takes on a quiet machine, where the budget is what it says
FACE = "from brew import Net, Blob, Layer, get_solver"
HEAVY = {
    "cupy", "h5py", "lmdb", "plyvel", "PIL", "rich", "tensorboardX", "safetensors", "yaml", "click", "ml_dtypes",
    "threadpoolctl", "importlib.metadata", "importlib.resources", "email", "numpy.random", "urllib.request",
}  # fmt: skip
NET = """
name: "small"
layer { name: "x" type: "DummyData" top: "x" top: "t" dummy_data_param { shape { dim: 2 dim: 1 dim: 8 dim: 8 } shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param { num_output: 3 kernel_size: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
"""


def run(script: str, folder: Path = ROOT, **environment: str) -> str:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder, env={**os.environ, "PYTHONPATH": path, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


def loaded(script: str, folder: Path = ROOT) -> set[str]:
    return set(json.loads(run(f"{script}\nimport sys, json; print(json.dumps(sorted(sys.modules)))", folder)))


def test_brew_alone_loads_nothing_but_itself() -> None:
    names = loaded("import brew")
    assert {name for name in names if name.startswith("brew")} == {"brew"}
    assert not names & {"numpy", "google.protobuf", *HEAVY}


def test_its_face_loads_what_nets_need_and_no_layer() -> None:
    names = loaded(FACE)
    assert {"numpy", "brew.net.net", "brew.solver.solver"} <= names
    assert not names & HEAVY
    assert not {name for name in names if name.startswith(("brew.layers.", "brew.solvers.", "brew.tools."))}


@pytest.mark.parametrize("statement", ["import brew", FACE])
def test_importing_stays_within_its_budget(statement: str, tmp_path: Path) -> None:
    """Each round imports NumPy and then Brew in a new process, so that both see the same machine."""
    script = f"""
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
{statement}
print(middle - start, time.perf_counter() - middle)
"""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}  # as installed packages are
    run(script, **compiled)
    rounds: list[list[float]] = []
    for _ in range(20):  # one quiet moment is enough
        rounds.append([float(word) for word in run(script, **compiled).split()])
        numpy, brew = (min(times) for times in zip(*rounds, strict=True))
        slowness = max(1.0, numpy / QUIET)
        if brew < BUDGET * slowness:
            return
    pytest.fail(f"{brew:.3f} s above NumPy's {numpy:.3f} s")


def test_a_first_iteration_loads_the_layers_it_names_and_little_else(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "s"'
    )
    names = loaded("import brew; brew.get_solver('solver.prototxt', device='cpu').step(1)", tmp_path)
    public = {name.split(".")[2] for name in names if name.startswith("brew.layers.")}
    kinds = {"dummy_data", "convolution", "inner_product", "softmax_with_loss"}
    assert {name for name in public if not name.startswith("_")} - {"onednn"} == kinds
    of_llvmlite = {"importlib.resources"}  # which makes code for convolutions that oneDNN has none for
    assert not names & (HEAVY - of_llvmlite - {"importlib.metadata", "email", "numpy.random"})


def test_training_on_the_cpu_by_order_loads_no_cupy_and_no_console(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "s" solver_mode: CPU'
    )
    script = (
        "from brew.tools.cli import main\ntry: main(['train', '--solver', 'solver.prototxt'])\nexcept SystemExit: pass"
    )
    names = loaded(script, tmp_path)
    assert "brew.solver.solver" in names
    assert not names & {"cupy", "rich", "h5py", "lmdb", "PIL", "tensorboardX", "safetensors"}


def test_dir_lists_what_is_public_and_each_of_it_is_there():
    import brew

    assert dir(brew) == sorted(brew.__all__)
    assert all(hasattr(brew, name) for name in dir(brew))
    assert not {"Any", "Path", "importlib", "annotations"} & set(dir(brew))
