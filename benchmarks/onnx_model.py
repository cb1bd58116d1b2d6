"""A Caffe net in TEST as an ONNX model, for ONNX Runtime: operators of the standard set, weights inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from nets import pair
from onnx import helper, numpy_helper

from brew.proto.brew_pb2 import LayerParameter, LRNParameter, NetParameter, PoolingParameter
from brew.reports.summary import summarise

Array = npt.NDArray[Any]
Weights: TypeAlias = Callable[[str], Array]

_OPSET, _IR = 19, 9  # the first with AveragePool's ceil_mode as Caffe has it, and its file format


class _Graph:
    """A model in the making. Tensors are named after blobs, with a number for each time a blob is written."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.current: dict[str, str] = {}

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """A node with one output; its name."""
        output = f"{operator}#{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values: Any) -> str:
        name = f"constant#{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def blobs(self, layer: LayerParameter, count: int) -> list[str]:
        return [self.constant(self.weights(f"{layer.name}/{index}")) for index in range(count)]


def model(net: NetParameter, weights: Weights) -> onnx.ModelProto:
    """`net` (TEST, beginning with Input layers) with the weights that `weights` gives for "<layer>/<index>".

    The inputs are the net's, labels as int64; the one output, "loss", is the weighted sum of its losses, or without
    losses its last top. ValueError for types that are not known here.
    """
    graph = _Graph(weights)
    inputs, losses, last = [], [], ""
    labels = {layer.bottom[1] for layer in net.layer if layer.type == "SoftmaxWithLoss"}
    ranks = {name: len(shape) for layer in summarise(net, 1).layers for name, shape in layer.tops}
    for layer in net.layer:
        if layer.type == "Input":
            for top, shape in zip(layer.top, layer.input_param.shape, strict=True):
                kind = onnx.TensorProto.INT64 if top in labels else onnx.TensorProto.FLOAT
                inputs.append(helper.make_tensor_value_info(top, kind, list(shape.dim)))
                graph.current[top] = top
            continue
        if layer.type not in _OPERATORS:
            raise ValueError(f'layer "{layer.name}": there is no way to ONNX for type {layer.type}')
        bottoms = [graph.current[b] for b in layer.bottom]
        if layer.type == "SoftmaxWithLoss" and ranks[layer.bottom[0]] > 2:
            bottoms[0] = graph.add("Flatten", bottoms[:1])
        last = _OPERATORS[layer.type](graph, layer, bottoms)
        graph.current[layer.top[0]] = last
        if layer.type == "SoftmaxWithLoss":
            losses.append(last)
    total = graph.add("Sum", losses) if losses else last
    graph.nodes.append(helper.make_node("Identity", [total], ["loss"]))
    output = helper.make_tensor_value_info("loss", onnx.TensorProto.FLOAT, None)
    made = helper.make_graph(graph.nodes, net.name or "net", inputs, [output], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)


def _convolution(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    own = layer.convolution_param
    parameters = graph.blobs(layer, 1 + own.bias_term)
    return graph.add("Conv", x + parameters, strides=pair(own, "stride", 1), pads=[*pair(own, "pad", 0)] * 2,
                     dilations=pair(own, "dilation", 1), group=own.group)  # fmt: skip


def _inner_product(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    parameters = graph.blobs(layer, 1 + layer.inner_product_param.bias_term)
    return graph.add("Gemm", [graph.add("Flatten", x), *parameters], transB=1)


def _pooling(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    own = layer.pooling_param
    largest = own.pool == PoolingParameter.MAX
    if own.global_pooling:
        return graph.add("GlobalMaxPool" if largest else "GlobalAveragePool", x)
    shape = {
        "kernel_shape": pair(own, "kernel", 0),
        "strides": pair(own, "stride", 1),
        "pads": [*pair(own, "pad", 0)] * 2,
        "ceil_mode": int(own.round_mode == PoolingParameter.CEIL),
    }
    return graph.add("MaxPool", x, **shape) if largest else graph.add("AveragePool", x, count_include_pad=1, **shape)


def _lrn(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    own = layer.lrn_param
    if own.norm_region == LRNParameter.ACROSS_CHANNELS:
        return graph.add("LRN", x, alpha=own.alpha, beta=own.beta, bias=own.k, size=own.local_size)
    size, pad = [own.local_size] * 2, [own.local_size // 2] * 4
    mean = graph.add("AveragePool", [graph.add("Mul", x + x)], kernel_shape=size, pads=pad, count_include_pad=1)
    scaled = graph.add("Mul", [mean, graph.constant(own.alpha)])
    power = graph.add("Pow", [graph.add("Add", [scaled, graph.constant(1)]), graph.constant(own.beta)])
    return graph.add("Div", [*x, power])


def _batch_norm(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    mean, var, factor = (graph.weights(f"{layer.name}/{index}") for index in range(3))
    over = float(factor.reshape(-1)[0]) or 1.0
    ones = graph.constant(np.ones_like(mean)), graph.constant(np.zeros_like(mean))
    statistics = graph.constant(mean / over), graph.constant(var / over)
    return graph.add("BatchNormalization", [*x, *ones, *statistics], epsilon=layer.batch_norm_param.eps)


def _scale(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    factor, *bias = (graph.weights(f"{layer.name}/{i}") for i in range(1 + layer.scale_param.bias_term))
    y = graph.add("Mul", [*x, graph.constant(factor.reshape(-1, 1, 1))])
    return graph.add("Add", [y, graph.constant(bias[0].reshape(-1, 1, 1))]) if bias else y


def _relu(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    slope = layer.relu_param.negative_slope
    return graph.add("LeakyRelu", x, alpha=slope) if slope else graph.add("Relu", x)


def _eltwise(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    own = layer.eltwise_param
    if own.coeff or own.operation != own.SUM:
        raise ValueError(f'layer "{layer.name}": only plain sums have a way to ONNX')
    return graph.add("Add" if len(x) == 2 else "Sum", x)


def _softmax_with_loss(graph: _Graph, layer: LayerParameter, x: list[str]) -> str:
    loss = graph.add("SoftmaxCrossEntropyLoss", x)
    weight = layer.loss_weight[0] if layer.loss_weight else 1.0
    return loss if weight == 1 else graph.add("Mul", [loss, graph.constant(weight)])


_OPERATORS: dict[str, Callable[[_Graph, LayerParameter, list[str]], str]] = {
    "BatchNorm": _batch_norm,
    "Concat": lambda graph, layer, x: graph.add("Concat", x, axis=layer.concat_param.axis),
    "Convolution": _convolution,
    "Dropout": lambda graph, layer, x: x[0],
    "Eltwise": _eltwise,
    "Flatten": lambda graph, layer, x: graph.add("Flatten", x),
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Pooling": _pooling,
    "ReLU": _relu,
    "Scale": _scale,
    "Softmax": lambda graph, layer, x: graph.add("Softmax", x, axis=1),
    "SoftmaxWithLoss": _softmax_with_loss,
}
