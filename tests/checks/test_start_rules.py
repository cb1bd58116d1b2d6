"""`brew check` and runs on how weights start and what moves them: fillers, frozen layers, bilinear kernels, decay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.checks import files
from brew.checks.states import Options
from brew.solver.solver import Solver

Codes = Callable[..., list[str]]

DATA = """engine: "CAFFE"
layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 4 dim: 3 dim: 8 dim: 8 } shape { dim: 4 } data_filler { type: "gaussian" } data_filler { value: 1 } } }
"""
LOSS = 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "%s" bottom: "y" top: "l" }\n'
RULE = "include { phase: TRAIN }"  # without any rule, a net of layers without fillers is taken for one that loads them
SILENCE = 'layer { name: "s" type: "Silence" bottom: "x" ' + RULE + " }"
XAVIER, ZERO, HALF = 'weight_filler { type: "xavier" }', "", 'weight_filler { type: "constant" value: 0.5 }'
FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"


@pytest.fixture
def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Codes:
    """The codes of the findings of a net, or of a solver with it."""
    monkeypatch.chdir(tmp_path)

    def run(net: str, solver: str = "", **options: object) -> list[str]:
        Path("net.prototxt").write_text(net)
        Path("solver.prototxt").write_text(
            f'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 snapshot_prefix: "s" {solver}'
        )
        found = files.check("solver.prototxt" if solver else "net.prototxt", Options(**options))  # type: ignore[arg-type]
        return [finding.code for finding in found]

    return run


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The codes of what a run has warned of."""

    def run() -> list[str]:
        texts = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        return [text[-5:-1] for text in texts if text.endswith("]")]

    return run


def fc(name: str, below: str, filler: str, more: str = "", n: int = 3) -> str:
    return f"""layer {{ name: "{name}" type: "InnerProduct" bottom: "{below}" top: "{name}" {more}
      inner_product_param {{ num_output: {n} {filler} }} }}\n"""


def conv(name: str, below: str, filler: str, more: str = "", kind: str = "Convolution") -> str:
    return f"""layer {{ name: "{name}" type: "{kind}" bottom: "{below}" top: "{name}" {more}
      convolution_param {{ num_output: 3 kernel_size: 3 {filler} }} }}\n"""


