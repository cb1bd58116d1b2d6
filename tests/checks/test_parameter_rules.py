"""`brew check` on what stands in a file and does nothing: messages of another type, fields of another filler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brew.checks import files
from brew.checks.finding import Finding
from brew.checks.states import Options
from brew.errors import NetError
from brew.layer.filler import READS, fill
from brew.layer.random import Stream
from brew.proto.brew_pb2 import FillerParameter

Check = Callable[[str], list[Finding]]

DATA = """layer { name: "x" type: "Input" top: "x" top: "y"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } } }
"""
OTHER = {"value": 0.5, "min": -0.5, "max": 0.5, "mean": 0.5, "std": 0.5, "sparse": 2, "variance_norm": 1}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    monkeypatch.chdir(tmp_path)

    def run(text: str) -> list[Finding]:
        Path("net.prototxt").write_text(text)
        return files.check("net.prototxt", Options())

    return run


@pytest.mark.parametrize("kind", READS)
@pytest.mark.parametrize("field", OTHER)
def test_the_fields_a_filler_reads_are_those_that_change_its_values(kind: str, field: str) -> None:
    def values(**fields: object) -> np.ndarray:
        filler = FillerParameter(type=kind, **fields)  # type: ignore[arg-type]
        return fill(filler, (4, 3, 2, 2), np.float32, Stream(1, "layer"), NetError)

    try:
        changed = not np.array_equal(values(), values(**{field: OTHER[field]}))
    except NetError:
        assert field == "sparse"  # the one field that is refused where it is not read
        return
    assert changed == (field in READS[kind])


@pytest.mark.parametrize("kind", READS)
@pytest.mark.parametrize("field", [field for field in OTHER if field != "sparse"])
def test_a_field_that_the_filler_does_not_read(kind: str, field: str, check: Check) -> None:
    value = "FAN_OUT" if field == "variance_norm" else OTHER[field]
    net = f"""layer {{ name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {{ num_output: 4
      kernel_size: 2 weight_filler {{ type: "{kind}" {field}: {value} }} }} }}"""
    found = check(DATA + net)
    assert [(f.code, f.place.line) for f in found] == ([] if field in READS[kind] else [("B215", 4)])


def test_a_value_that_is_the_default_is_nobodys_mistake(check: Check) -> None:
    net = """layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 2
      weight_filler { type: "xavier" std: 1 value: 0 } } }"""
    assert check(DATA + net) == []


def test_fillers_of_every_message_count_and_alike_ones_are_said_once(check: Check) -> None:
    scale = 'layer { name: "s%d" type: "Scale" bottom: "x" top: "s%d" scale_param { filler { type: "constant" std: 3 } } }\n'
    embed = """layer { name: "e" type: "Embed" bottom: "y" top: "e"
      embed_param { input_dim: 3 num_output: 2 weight_filler { type: "uniform" std: 2 } } }\n"""
    found = check(DATA + "".join(scale % (i, i) for i in range(5)) + embed)
    assert [(f.code, f.place.line) for f in found] == [("B215", 3), ("B215", 9)]
    assert "in 5 fillers" in found[0].message
    assert found[0].hint == '"constant" reads value; std is for "gaussian"'


@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } '
         "pooling_param { stride: 2 }", "Convolution reads convolution_param; pooling_param is for Pooling"),
        ('type: "ReLU" relu_param { negative_slope: 0.1 } prelu_param { channel_shared: true }', "for PReLU"),
        ('type: "AbsVal" power_param { power: 2 }', "AbsVal has no parameters; power_param is for Power"),
        ('type: "Dropout" transform_param { scale: 0.5 }', "transform_param is for Data"),
        ('type: "Pooling" pooling_param { kernel_size: 2 } convolution_param { stride: 2 }', "Convolution, Deconvolution and Im2col"),
    ],
)  # fmt: skip
def test_a_message_of_another_type(layer: str, hint: str, check: Check) -> None:
    [found] = check(DATA + f'layer {{ name: "a" bottom: "x" top: "a" {layer} }}')
    assert (found.code, found.place.line) == ("B213", 3)
    assert found.hint and hint in found.hint


@pytest.mark.parametrize(
    ("loss", "found"),
    [("Accuracy", ["B213"]), ("HingeLoss", ["B213"]), ("SoftmaxWithLoss", []), ("Softmax", [])],
)
def test_loss_param(loss: str, found: list[str], check: Check) -> None:
    fc = """layer { name: "f" type: "InnerProduct" bottom: "x" top: "f"
      inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }\n"""
    label = "" if loss == "Softmax" else 'bottom: "y"'
    text = (
        DATA
        + fc
        + f'layer {{ name: "l" type: "{loss}" bottom: "f" {label} top: "l" loss_param {{ ignore_label: 2 }} }}'
    )
    assert [f.code for f in check(text)] == found


def test_upgraded_nets_keep_only_what_their_types_read(check: Check) -> None:
    """Of 2014 and of 2013: each old field goes to a message of its layer's own."""
    old = """input: "x" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
    layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" blobs_lr: 1 blobs_lr: 2
      convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "gaussian" std: 0.01 } } }
    layers { name: "p" type: POOLING bottom: "c" top: "p" pooling_param { pool: MAX kernel_size: 2 } }
    layers { name: "r" type: RELU bottom: "p" top: "p" }"""
    older = """input: "x" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
    layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 3 stride: 1 group: 1
      weight_filler { type: "gaussian" std: 0.01 } bias_filler { type: "constant" value: 1 } } bottom: "x" top: "c" }
    layers { layer { name: "p" type: "pool" pool: MAX kernelsize: 2 stride: 2 } bottom: "c" top: "p" }
    layers { layer { name: "d" type: "dropout" dropout_ratio: 0.4 } bottom: "p" top: "p" }"""
    for text in (old, older):
        assert [f for f in check(text) if f.code != "B200"] == []
