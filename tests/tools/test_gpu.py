"""`--gpu` on every verb, on a real GPU or on the kernels run on the host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brew.net.net import Net

Run = Callable[..., Any]


@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_the_verbs_run_on_a_gpu(brew_run: Run, folder: Path, device: str) -> None:
    solver = folder / "solver.prototxt"
    brew_run("train", "-solver=solver.prototxt", "--set", "snapshot_prefix=host")
    assert brew_run("train", "-solver=solver.prototxt", "-gpu", "0").code == 0
    solver.write_text(solver.read_text() + "solver_mode: GPU\n")
    wished = brew_run("train", "-solver=solver.prototxt", "--set", "snapshot_prefix=wished")
    assert wished.code == 0
    assert "Using GPUs 0" in wished.err
    on_host, ordered, wish = (
        np.array(Net("net.prototxt", weights=f"{name}_iter_20.caffemodel").params["ip"][0].data)
        for name in ("host", "tiny", "wished")
    )
    np.testing.assert_allclose(ordered, on_host, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(ordered, wish)
    scored = [
        brew_run("test", "-model=net.prototxt", "-weights=tiny_iter_20.caffemodel", "-iterations=2", *gpu).out
        for gpu in ((), ("-gpu", "0"))
    ]
    values = [float(out.splitlines()[0].removeprefix("Loss: ")) for out in scored]
    assert values[0] > 0 < values[1]
    timed = brew_run("time", "-model=net.prototxt", "-iterations=1", "-gpu=0", "--json")
    assert timed.code == 0
    assert json.loads(timed.out.splitlines()[-1])["device"] == "cuda"
    assert brew_run("train", "-solver=solver.prototxt", "-gpu", "99").code == 6
    assert brew_run("devices", "-gpu", "0").out.startswith("GPU 0: ")
