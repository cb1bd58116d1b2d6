"""Every registered type through parse, shapes, forward, backward, save, load, equal: on both devices.

The layer is the example of its docstring, so that every example works as it is printed by `brew layers TYPE`. Types
that ROWS lacks have one of their own, or the plainest (own_rows).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import own_rows
import pytest
from PIL import Image

import brew
from brew import prototxt
from brew.data.databases.lmdb_writer import write_lmdb
from brew.layer import Layer
from brew.layer.registry import layer_class
from brew.layers.memory_data import MemoryData
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, LayerParameter, NetParameter
from brew.reports import catalogue

Shape = tuple[int, ...]


@dataclass
class Row:
    """Shapes of the example's bottoms (integers up to `labels` where named), and what must exist beside the net."""

    shapes: list[Shape] = field(default_factory=list)
    labels: dict[int, int] = field(default_factory=dict)
    files: Callable[[Path], object] = lambda folder: None
    backward: bool = True


def _train_lmdb(folder: Path) -> None:
    datum = Datum(channels=1, height=2, width=2, data=bytes(range(4)), label=1).SerializeToString()
    write_lmdb(folder / "train_lmdb", [(b"%08d" % i, datum) for i in range(3)])


def _files_txt(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file["data"], file["label"] = np.ones((5, 3), np.float32), np.arange(5, dtype=np.float32)
    (folder / "files.txt").write_text(f"{folder / 'a.h5'}\n")


def _list_txt(folder: Path) -> None:
    Image.new("RGB", (8, 6), (10, 20, 30)).save(folder / "a.png")
    (folder / "list.txt").write_text(f"{folder / 'a.png'} 1\n")


def _windows_txt(folder: Path) -> None:
    Image.new("RGB", (30, 30), (10, 20, 30)).save(folder / "a.png")
    lines = ["# 0", str(folder / "a.png"), "3", "30", "30", "2", "1 0.9 2 2 20 20", "0 0.1 5 5 25 25"]
    (folder / "w.txt").write_text("\n".join(lines) + "\n")


def _my_layers(folder: Path) -> None:
    (folder / "my_layers.py").write_text(
        "from brew.python_layer import PythonLayer\n"
        "class Halve(PythonLayer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = 0.5 * bottom[0].data\n"
        "    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = 0.5 * top[0].diff\n"
    )


IMAGES = [(2, 3, 8, 8)]
ROWS: dict[str, Row] = {
    "Accuracy": Row([(4, 7), (4,)], {1: 7}, backward=False),
    "ArgMax": Row([(2, 9)], backward=False),
    "BatchReindex": Row([(3, 4), (5,)], {1: 3}),
    "Concat": Row([(2, 3, 4), (2, 2, 4)]),
    "ContrastiveLoss": Row([(4, 3), (4, 3), (4,)], {2: 2}),
    "Crop": Row([(1, 2, 8, 8), (1, 2, 5, 6)]),
    "Data": Row(files=_train_lmdb, backward=False),
    "Deconvolution": Row([(1, 2, 3, 3)]),
    "DummyData": Row(backward=False),
    "Eltwise": Row([(2, 5), (2, 5)]),
    "Embed": Row([(2, 6)], {0: 10}),
    "EuclideanLoss": Row([(3, 2), (3, 2)]),
    "Filter": Row([(4, 3), (4,)], {1: 2}),
    "HDF5Data": Row(files=_files_txt, backward=False),
    "HDF5Output": Row([(2, 3, 1, 1), (2, 1, 1, 1)], backward=False),
    "HingeLoss": Row([(4, 3), (4,)], {1: 3}),
    "ImageData": Row(files=_list_txt, backward=False),
    "InfogainLoss": Row([(4, 3), (4,), (1, 1, 3, 3)], {1: 3}),
    "Input": Row(backward=False),
    "LSTM": Row([(3, 2, 5), (3, 2)], {1: 2}),
    "LSTMUnit": Row([(1, 2, 3), (1, 2, 12), (1, 2)], {2: 2}),
    "MemoryData": Row(backward=False),
    "MultinomialLogisticLoss": Row([(4, 3), (4,)], {1: 3}),
    "Parameter": Row(),
    "Python": Row(IMAGES, files=_my_layers),
    "RNN": Row([(3, 2, 5), (3, 2)], {1: 2}),
    "SigmoidCrossEntropyLoss": Row([(3, 4), (3, 4)], {1: 2}),
    "Silence": Row(IMAGES),
    "Softmax": Row([(3, 5)]),
    "SoftmaxWithLoss": Row([(4, 3), (4,)], {1: 3}),
    "Threshold": Row(IMAGES, backward=False),
    "WindowData": Row(files=_windows_txt, backward=False),
    **{t: Row(IMAGES) for t in (
        "AbsVal", "BNLL", "BatchNorm", "Bias", "Clip", "Convolution", "Dropout", "ELU", "Exp", "Flatten", "Im2col",
        "InnerProduct", "LRN", "Log", "MVN", "PReLU", "Pooling", "Power", "ReLU", "Reduction", "Reshape", "SPP", "Scale",
        "Sigmoid", "Slice", "Split", "Swish", "TanH", "Tile",
    )},
}  # fmt: skip
ROWS |= {name: Row(**(own or {"shapes": IMAGES})) for name, own in own_rows.of("EXAMPLE", ROWS).items()}


def _class(type_name: str) -> type[Layer]:
    cls = layer_class(type_name)
    assert cls is not None
    return cls


def test_every_type_has_a_row() -> None:
    assert set(brew.layer_type_list()) == set(ROWS)


def _net_text(row: Row, example: str) -> str:
    layer = prototxt.parse(f"layer {{ {example[len('layer {') : -1]} }}", NetParameter).message.layer[0]
    inputs = [
        f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
        + " ".join(f"dim: {n}" for n in shape) + " } } }"
        for name, shape in zip(layer.bottom, row.shapes, strict=True)
    ]  # fmt: skip
    forced = "force_backward: true\n" if row.backward else ""
    return f'name: "one"\n{forced}' + "\n".join(inputs) + "\n" + example


def _fill(net: Net, row: Row, inputs: Sequence[str], layer: Layer) -> None:
    """Values for the inputs of the layer under test, or for the layer itself."""
    rng = np.random.default_rng(0)
    for i, name in enumerate(inputs):
        blob = net.blobs[name]
        values = rng.integers(0, row.labels[i], blob.shape) if i in row.labels else rng.uniform(0.1, 0.9, blob.shape)
        blob.data[...] = values
    if isinstance(layer, MemoryData):
        shape = net.blobs[layer.param.top[0]].shape
        layer.reset(np.ones(shape, np.float32), np.arange(shape[0]))


def _prepared(type_name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The net of a type's example, with its files in `folder`, which is the working directory from now on."""
    row = ROWS[type_name]
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "my_layers", raising=False)
    row.files(folder)
    text = _net_text(row, catalogue.entry(type_name).example)
    # Small: an example is written for a reader, not for a test.
    return (
        re.sub(r"\b(batch_size: )(?:64|128|32)\b", r"\g<1>2", text)
        .replace("227", "7")
        .replace("crop_size: 99", "crop_size: 7")
        .replace("new_height: 256 new_width: 256", "new_height: 6 new_width: 6")
    )


@pytest.mark.parametrize("type_name", sorted(ROWS))
def test_round_trip(type_name: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS[type_name]
    text = _prepared(type_name, tmp_path, monkeypatch)
    nets = [Net(prototxt.parse(text, NetParameter), brew.TRAIN, device=device, seed=s) for s in (1, 2)]
    net, other = nets
    layer = net.layers[-1].param
    _fill(net, row, layer.bottom, net.layers[-1])
    net.forward()
    outputs = {name: net.blobs[name].data.copy() for name in net.outputs}
    assert all(np.isfinite(v).all() for v in outputs.values())
    if row.backward and layer.top:
        for name in net.outputs:
            if not net.blob_loss_weights[name]:
                net.blobs[name].diff[...] = 1
        net.backward()
        assert all(np.isfinite(net.blobs[name].diff).all() for name in net.inputs)
    net.save(tmp_path / "w.caffemodel")
    other.copy_from(tmp_path / "w.caffemodel")
    for name, blobs in net.params.items():
        for a, b in zip(blobs, other.params[name], strict=True):
            np.testing.assert_array_equal(a.data, b.data)
    for one in nets:
        one.close()


@pytest.mark.parametrize("type_name", sorted(name for name in ROWS if _class(name).only_moves))
def test_layers_that_only_move_values_make_none(
    type_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net(prototxt.parse(_prepared(type_name, tmp_path, monkeypatch), NetParameter), brew.TEST)
    layer = net.layers[-1]
    _fill(net, ROWS[type_name], layer.param.bottom, layer)
    net.forward()
    given = np.concatenate([net.blobs[name].data.reshape(-1) for name in layer.param.bottom])
    assert all(np.isin(net.blobs[name].data, given).all() for name in layer.param.top)


@pytest.mark.parametrize("type_name", sorted(ROWS))
def test_messages_have_the_fields_that_a_class_says(type_name: str) -> None:
    cls, fields = _class(type_name), LayerParameter.DESCRIPTOR.fields_by_name
    if cls.weights_in:
        own = fields[cls.weights_in].message_type.fields_by_name
        assert {"num_output", "bias_term", "weight_filler"} <= set(own) and cls.has_params()
    if cls.axis_in:
        assert "axis" in fields[cls.axis_in].message_type.fields_by_name and cls.labels_are_classes
    if cls.labels_are_classes:
        assert 1 in ROWS[type_name].labels  # the second bottom


def _between(text: str) -> tuple[str, int]:
    """The net with copies before and behind its last layer, so that all it touches lies in memory that others use too.

    And that layer's number.
    """
    param = prototxt.parse(text, NetParameter).message
    layer = param.layer.pop()
    for name in layer.bottom:
        param.layer.add(name=f"copy_{name}", type="Power", bottom=[name], top=[f"copy_{name}"])
    number = len(param.layer)
    tops = [f"copy_{name}" if name in layer.bottom else name for name in layer.top]
    layer.bottom[:] = [f"copy_{name}" for name in layer.bottom]
    layer.top[:] = tops
    param.layer.append(layer)
    for name in () if layer.type.endswith("Loss") else tops:
        param.layer.add(name=f"after_{name}", type="Power", bottom=[name], top=[f"after_{name}"])
    return prototxt.to_text(param), number


@pytest.mark.parametrize(
    ("device", "engine"),
    [("cpu", "caffe"), pytest.param("cpu", "onednn", marks=pytest.mark.onednn), ("cuda", "caffe")],
    indirect=["device"],
)
@pytest.mark.parametrize("type_name", sorted(ROWS))
def test_shared_memory_changes_nothing(
    type_name: str,
    engine: str,
    device: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    poisoned: Callable[[Net], Net],
) -> None:
    row = ROWS[type_name]
    text, number = _between(_prepared(type_name, tmp_path, monkeypatch))
    message = prototxt.parse(text, NetParameter)
    inputs = [name for layer in message.message.layer[:number] if layer.type == "Input" for name in layer.top]
    nets = [Net(message, brew.TRAIN, device=device, seed=1, engine=engine, keep=keep) for keep in (None, inputs)]
    poisoned(nets[1])
    found: list[list[np.ndarray]] = []
    for net in nets:
        _fill(net, row, inputs, net.layers[number])
        for _ in range(2):
            net.clear_param_diffs()
            net.forward()
            if row.backward:
                for name in net.outputs:
                    net.blobs[name].diff[...] = np.random.default_rng(0).normal(size=net.blobs[name].shape)
                net.backward()
        arrays = [net.blobs[n].data for n in net.outputs]
        arrays += [net.blobs[n].diff for n in inputs] if row.backward else []
        arrays += [blob.diff for blobs in net.params.values() for blob in blobs]
        found.append([np.array(a) for a in arrays])
        net.close()
    for everything, planned in zip(*found, strict=True):
        np.testing.assert_array_equal(planned, everything)
