"""What a layer's card says of it, and the kind of layer that gives its colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brew.plain_text import one_line
from brew.proto.brew_pb2 import EltwiseParameter, LayerParameter, PoolingParameter

_KINDS = {
    "data": "Data DummyData HDF5Data ImageData Input MemoryData Parameter WindowData AnnotatedData",
    "convolution": "Convolution Deconvolution Im2col",
    "pooling": "Pooling SPP Crop",
    "product": "Embed InnerProduct LSTM RNN",
    "neuron": "AbsVal BNLL Clip Dropout ELU Exp Log Power PReLU ReLU Sigmoid Swish TanH Threshold",
    "norm": "BatchNorm Bias LRN MVN Normalize Scale Softmax",
    "loss": "Accuracy",
}
_KIND = {name: kind for kind, names in _KINDS.items() for name in names.split()}


def kind(type_name: str) -> str:
    """One of data, convolution, pooling, product, neuron, norm, loss, other."""
    return "loss" if type_name.endswith(("Loss", "WithLoss")) else _KIND.get(type_name, "other")


def detail(layer: LayerParameter, *, rates: bool = False) -> str:
    """The type, and the few numbers by which people know such a layer; with `rates` the lr_mult of its parameters."""
    facts = [layer.type, *_facts(layer)]
    if rates and layer.param:
        facts.append(f"lr x {', '.join(f'{spec.lr_mult:g}' for spec in layer.param)}")
    return one_line(" \N{MIDDLE DOT} ".join(fact for fact in facts if fact))


def _facts(layer: LayerParameter) -> list[str]:
    match layer.type:
        case "Convolution" | "Deconvolution":
            return _convolution(layer.convolution_param)
        case "Pooling":
            return _pooling(layer.pooling_param)
        case "InnerProduct":
            return [str(layer.inner_product_param.num_output)]
        case "LSTM" | "RNN":
            return [str(layer.recurrent_param.num_output)]
        case "Eltwise":
            return [EltwiseParameter.EltwiseOp.Name(layer.eltwise_param.operation).lower()]
        case "Dropout":
            return [f"{layer.dropout_param.dropout_ratio:g}"]
        case "Data":
            return [f"batch {layer.data_param.batch_size}"] if layer.data_param.batch_size else []
        case "Input":
            return [_product(shape.dim) for shape in layer.input_param.shape]
        case "Python":
            return [layer.python_param.layer]
        case _:
            return []


def _convolution(message: Any) -> list[str]:
    kernel = _window(message, "kernel", 1)
    return [
        f"{message.num_output}",
        kernel,
        _said("stride", _window(message, "stride", 1), "1"),
        _said("pad", _window(message, "pad", 0), "0"),
        _said("dilation", _product(message.dilation or [1]), "1"),
        f"group {message.group}" if message.group > 1 else "",
    ]


def _pooling(message: Any) -> list[str]:
    method = PoolingParameter.PoolMethod.Name(message.pool).lower()
    if message.global_pooling:
        return [f"{method}, global"]
    kernel = _window(message, "kernel", 1)
    stride, pad = _window(message, "stride", 1), _window(message, "pad", 0)
    return [f"{method} {kernel}", _said("stride", stride, "1"), _said("pad", pad, "0")]


def _window(message: Any, name: str, default: int) -> str:
    """ "3 x 3" of a kernel, "2" of a stride that is the same along both axes."""
    if message.HasField(f"{name}_h") or message.HasField(f"{name}_w"):
        return _product([getattr(message, f"{name}_h"), getattr(message, f"{name}_w")])
    value = getattr(message, "kernel_size" if name == "kernel" else name)
    sizes = [value] if isinstance(value, int) else list(value) or [default]
    return _product(sizes * 2 if name == "kernel" and len(sizes) == 1 else sizes)


def _said(name: str, value: str, usual: str) -> str:
    return "" if value == usual else f"{name} {value}"


def _product(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
