"""A format of weights is one entry of FORMATS: nets are saved in it and loaded from it, and `brew diff` knows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.checks.weights import weights_findings
from brew.errors import WeightsError
from brew.files.weights import reading
from brew.files.weights.stored import LayerBlobs, StoredBlob, Values
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.tools.cli import main

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "msra" } } }
"""


def is_npz(path: str | Path) -> bool:
    return Path(path).read_bytes()[:4] == b"PK\x03\x04"


def read(path: str | Path) -> list[LayerBlobs]:
    found: dict[str, dict[int, StoredBlob]] = {}
    with np.load(path) as file:
        for name, values in file.items():
            layer, _, index = name.rpartition("|")
            found.setdefault(layer, {})[int(index)] = StoredBlob(values.shape, False, values.reshape(-1))
    return [LayerBlobs(layer, "", list(blobs.values()), list(blobs)) for layer, blobs in found.items()]


def write(path: Path, layers: Values, gradients: Values | None, net: str) -> None:
    with path.open("wb") as file:
        np.savez(file, **{f"{layer}|{index}": values for layer, blobs in layers for index, values in blobs})


@pytest.fixture(autouse=True)
def npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = reading.Format("npz files", (".npz",), is_npz, is_npz, read, write, gradients=False)
    monkeypatch.setattr(reading, "FORMATS", (*reading.FORMATS, made))


def net(seed: int) -> Net:
    return Net(prototxt.parse(NET, NetParameter), brew.TEST, seed=seed)


def test_what_is_saved_is_loaded() -> None:
    saved, loaded = net(1), net(2)
    saved.save("a.npz")
    assert is_npz("a.npz") and list(weights_findings("a.npz")) == []
    loaded.copy_from("a.npz")
    for a, b in zip(saved.params["fc"], loaded.params["fc"], strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    saved.save("a.npz")  # weights may be replaced by weights
    with pytest.raises(WeightsError, match="npz files hold no gradients"):
        saved.save("a.npz", diff=True)


@pytest.mark.parametrize(("seed", "code"), [(1, 0), (2, 1)])
def test_two_files_are_compared(seed: int, code: int) -> None:
    net(1).save("a.npz")
    net(seed).save("b.npz")
    with pytest.raises(SystemExit) as done:
        main(["diff", "a.npz", "b.npz"])
    assert done.value.code == code