RELU = 'layer { name: "r" type: "ReLU" bottom: "a" top: "a" }\n'
DROP = 'layer { name: "d" type: "Dropout" bottom: "a" top: "a" }\n'
LRN = 'layer { name: "n" type: "LRN" bottom: "a" top: "n" }\n'
ROWS = {
    "zero over zero": (conv("a", "x", ZERO) + fc("b", "a", ZERO), ["B204"]),
    "zero over zero through ReLU": (conv("a", "x", ZERO) + RELU + fc("b", "a", ZERO), ["B204"]),
    "zero over xavier": (conv("a", "x", XAVIER) + RELU + fc("b", "a", ZERO), []),
    "xavier over zero": (conv("a", "x", ZERO) + RELU + fc("b", "a", XAVIER), []),
    "half over half": (conv("a", "x", HALF) + RELU + fc("b", "a", HALF), ["B214"]),
    "zero over half": (conv("a", "x", HALF) + RELU + fc("b", "a", ZERO), ["B214"]),
    "half over zero": (conv("a", "x", ZERO) + RELU + fc("b", "a", HALF), ["B214"]),
    "half over xavier": (conv("a", "x", XAVIER) + RELU + fc("b", "a", HALF), []),
    "half over half with one unit": (fc("a", "x", HALF, n=1) + RELU + fc("b", "a", HALF), []),
    "half over half, biases tell units apart": (
        fc("a", "x", HALF + ' bias_filler { type: "uniform" max: 1 }') + RELU + fc("b", "a", HALF), []),
    "half over half, dropout tells units apart": (conv("a", "x", HALF) + DROP + fc("b", "a", HALF), []),
    "half over half, LRN tells units apart": (conv("a", "x", HALF) + LRN + fc("b", "n", HALF), []),
    "frozen zero": (conv("a", "x", XAVIER) + conv("b", "a", ZERO, FROZEN), ["B217"]),
    "frozen half": (conv("a", "x", XAVIER) + conv("b", "a", HALF, FROZEN), []),
    "frozen zero Deconvolution": (conv("a", "x", XAVIER) + conv("b", "a", ZERO, FROZEN, "Deconvolution"), ["B217"]),
    "frozen zero InnerProduct": (conv("a", "x", XAVIER) + fc("b", "a", ZERO, FROZEN), ["B217"]),
    "frozen Scale": (conv("a", "x", XAVIER) + 'layer { name: "b" type: "Scale" bottom: "a" top: "b" param { lr_mult: 0 } '
                     "scale_param { filler { value: 0 } } }\n", ["B217"]),
    "frozen Scale of 1": (conv("a", "x", XAVIER) + 'layer { name: "b" type: "Scale" bottom: "a" top: "b" '
                          "param { lr_mult: 0 } }\n", []),
    "frozen PReLU of 0": (conv("a", "x", XAVIER) + 'layer { name: "b" type: "PReLU" bottom: "a" top: "b" '
                          "param { lr_mult: 0 } prelu_param { filler { value: 0 } } }\n", []),
}  # fmt: skip
SPATIAL = {
    name for name in ROWS
    if name.startswith("frozen") and "InnerProduct" not in name
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_check_and_a_training_tell_the_same(name: str, codes: Codes, said: Callable[[], list[str]]) -> None:
    layers, expected = ROWS[name]
    end = fc("e", "b", XAVIER) if name in SPATIAL else ""
    net = DATA + layers + end + LOSS % ("e" if end else "b") + SILENCE
    assert codes(net) == expected
    assert codes(net, "momentum: 0.9") == expected
    solver = Solver("solver.prototxt", device="cpu")
    solver.step(1)
    solver.step(1)
    solver.close()
    assert said() == expected


def recurrent(kind: str, filler: str) -> str:
    return f"""layer {{ name: "x" type: "DummyData" top: "x" top: "c" top: "y" dummy_data_param {{
      shape {{ dim: 3 dim: 2 dim: 4 }} shape {{ dim: 3 dim: 2 }} shape {{ dim: 3 dim: 2 }}
      data_filler {{ type: "gaussian" }} data_filler {{ value: 1 }} data_filler {{ value: 1 }} }} }}
    layer {{ name: "r" type: "{kind}" bottom: "x" bottom: "c" top: "r" {RULE}
      recurrent_param {{ num_output: 3 {filler} }} }}
    layer {{ name: "l" type: "SoftmaxWithLoss" bottom: "r" bottom: "y" top: "l" {RULE} softmax_param {{ axis: 2 }} }}"""


@pytest.mark.parametrize(
    ("kind", "filler", "expected"),
    [("RNN", ZERO, ["B204"]), ("RNN", XAVIER, []), ("LSTM", ZERO, []), ("LSTM", XAVIER, [])],
)
def test_recurrent_layers(kind: str, filler: str, expected: list[str], codes: Codes) -> None:
    """An RNN has two layers in itself: with zeros neither gets a gradient; an LSTM's cell does."""
    assert [c for c in codes(recurrent(kind, filler)) if c != "B224"] == expected
    net = brew.Net("net.prototxt", brew.TRAIN)
    net.forward()
    net.backward()
    weights = [blob for blob in net.params["r"] if len(blob.shape) > 1]
    assert any(blob.diff.any() for blob in weights) == (expected == [])


def test_zero_weights_do_not_learn_and_alike_ones_stay_alike(codes: Codes) -> None:
    """What B204 and B214 say is so."""
    for filler in (ZERO, HALF):
        codes(DATA + conv("a", "x", filler) + RELU + fc("b", "a", filler) + LOSS % "b", "momentum: 0.9")
        solver = Solver("solver.prototxt", device="cpu")
        solver.step(5)
        weights = solver.net.params["a"][0].data.reshape(3, -1)
        assert np.allclose(weights, weights[0])
        assert weights.any() == (filler == HALF)
        solver.close()


def test_loaded_layers_are_not_judged(codes: Codes, said: Callable[[], list[str]]) -> None:
    frozen = conv("a", "x", XAVIER) + conv("b", "a", ZERO, FROZEN) + fc("e", "b", XAVIER) + LOSS % "e"
    net = DATA + frozen
    codes(net)
    made = brew.Net("net.prototxt", brew.TRAIN)
    made.params["b"][0].data[...] = 1
    made.save("all.caffemodel")
    assert codes(net, weights=("all.caffemodel",)) == []
    assert codes(net, 'weights: "all.caffemodel"') == []
    solver = Solver("solver.prototxt", device="cpu")
    solver.step(1)
    state = solver.snapshot()
    solver.close()
    assert codes(net, "momentum: 0") == ["B217"]
    resumed = Solver("solver.prototxt", device="cpu")
    resumed.restore(state.state)
    resumed.step(1)
    resumed.close()
    surgery = Solver("solver.prototxt", device="cpu")  # as FCN's solve.py does it
    surgery.net.params["b"][0].data[...] = 1
    surgery.step(1)
    surgery.close()
    assert said() == []


def test_weights_without_the_layer_do_not_help_it(codes: Codes, said: Callable[[], list[str]]) -> None:
    codes(DATA + conv("a", "x", XAVIER))
    brew.Net("net.prototxt", brew.TRAIN).save("some.caffemodel")
    net = DATA + conv("a", "x", XAVIER) + conv("b", "a", ZERO, FROZEN) + fc("e", "b", XAVIER) + LOSS % "e"
    assert codes(net, 'weights: "some.caffemodel"') == ["B217"]
    solver = Solver("solver.prototxt", device="cpu")
    solver.step(1)
    solver.close()
    assert said() == ["B217"]


@pytest.mark.parametrize("net", ["without fillers", "with"])
def test_a_net_without_fillers_and_rules_is_for_fine_tuning(net: str, codes: Codes) -> None:
    text = DATA + conv("a", "x", ZERO) + conv("b", "a", ZERO) + fc("e", "b", XAVIER if net == "with" else ZERO)
    assert codes(text + LOSS % "e") == []


def deconv(channels: int, group: str, kernel: int, stride: int, kind: str = "bilinear") -> str:
    return f"""layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: {channels} dim: 5 dim: 5 }} }} }}
    layer {{ name: "up" type: "Deconvolution" bottom: "x" top: "up" convolution_param {{ num_output: {channels} {group}
      kernel_size: {kernel} stride: {stride} bias_term: false weight_filler {{ type: "{kind}" }} }} }}"""


@pytest.mark.parametrize(
    ("net", "found"),
    [
        (deconv(21, "", 4, 2), 1), (deconv(21, "group: 21", 4, 2), 0), (deconv(21, "group: 7", 4, 2), 1),
        (deconv(1, "", 4, 2), 0), (deconv(4, "", 4, 2, "xavier"), 0), (deconv(4, "", 2, 2), 2), (deconv(4, "", 3, 2), 1),
        *((deconv(3, "group: 3", 2 * stride - stride % 2, stride), 0) for stride in (1, 2, 3, 4, 8, 16, 32)),
        (deconv(3, "group: 3", 6, 3), 0), (deconv(3, "group: 3", 3, 2), 0), (deconv(3, "group: 3", 2, 2), 1),
        (deconv(3, "group: 3", 4, 4), 1), (deconv(3, "group: 3", 16, 4), 1),
    ],
)  # fmt: skip
def test_bilinear_deconvolutions(net: str, found: int, codes: Codes, said: Callable[[], list[str]]) -> None:
    assert codes(net) == ["B216"] * found
    brew.Net("net.prototxt", brew.TEST)
    assert said() == ["B216"] * min(found, 1)


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 6, 8, 16])
def test_a_kernel_fits_where_a_flat_image_stays_flat(kernel: int, stride: int, codes: Codes) -> None:
    fits = codes(deconv(1, "", kernel, stride)) == []
    net = brew.Net("net.prototxt", brew.TEST)
    net.blobs["x"].data[...] = 1
    flat = net.forward()["up"][0, 0]
    inner = flat[kernel - 1 : -kernel + 1 or None, kernel - 1 : -kernel + 1 or None]
    if inner.size >= stride:
        assert fits == bool(np.allclose(inner, 1, atol=1e-3))


