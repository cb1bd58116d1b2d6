"""BVLC Caffe's own figures for every layer of the catalogue (tests/fixtures/conformance/README.md), on every engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brew.cpu.native import cost
from brew.net.net import Net

CASES = Path(__file__).parents[1] / "fixtures" / "conformance" / "layers"
NAMES = sorted(str(p.relative_to(CASES).with_suffix("")) for p in CASES.glob("*/*.prototxt"))
EXPECTED = {
    "AbsVal": 1, "Accuracy": 9, "ArgMax": 8, "BNLL": 1, "BatchNorm": 9, "BatchReindex": 1, "Bias": 7, "Clip": 1,
    "Concat": 9, "ContrastiveLoss": 3, "Convolution": 22, "Crop": 6, "Deconvolution": 7, "Dropout": 1, "ELU": 3,
    "Eltwise": 7, "Embed": 2, "EuclideanLoss": 2, "Exp": 5, "Filter": 1, "Flatten": 5, "HingeLoss": 2, "Im2col":
    2, "InfogainLoss": 5, "InnerProduct": 8, "LRN": 10, "LSTM": 3, "Log": 5, "MVN": 5, "MultinomialLogisticLoss":
    1, "Net": 7, "PReLU": 4, "Pooling": 26, "Power": 10, "RNN": 3, "ReLU": 5, "Reduction": 16, "Reshape": 7,
    "SPP": 6, "Scale": 10, "Sigmoid": 3, "SigmoidCrossEntropyLoss": 7, "Silence": 1, "Slice": 5, "Softmax": 5,
    "SoftmaxWithLoss": 11, "Split": 1, "Swish": 2, "TanH": 3, "Threshold": 1, "Tile": 5,
}  # fmt: skip


def test_every_case_is_collected():
    assert len(NAMES) == sum(EXPECTED.values()) == 289
    assert {t: sum(n.startswith(f"{t}/") for n in NAMES) for t in EXPECTED} == EXPECTED


def _same(got: np.ndarray, want: np.ndarray, what: str) -> None:
    """The README's bound; a non-finite entry of the reference must be non-finite here."""
    assert got.shape == want.shape, what
    finite = np.isfinite(want)
    assert not np.isfinite(got[~finite]).any(), what
    difference = np.abs(got[finite] - want[finite]).max(initial=0.0)
    assert difference <= 1e-4 * max(1.0, np.abs(want[finite]).max(initial=0.0)), f"{what}: {difference}"


ENGINES = [
    pytest.param("cpu", "caffe", False, id="cpu"),
    pytest.param("cpu", "onednn", True, id="onednn", marks=pytest.mark.onednn),
    pytest.param("cpu", "onednn", False, id="onednn-unfused", marks=pytest.mark.onednn),
    pytest.param("cuda", "caffe", False, id="cuda"),
]


@pytest.mark.parametrize(("device", "engine", "fuse"), ENGINES, indirect=["device"])
@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, device: str, engine: str, fuse: bool):
    check(name, device, engine, fuse)


@pytest.mark.onednn
@pytest.mark.native
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("Convolution/", "Net/"))])
def test_case_by_winograd(name: str, monkeypatch: pytest.MonkeyPatch):
    """Wherever Winograd's algorithm can do it at all, it does."""
    monkeypatch.setattr(cost, "_MARGIN", float("inf"))
    check(name, "cpu", "onednn", True)


def check(name: str, device: str, engine: str, fuse: bool) -> None:
    with np.load(CASES / f"{name}.npz") as file:
        stored = dict(file)
    by_kind: dict[str, dict[str, np.ndarray]] = {}
    for key in stored:
        kind, _, rest = key.partition("/")
        by_kind.setdefault(kind, {})[rest] = stored[key]
    phase = ["TRAIN", "TEST"].index(str(stored["phase"]))
    net = Net(CASES / f"{name}.prototxt", phase, device=device, seed=1, engine=engine, fuse=fuse)
    for key, values in by_kind.get("param", {}).items():
        layer, _, index = key.rpartition("/")
        net.params[layer][int(index)].data[...] = values
    for _ in range(int(stored["repeat"])):
        for blob, values in by_kind.get("in", {}).items():
            net.blobs[blob].data[...] = values
        net.forward()
    for blob, values in by_kind.get("top", {}).items():
        _same(net.blobs[blob].data, values, f"top {blob}")
    for key, values in by_kind.get("param_after", {}).items():
        layer, _, index = key.rpartition("/")
        _same(net.params[layer][int(index)].data, values, f"parameter {key}")
    if not {"indiff", "paramdiff"} & set(by_kind):
        return
    net.clear_param_diffs()
    for blob, values in by_kind.get("topdiff", {}).items():
        net.blobs[blob].diff[...] = values
    net.backward()
    for blob, values in by_kind.get("indiff", {}).items():
        _same(net.blobs[blob].diff, values, f"gradient of {blob}")
    for key, values in by_kind.get("paramdiff", {}).items():
        layer, _, index = key.rpartition("/")
        _same(net.params[layer][int(index)].diff, values, f"gradient of parameter {key}")
