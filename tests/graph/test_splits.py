"""Errors in nets with Splits: the names in the file, other readers of a blob, layers of other states."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.checks import files
from brew.checks.states import Options
from brew.errors import BrewError, NetError
from brew.graph.build import build
from brew.graph.definition import select
from brew.graph.rewriting.deploy import deploy
from brew.layer import Context, registry
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

DATA = """layer { name: "in" type: "Input" top: "x" top: "label" RULE
  input_param { shape { dim: [2, 3, 4, 4] } shape { dim: 3 } } }
"""
CONV = """layer { name: "conv" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 2 kernel_size: 1 } }
"""
POOL = 'layer { name: "pool" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 } }\n'
RELU = 'layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }\n'


def net(text: str, rule: str = "", **options: object) -> Net:
    document = prototxt.parse(text.replace("RULE", rule), NetParameter, "n.prototxt")
    return Net(document, brew.TEST, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (CONV + POOL + RELU, '"relu" (ReLU): cannot write "c" in place: layer "pool" reads it too'),
        (CONV + RELU.replace("relu", "r") + POOL + RELU, 'in place: layer "pool" reads it too'),
        (
            CONV.replace('top: "c"', 'top: "c" loss_weight: 1') + RELU,
            "it is read, or counts in the loss, elsewhere too",
        ),
        (CONV + RELU.replace('bottom: "c"', 'bottom: "x"'), 'top "c" is already made by layer "conv"'),
    ],
)
def test_in_place_where_others_read_the_blob(layers: str, said: str):
    with pytest.raises(NetError, match=re.escape(said)) as caught:
        net(DATA + layers)
    hint = caught.value.hint or ""
    assert ('or move this layer above "pool", which then reads what it writes' in hint) == ("pool" in said)
    assert ("give this top a name of its own" in hint) == ("already made" not in said)


def test_errors_speak_of_the_names_in_the_file():
    text = DATA + CONV + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "label" }\n'
    with pytest.raises(NetError, match=r'bottoms are "c" .*, "label" 3'):
        net(text + 'layer { name: "acc" type: "Accuracy" bottom: "c" bottom: "label" top: "acc" }')
    pulled = """layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 3 } }
    layer { name: "l" type: "SoftmaxWithLoss" bottom: "c" bottom: "a" } layer { name: "q" type: "Silence" bottom: "a" }"""
    with pytest.raises(NetError) as caught:
        net("force_backward: true " + DATA + CONV + pulled)
    assert "_split_" not in str(caught.value)


def test_a_forward_from_the_middle_names_the_blob_of_the_file():
    layers = [(name, "TanH", bottom) for name, bottom in ("ax", "ba", "fe", "gf", "hg")]
    layers.insert(2, ("e", "Eltwise", 'a" bottom: "b'))
    text = [f'layer {{ name: "{n}" type: "{t}" bottom: "{b}" top: "{n}" }}' for n, t, b in layers]
    made = net(DATA + "\n".join(text), keep=[], forward_only=True)
    made.forward()
    with pytest.raises(BrewError, match=r'needs "a", whose memory others have used \(name it in keep'):
        made.forward(start="b")
    kept = net(DATA + "\n".join(text), keep=["a"], forward_only=True)
    kept.forward()
    kept.forward(start="b")


@pytest.mark.parametrize(
    ("rule", "stages", "why"),
    [
        ("include { phase: TRAIN }", [], "TEST needs a data layer too: include { phase: TEST }"),
        ("exclude { phase: TEST }", [], "TEST needs a data layer too"),
        ('include { stage: "val" }', [], '--stage val, or a solver\'s train_state or test_state { stage: "val" }'),
        ('include { phase: TEST stage: "val" }', ["x"], "--stage val"),
        ("include { min_level: 2 }", [], "rules that fit this state would let it in"),
        ('include { phase: TEST not_stage: "x" }', ["x"], "rules that fit this state would let it in"),
    ],
)
def test_a_bottom_that_another_state_has(rule: str, stages: list[str], why: str, tmp_path: Path):
    state = f'TEST with stage "{stages[0]}"' if stages else "TEST"
    with pytest.raises(NetError) as caught:
        net(DATA + CONV, rule, stages=stages)
    what = f'layer "conv" (Convolution): no layer above makes its bottom "x" in {state}'
    assert (caught.value.message, str(caught.value.place)) == (what, "n.prototxt:3:42")
    assert (caught.value.hint or "").startswith(f'layer "in" makes it, but {rule} keeps it out of {state}; {why}')
    with pytest.raises(NetError, match="no layer above makes its bottom"):
        deploy(prototxt.parse(CONV, NetParameter))
    (tmp_path / "n.prototxt").write_text(
        DATA.replace("RULE", rule)
        + CONV
        + 'layer { name: "i" type: "Input" top: "y" input_param { shape { dim: 1 } } }'
    )
    found = files.check(str(tmp_path / "n.prototxt"), Options(level=0, stages=stages))
    assert what in {f.message for f in found}


def test_a_bottom_that_no_state_has_is_no_matter_of_states():
    with pytest.raises(NetError) as caught:
        net(DATA + CONV.replace('"x"', '"y"') + 'layer { name: "z" type: "TanH" bottom: "x" top: "z" RULE }',
            "include { phase: TRAIN }", shapes=None)  # fmt: skip
    assert 'bottom "x" in TEST' not in caught.value.message and 'bottom "y"' in caught.value.message


def test_the_copies_are_right():
    made = net(DATA + CONV + RELU + POOL + 'layer { name: "t" type: "TanH" bottom: "c" top: "t" }')
    made.blobs["x"].data[...] = 1
    made.forward()
    np.testing.assert_allclose(made.blobs["t"].data, np.tanh(made.blobs["c"].data), rtol=1e-5)


@pytest.mark.parametrize("type_name", registry.layer_type_list())
def test_no_layer_speaks_of_the_copies_that_splits_made(type_name: str):
    said = []
    for bottoms, shape in itertools.product(range(1, 4), ("2", "[2, 3]", "[2, 3, 4, 4]")):
        text = "".join(
            f'layer {{ name: "i{b}" type: "Input" top: "b{b}" input_param {{ shape {{ dim: {shape} }} }} }}\n'
            f'layer {{ name: "s{b}" type: "Silence" bottom: "b{b}" }}\n'
            for b in range(bottoms)
        )
        reads = " ".join(f'bottom: "b{b}"' for b in range(bottoms))
        document = prototxt.parse(f'{text}layer {{ name: "x" type: "{type_name}" {reads} top: "t" }}', NetParameter)
        try:
            build(select(document, brew.TRAIN).layers, lambda source: Context(place=source.place), force_backward=True)
        except BrewError as error:
            said.append(str(error))
    assert not [text for text in said if "_split" in text]
