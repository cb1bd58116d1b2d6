"""caffe.draw: pycaffe's labels, files of Brew's own drawing, and pydot's graph where there is a pydot."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from PIL import Image

from brew.caffe import TEST, TRAIN, draw
from brew.errors import BrewError
from brew.proto.brew_pb2 import LayerParameter, NetParameter

NET = text_format.Parse(
    """
name: "tiny"
layer { name: "train" type: "Data" top: "data" include { phase: TRAIN } data_param { batch_size: 64 } }
layer { name: "test" type: "Data" top: "data" exclude { phase: TRAIN } data_param { batch_size: 10 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 20 kernel_size: 5 pad: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "staged" type: "AbsVal" bottom: "pool" top: "abs" include { stage: "extra" } }
""",
    NetParameter(),
)


def layer(text: str) -> LayerParameter:
    return text_format.Parse(text, LayerParameter())


def test_labels_of_layers() -> None:
    _, _, conv, relu, pool, _ = NET.layer
    assert draw.get_layer_label(conv, "TB") == '"conv (Convolution) kernel size: 5 stride: 1 pad: 2"'
    assert draw.get_layer_label(pool, "LR") == r'"pool\n(Pooling AVE)\nkernel size: 3\nstride: 2\npad: 0"'
    assert draw.get_layer_label(relu, "BT", display_lrm=True) == '"relu (ReLU)"'
    assert draw.get_layer_label(conv, "TB", display_lrm=True).endswith('lr mult: 1.0, 1.0"')


def test_labels_of_edges_and_colours() -> None:
    train, _, conv, relu, *_ = NET.layer
    assert [draw.get_edge_label(one) for one in (train, conv, relu)] == ["Batch 64", "20", '""']
    assert draw.choose_color_by_layertype("Pooling") == "#FF9900"
    assert draw.choose_color_by_layertype("LRN") == "#6495ED"
    assert draw.get_pooling_types_dict() == {0: "MAX", 1: "AVE", 2: "STOCHASTIC"}


def test_learning_rates() -> None:
    text = 'name: "x" type: "InnerProduct"'
    assert draw.get_layer_lr_mult(layer(text)) == (1, 1)
    assert draw.get_layer_lr_mult(layer(text + "param { lr_mult: 3 }")) == (3, 1)
    assert draw.get_layer_lr_mult(layer(text + "param { lr_mult: 3 } param { lr_mult: 0.5 }")) == (3, 0.5)
    with pytest.raises(ValueError, match="3 learning rate multipliers"):
        draw.get_layer_lr_mult(layer(text + "param { } param { } param { }"))
    with pytest.raises(ValueError, match='ReLU layers, as "relu", do not have'):
        draw.get_layer_lr_mult(NET.layer[3])


def test_a_picture_in_a_file(tmp_path: Path) -> None:
    draw.draw_net_to_file(NET, str(tmp_path / "net.svg"), "TB", TEST)
    text = (tmp_path / "net.svg").read_text()
    assert ">test<" in text
    assert ">train<" not in text
    draw.draw_net_to_file(NET, tmp_path / "net.PNG")
    with Image.open(tmp_path / "net.PNG") as image:
        assert image.format == "PNG"


def test_phases_and_rates() -> None:
    def drawn(phase: int | None, rates: bool = False) -> str:
        return draw.draw_net(NET, "LR", "svg", phase, rates).decode()

    assert [(">train<" in t, ">test<" in t, ">staged<" in t) for t in map(drawn, (None, TRAIN, TEST))] == [
        (True, True, True), (True, False, True), (False, True, True),
    ]  # fmt: skip
    both = NetParameter(layer=[layer('name: "x" type: "Input" include { phase: TEST } exclude { phase: TRAIN }')])
    draw.draw_net(both, "LR", "svg")
    with pytest.raises(ValueError, match='"x" has both include and exclude'):
        draw.draw_net(both, "LR", "svg", TEST)


def test_layers_of_2014() -> None:
    old = text_format.Parse(
        'layers { name: "old" type: POOLING bottom: "a" pooling_param { kernel_size: 3 } }', NetParameter()
    )
    assert ">Pooling · max 3 x 3<" in draw.draw_net(old, "LR", "svg").decode()


def test_other_files_need_pydot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydot", None)
    monkeypatch.setitem(sys.modules, "pydotplus", None)
    with pytest.raises(ImportError, match=r'Brew draws svg, png, .*; "\.pdf" is written by way of pydot') as caught:
        draw.draw_net(NET, "LR", "pdf")
    assert isinstance(caught.value, BrewError)
    with pytest.raises(ImportError, match="pip install pydot"):
        draw.get_pydot_graph(NET, "LR")


class Dot:
    """As much of pydot.Dot as is used."""

    def __init__(self, name: str, **options: str) -> None:
        self.name, self.options, self.nodes, self.edges = name, options, [], []

    def add_node(self, node: Any) -> None:
        self.nodes.append(node)

    def add_edge(self, edge: Any) -> None:
        self.edges.append(edge)

    def to_string(self) -> str:
        return f"digraph {self.name}"

    def create(self, format: str) -> bytes:
        return format.encode()


def test_pydots_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.SimpleNamespace(
        Dot=Dot, Node=lambda label, **o: (label, o), Edge=lambda a, b, label: (a[0], b[0], label)
    )
    monkeypatch.setitem(sys.modules, "pydotplus", None)
    monkeypatch.setitem(sys.modules, "pydot", fake)
    graph = draw.get_pydot_graph(NET, "LR", phase=TRAIN)
    assert (graph.name, graph.options) == ("tiny", {"graph_type": "digraph", "rankdir": "LR"})
    conv, relu = draw.get_layer_label(NET.layer[2], "LR"), draw.get_layer_label(NET.layer[3], "LR")
    assert {(label, o["fillcolor"]) for label, o in graph.nodes} >= {
        ("data", "#E0E0E0"), (conv, "#FF5050"), (relu, "#90EE90"),
    }  # fmt: skip
    assert ("data", conv, '""') in graph.edges
    assert (conv, "conv", "20") in graph.edges
    assert draw.draw_net(NET, "LR", "pdf") == b"pdf"
    assert draw.draw_net(NET, "LR", "raw") == b"digraph tiny"
    assert Image.open(io.BytesIO(draw.draw_net(NET, "LR"))).format == "PNG"
