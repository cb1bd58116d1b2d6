"""What every type says of a mistake in the file: its name and type, the line, what came and what was expected.

Wrong numbers of bottoms and tops, and bottoms of every number of axes, are tried on all types; wrong shapes, axes,
labels and indices stand in a table. Nothing but a BrewError may come of them.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import own_rows
import pytest
from google.protobuf import text_format

import brew
from brew.errors import BrewError
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import LayerParameter, NetParameter
from brew.prototxt import parse
from brew.reports import catalogue

Shape = tuple[int, ...]
TYPES = brew.layer_type_list()
COMPUTING = [t for t in TYPES if not issubclass(layer_class(t), DataLayer)]


@dataclass
class Mistake:
    """A layer's fields and bottoms, what is said of them, and the values of bottoms where these are wrong."""

    fields: str
    shapes: list[Shape]
    said: str
    values: dict[int, Any] = field(default_factory=dict)
    tops: int = 1


def axis(param: str, shape: Shape, number: int = 7, **more: Any) -> Mistake:
    said = rf"axis {number} is out of range for {len(shape)} axes \(-{len(shape)} to {len(shape) - 1}\)"
    return Mistake(
        f"{param} {{ axis: {number} {more.pop('fields', '')} }}", [shape, *more.pop("others", [])], said, **more
    )