@pytest.mark.parametrize(
    ("frozen", "decay", "expected"),
    [("", "weight_decay: 0.1", ["B219"]), ("", "weight_decay: 0", []), (FROZEN, "weight_decay: 0.1", []),
     ("param { decay_mult: 0 } param { decay_mult: 0 }", "weight_decay: 0.1", [])],
)  # fmt: skip
@pytest.mark.parametrize("way", ["propagate_down", "unread"])
def test_decay_without_a_gradient(
    way: str, frozen: str, decay: str, expected: list[str], codes: Codes, said: Callable[[], list[str]]
) -> None:
    """Told where weights shrink, and only there: lr_mult 0 is a rate of 0 for the decay too."""
    if way == "unread":
        layers = conv("a", "x", XAVIER, frozen) + fc("b", "x", XAVIER)
        layers += 'layer { name: "s" type: "Silence" bottom: "a" }\n'
    else:
        layers = conv("a", "x", XAVIER, frozen) + fc("b", "a", XAVIER, "propagate_down: false")
    assert codes(DATA + layers + LOSS % "b", decay) == expected
    solver = Solver("solver.prototxt", device="cpu")
    before = solver.net.params["a"][0].data.copy()
    solver.step(3)
    assert bool((solver.net.params["a"][0].data != before).any()) == bool(expected)
    solver.close()
    assert said() == expected
