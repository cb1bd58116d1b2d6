"""caffe.draw: pictures of nets. Brew draws SVG and image files itself; only a graph of pydot's needs pydot."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brew.errors import UsageError
from brew.graph.definition import define
from brew.proto.caffe_pb2 import LayerParameter, NetParameter, PoolingParameter
from brew.reports.drawing import picture, png, svg

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}

_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")
_COLORS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}


class NoPydot(UsageError, ImportError):
    """pydot is not installed, and only it can do what was asked."""


class Contradiction(UsageError, ValueError):
    """A layer that what was asked for does not fit."""


def get_pooling_types_dict() -> dict[int, str]:
    """The names of pooling methods by their numbers."""
    return {value.number: value.name for value in PoolingParameter.PoolMethod.DESCRIPTOR.values}


def get_edge_label(layer: LayerParameter) -> str:
    """What is written on the edge to a layer's top: its batch size, or how many outputs it has."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    return str(layer.inner_product_param.num_output) if layer.type == "InnerProduct" else '""'


def get_layer_lr_mult(layer: LayerParameter) -> tuple[float, float]:
    """The learning rate multipliers of weights and biases of a Convolution, Deconvolution or InnerProduct."""
    if layer.type not in _LEARNING:
        raise Contradiction(f'{layer.type} layers, as "{layer.name}", do not have a learning rate multiplier')
    rates = [spec.lr_mult for spec in layer.param]
    if len(rates) > 2:
        raise Contradiction(f'layer "{layer.name}" has {len(rates)} learning rate multipliers; at most 2 are expected')
    weights, biases = [*rates, 1.0, 1.0][:2]
    return weights, biases


def get_layer_label(layer: LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """What is written on a layer, in quotes: name, type, window, and with `display_lrm` its rates.

    The parts stand side by side where the graph goes up or down (`rankdir` TB, BT), else one below the other.
    """
    method = f" {get_pooling_types_dict()[layer.pooling_param.pool]}" if layer.type == "Pooling" else ""
    parts = [layer.name, f"({layer.type}{method})"]
    if layer.type == "Pooling":
        window = layer.pooling_param
        parts += [f"kernel size: {window.kernel_size}", f"stride: {window.stride}", f"pad: {window.pad}"]
    elif layer.type in ("Convolution", "Deconvolution"):
        sizes = layer.convolution_param
        kernel, stride, pad = [*sizes.kernel_size, 1][0], [*sizes.stride, 1][0], [*sizes.pad, 0][0]
        parts += [f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]
    if display_lrm and layer.type in _LEARNING and any(rates := get_layer_lr_mult(layer)):
        parts.append("lr mult: {:.1f}, {:.1f}".format(*rates))
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    return f'"{separator.join(parts)}"'


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer of this type."""
    return _COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: NetParameter, rankdir: str, label_edges: bool = True, phase: int | None = None, display_lrm: bool = False
) -> Any:
    """The net as a pydot.Dot: layers and blobs are nodes. `phase` leaves out layers of the other phase.

    NoPydot, an ImportError, without pydot or pydotplus.
    """
    pydot = _pydot("get_pydot_graph makes a graph of pydot's")
    graph = pydot.Dot(caffe_net.name or "Net", graph_type="digraph", rankdir=rankdir)
    nodes, edges = {}, []
    for layer in _layers(caffe_net, phase):
        name = f"{layer.name}_{layer.type}"
        in_place = len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)
        fill = {"fillcolor": choose_color_by_layertype(layer.type)}
        style = NEURON_LAYER_STYLE if in_place else LAYER_STYLE_DEFAULT | fill
        nodes[name] = pydot.Node(get_layer_label(layer, rankdir, display_lrm=display_lrm), **style)
        for blob in (*layer.bottom, *layer.top):
            nodes.setdefault(f"{blob}_blob", pydot.Node(blob, **BLOB_STYLE))
        edges += [(f"{bottom}_blob", name, '""') for bottom in layer.bottom]
        edges += [(name, f"{top}_blob", get_edge_label(layer) if label_edges else '""') for top in layer.top]
    for node in nodes.values():
        graph.add_node(node)
    for source, target, label in edges:
        graph.add_edge(pydot.Edge(nodes[source], nodes[target], label=label))
    return graph


def draw_net(
    caffe_net: NetParameter,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
    repeats: bool = False,
) -> bytes:
    """The net as the bytes of a file: `ext` svg, png, jpg, gif, bmp, tiff or webp is drawn by Brew, others by Graphviz.

    `rankdir` is TB, BT, LR or RL; a long net is folded into columns or rows. `phase` leaves out layers of the other
    phase, `display_lrm` writes learning rates; with `repeats`, which pycaffe lacks, blocks of layers that follow one
    another unchanged are drawn once. "raw" and "dot" are the text for Graphviz. NoPydot, an ImportError,
    where pydot is needed for a kind of file and not installed.
    """
    kind = ext.lower()
    if kind == "svg" or kind in png.KINDS:
        drawn = picture.draw(_layers(caffe_net, phase), direction=rankdir, rates=display_lrm, repeats=repeats)
        return svg.svg(drawn, caffe_net.name).encode() if kind == "svg" else png.image(drawn, kind)
    _pydot(f'Brew draws svg, {", ".join(png.KINDS)}; ".{ext}" is written by way of pydot')
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    made: bytes = graph.to_string().encode() if kind in ("raw", "dot") else graph.create(format=kind)
    return made


def draw_net_to_file(
    caffe_net: NetParameter,
    filename: str | Path,
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write the net's picture to a file of the kind that its ending says (`draw_net`)."""
    path = Path(filename)
    path.write_bytes(draw_net(caffe_net, rankdir, path.suffix.removeprefix("."), phase, display_lrm))


def _layers(net: NetParameter, phase: int | None) -> Iterator[LayerParameter]:
    """The layers of a phase, or of both: only `phase` of their rules counts. Layers of older formats are upgraded."""
    for layer in define(net).net.message().layer if net.layers else net.layer:
        if phase is not None and layer.include and layer.exclude:
            raise Contradiction(f'layer "{layer.name}" has both include and exclude specified.')
        left_out = any(rule.HasField("phase") and rule.phase == phase for rule in layer.exclude)
        kept = not layer.include or any(not rule.HasField("phase") or rule.phase == phase for rule in layer.include)
        if phase is None or (kept and not left_out):
            yield layer


def _pydot(needed_for: str) -> Any:
    for name in ("pydotplus", "pydot"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise NoPydot(f"{needed_for}, and it is not installed", hint="pip install pydot")