X = (2, 3, 4, 5)
MISTAKES: dict[str, list[Mistake]] = {
    "Accuracy": [
        axis("accuracy_param", X, others=[(2,)]),
        Mistake("", [(2, 3), (3,)], 'scores with 3 classes and 2 labels for them; bottoms are "b0" 2 x 3, "b1" 3'),
        Mistake("", [(2, 0), (2,)], "at least one class"),
        Mistake("", [(2, 3), (2,)], "label 3 at position 1 is no class; expected 0 to 2 as each of the 2", {1: [0, 3]}),
    ],
    "ArgMax": [axis("argmax_param", X), Mistake("argmax_param { top_k: 4 }", [(2, 3)], "4 is more than the 3 elements")],
    "BatchNorm": [Mistake("", [()], 'at least 1 axis; bottoms are "b0" scalar')],
    "BatchReindex": [
        Mistake("", [(4, 3), (2, 2)], 'indices of exactly 1; bottoms are "b0" 4 x 3, "b1" 2 x 2'),
        Mistake("", [(4, 3), (2,)], "index 4 at position 1 names no row; expected an integer from 0 to 3", {1: [0, 4]}),
        Mistake("", [(4, 3), (2,)], r"index 0.5 at position 0 names no row; expected an integer", {1: [0.5, 1]}),
        Mistake("", [(0, 3), (1,)], "index 0 at position 0 names no row; there are none", {1: [0]}),
    ],
    "Bias": [axis("bias_param", X), Mistake("", [X, (4,)], 'that of axes 1 to 1 .* not 4; bottoms are "b0" 2 x 3')],
    "Concat": [
        axis("concat_param", X, others=[X]),
        Mistake("", [(2, 3), (3, 3)], 'differ in axis 1 only; bottoms are "b0" 2 x 3, "b1" 3 x 3'),
    ],
    "ContrastiveLoss": [Mistake("", [(2, 3), (2, 4), (2,)], '"b1" 2 x 4, "b2" 2')],
    "Convolution": [
        axis("convolution_param", X, fields="num_output: 1 kernel_size: 1"),
        Mistake("convolution_param { num_output: 1 kernel_size: 6 }", [X], "6 x 6 does not fit .* 4 x 5"),
        Mistake("convolution_param { num_output: 2 kernel_size: 1 group: 2 }", [X], "2 does not divide .*channels, 3"),
        Mistake("convolution_param { num_output: 1 kernel_size: 1 }", [(2, 0, 4, 5)], "at least one channel"),
    ],
    "Crop": [
        axis("crop_param", X, others=[X]),
        Mistake("", [X, (2, 3, 4, 6)], "to lie within the first bottom; bottoms are"),
        Mistake("", [X, (4, 5)], "as many axes as the first"),
    ],
    "Deconvolution": [
        axis("convolution_param", X, fields="num_output: 1 kernel_size: 1"),
        Mistake("convolution_param { num_output: 1 kernel_size: 1 pad: 2 }", [X], "top would be 0 x 1"),
    ],
    "Eltwise": [Mistake("", [(2, 3), (3, 2)], 'bottoms of one shape; bottoms are "b0" 2 x 3, "b1" 3 x 2')],
    "Embed": [
        Mistake("embed_param { input_dim: 4 num_output: 1 }", [(2,)], "index 4 at position 0 .* from 0 to 3", {0: [4, 0]}),
        Mistake("embed_param { input_dim: 4 num_output: 1 }", [(2,)], "index 1.5 at position 1", {0: [0, 1.5]}),
    ],
    "EuclideanLoss": [Mistake("", [(2, 3), (2, 4)], 'of one size; bottoms are "b0" 2 x 3, "b1" 2 x 4')],
    "Filter": [
        Mistake("", [(2, 3), (2, 2)], "one number per item"),
        Mistake("", [(2, 3), (4,)], 'as many items .*; bottoms are "b0" 2 x 3, "b1" 4'),
    ],
    "Flatten": [axis("flatten_param", X)],
    "HDF5Output": [Mistake('hdf5_output_param { file_name: "o.h5" }', [(2, 3), (3, 1)], "equal first axes", tops=0)],
    "HingeLoss": [
        Mistake("", [(2, 3), (3,)], '; bottoms are "b0" 2 x 3, "b1" 3'),
        Mistake("", [(2, 3), (2,)], "label -1 at position 0 is no class", {1: [-1, 0]}),
    ],
    "Im2col": [axis("convolution_param", X, fields="kernel_size: 1"),
               Mistake("convolution_param { kernel_size: 6 }", [X], "6 x 6 does not fit .* 4 x 5")],
    "InfogainLoss": [
        axis("infogain_loss_param", X, others=[(2,), (3, 3)]),
        Mistake("", [(2, 3), (3,), (3, 3)], "scores with 3 classes and 2 labels"),
        Mistake("", [(2, 3), (2,), (2, 2)], "a third bottom of 3 x 3 elements"),
        Mistake("", [(2, 3), (2,), (3, 3)], "label nan at position 1 is no class", {1: [0, np.nan]}),
    ],
    "InnerProduct": [axis("inner_product_param", X, fields="num_output: 1")],
    "LRN": [Mistake("", [(2, 3)], 'a bottom of 4 axes; bottoms are "b0" 2 x 3')],
    "LSTM": [Mistake("recurrent_param { num_output: 1 }", [(2, 3, 1), (3, 2)], r"cont \(T x N\).*; bottoms are")],
    "LSTMUnit": [Mistake("", [(1, 2, 3), (1, 2, 9), (1, 2)], "gates .*; bottoms are", tops=2)],
    "MultinomialLogisticLoss": [
        Mistake("", [(2, 3), (3,)], 'N labels; bottoms are "b0" 2 x 3, "b1" 3'),
        Mistake("", [(2, 3), (2,)], "label 3 at position 0 is no class", {1: [3, 0]}),
    ],
    "PReLU": [Mistake("", [(2,)], 'at least 2 axes; bottoms are "b0" 2')],
    "Parameter": [Mistake("parameter_param { shape { dim: -1 } }", [], "negative size")],
    "Pooling": [
        Mistake("pooling_param { kernel_size: 1 }", [(2, 3, 4)], 'of 4 axes; bottoms are "b0" 2 x 3 x 4'),
        Mistake("pooling_param { kernel_size: 6 }", [X], "6 x 6 does not fit into 4 x 5"),
    ],
    "RNN": [Mistake("recurrent_param { num_output: 1 }", [(2, 3), (3, 2)], r"cont \(T x N\).*; bottoms are")],
    "Reduction": [axis("reduction_param", X)],
    "Reshape": [
        Mistake("reshape_param { axis: 7 shape { dim: 1 } }", [X], r"axis 7 is out of range for 4 axes \(-5 to 4\)"),
        Mistake("reshape_param { shape { dim: 7 } }", [(2, 3)], "bottoms are"),
    ],
    "SPP": [Mistake("spp_param { pyramid_height: 4 }", [X], "planes of 4 x 5 are too small")],
    "Scale": [axis("scale_param", X), Mistake("", [X, (4,)], 'that of axes 1 to 1 .* not 4; bottoms are "b0" 2 x 3')],
    "SigmoidCrossEntropyLoss": [Mistake("", [(2, 3), (2, 4)], 'bottoms are "b0" 2 x 3, "b1" 2 x 4')],
    "Slice": [
        axis("slice_param", X),
        Mistake("", [(2, 3)], 'bottoms are "b0" 2 x 3', tops=2),
        Mistake("slice_param { slice_point: 3 }", [(2, 3)], 'bottoms are "b0" 2 x 3', tops=2),
    ],
    "Softmax": [axis("softmax_param", X), Mistake("", [(2, 0)], "at least one value along the axis")],
    "SoftmaxWithLoss": [
        axis("softmax_param", X, others=[(2,)]),
        Mistake("", [(2, 3), (3,)], 'scores with 3 classes and 2 labels for them; bottoms are "b0" 2 x 3, "b1" 3'),
        Mistake("", [(2, 3), (2,)], "label 3 at position 1 is no class; expected 0 to 2", {1: [0, 3]}),
    ],
    "Tile": [axis("tile_param", X, fields="tiles: 2")],
}  # fmt: skip
# These take bottoms of any shape, or none.
ANY_SHAPE = {
    "AbsVal", "BNLL", "Clip", "Dropout", "DummyData", "ELU", "Exp", "Input", "Log", "MVN", "Power", "Python", "ReLU",
    "Sigmoid", "Silence", "Split", "Swish", "TanH", "Threshold",
}  # fmt: skip
OWN = own_rows.of("MISTAKES", {*MISTAKES, *ANY_SHAPE})
MISTAKES |= {name: [Mistake(**mistake) for mistake in own] for name, own in OWN.items() if own}
ANY_SHAPE |= {name for name, own in OWN.items() if not own}
SHAPES: list[Shape] = [(), (0,), (3,), (2, 3), (1, 2, 3, 4), (0, 0, 0, 0)]
HALVE = """
from brew.python_layer import PythonLayer
class Halve(PythonLayer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top): top[0].data[...] = 0.5 * bottom[0].data
    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = 0.5 * top[0].diff
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_layers.py").write_text(HALVE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_layers", raising=False)


def write(layer: str, bottoms: list[str], shapes: list[Shape]) -> int:
    """Write net.prototxt, inputs and a layer below them; the line the layer begins in."""
    lines = ['name: "wrong"', "force_backward: true"]
    for name, shape in zip(bottoms, shapes, strict=True):
        dims = " ".join(f"dim: {n}" for n in shape)
        lines.append(f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}')
    Path("net.prototxt").write_text("\n".join([*lines, layer]) + "\n")
    return len(lines) + 1


def check_said(error: BrewError, type_name: str, line: int) -> None:
    """The layer, its type and a line of it are named."""
    assert re.search(rf'layer "\w+" \({type_name}\): ', error.message), error
    assert error.place is not None, error
    assert error.place.file == "net.prototxt", error
    assert error.place.line >= line, error


def example(type_name: str) -> LayerParameter:
    text = f"layer {{ {catalogue.entry(type_name).example[len('layer {') : -1]} }}"
    return parse(text, NetParameter).message.layer[0]


def test_every_type_that_can_be_given_a_wrong_shape_has_a_row() -> None:
    assert set(COMPUTING) == set(MISTAKES) | ANY_SHAPE
    assert not set(MISTAKES) & ANY_SHAPE
    assert all(MISTAKES.values())


@pytest.mark.parametrize(
    ("type_name", "mistake"),
    [pytest.param(t, m, id=f"{t}-{i}") for t, rows in MISTAKES.items() for i, m in enumerate(rows)],
)
def test_a_mistake_is_told_with_its_place(type_name: str, mistake: Mistake) -> None:
    bottoms = [f"b{i}" for i in range(len(mistake.shapes))]
    named = " ".join([*(f'bottom: "{b}"' for b in bottoms), *(f'top: "t{i}"' for i in range(mistake.tops))])
    line = write(
        f'layer {{\n  name: "me"\n  type: "{type_name}"\n  {named}\n  {mistake.fields}\n}}', bottoms, mistake.shapes
    )
    with pytest.raises(BrewError, match=mistake.said) as caught:
        net = Net("net.prototxt", brew.TRAIN)
        for i, values in mistake.values.items():
            net.blobs[f"b{i}"].data[...] = values
        net.forward()
    check_said(caught.value, type_name, line)


def wrong_numbers() -> Iterator[tuple[str, str, int]]:
    """One bottom or top too few or too many, where that can be; a loss's top need not be named."""
    for type_name in TYPES:
        cls = layer_class(type_name)
        for kind, arity in (("bottom", cls.bottoms), ("top", cls.tops)):
            if arity.least and not (kind == "top" and cls.is_loss):
                yield type_name, kind, arity.least - 1
            if arity.most is not None:
                yield type_name, kind, arity.most + 1


@pytest.mark.parametrize(("type_name", "kind", "number"), [*wrong_numbers()])
def test_a_wrong_number_of_bottoms_or_tops_is_told_with_its_place(type_name: str, kind: str, number: int) -> None:
    layer = example(type_name)
    names = layer.bottom if kind == "bottom" else layer.top
    del names[:]
    names.extend(f"{kind}{i}" for i in range(number))
    line = write(f"layer {{\n{text_format.MessageToString(layer)}}}", list(layer.bottom), [(2, 3)] * len(layer.bottom))
    said = rf"(takes|makes) .*( {number} (are )?given|are {number} and| and {number}$|, not {number})|a third bottom"
    with pytest.raises(BrewError, match=said) as caught:
        Net("net.prototxt", brew.TRAIN)
    check_said(caught.value, type_name, line)


@pytest.mark.parametrize("type_name", COMPUTING)
def test_bottoms_of_any_axes_work_or_are_told_with_their_place(type_name: str, device: str) -> None:
    bottoms = list(example(type_name).bottom)
    refused = False
    for shapes in itertools.product(SHAPES, repeat=len(bottoms)):
        line = write(catalogue.entry(type_name).example, bottoms, list(shapes))
        try:
            net = Net("net.prototxt", brew.TRAIN, device=device)
            net.forward()  # on zeros
            net.backward()
            net.close()
        except BrewError as error:
            check_said(error, type_name, line)
            refused = True
    assert not (refused and type_name in ANY_SHAPE), "a shape is refused: its test should have MISTAKES (own_rows)"
