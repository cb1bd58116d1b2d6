"""A net in the words that most readers of Caffe's files understand: other Caffes, OpenCV, ncnn, MNN and converters.

One input to a layer, no engine, no statistics of the batch; or inputs as fields of the net, for older readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.message import Message

from brew.proto.brew_pb2 import BlobShape, InputParameter, LayerParameter, NetParameter


def input_layer(name: str, tops: Sequence[str], shapes: Sequence[Sequence[int]]) -> LayerParameter:
    """An Input layer that makes a blob of each shape."""
    parameter = InputParameter(shape=[BlobShape(dim=shape) for shape in shapes])
    return LayerParameter(name=name, type="Input", top=tops, input_param=parameter)


def input_layers(
    tops: Sequence[str], shapes: Sequence[Sequence[int]], taken: set[str], spare: str = ""
) -> list[LayerParameter]:
    """An Input layer for each blob, named after it, or `spare`, where no other layer of the net has the name.

    `taken` are the names of the other layers; these join them.
    """
    layers = []
    for top, shape in zip(tops, shapes, strict=True):
        name = next(name for name in _names(top, spare) if name not in taken)
        taken.add(name)
        layers.append(input_layer(name, [top], [shape]))
    return layers


def _names(top: str, spare: str) -> Iterable[str]:
    yield from filter(None, (top, spare, f"{top}_input"))
    number = 2
    while True:
        yield f"{top}_input{number}"
        number += 1


def separate_inputs(net: NetParameter) -> None:
    """Let every Input layer of `net` make one blob: readers such as ncnn take a layer's first top alone."""
    several = [layer.type == "Input" and len(layer.top) > 1 for layer in net.layer]
    taken = {layer.name for layer, gone in zip(net.layer, several, strict=True) if not gone}
    layers: list[LayerParameter] = []
    for layer, splits in zip(net.layer, several, strict=True):
        shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
        shapes *= len(layer.top) if len(shapes) == 1 else 1
        if splits and len(shapes) == len(layer.top) and not layer.include and not layer.exclude:
            layers += input_layers(layer.top, shapes, taken, layer.name)
        else:
            layers.append(layer)
    if any(several):
        kept = [_copy(layer) for layer in layers]
        del net.layer[:]
        net.layer.extend(kept)


def with_input_fields(net: NetParameter) -> NetParameter:
    """`net` with its Input layers as the fields of before 2015: `input`, and `input_dim` where all have four axes."""
    old = NetParameter()
    old.CopyFrom(net)
    inputs = [layer for layer in net.layer if layer.type == "Input"]
    del old.layer[:]
    old.layer.extend(layer for layer in net.layer if layer.type != "Input")
    shapes = [shape for layer in inputs for shape in layer.input_param.shape]
    old.input.extend(top for layer in inputs for top in layer.top)
    if all(len(shape.dim) == 4 for shape in shapes):
        old.input_dim.extend(dim for shape in shapes for dim in shape.dim)
    else:
        old.input_shape.extend(shapes)
    return old


def without_engine(layer: LayerParameter) -> None:
    """Clear the engine of the layer: other readers know other ones."""
    for _, inner in layer.ListFields():
        if isinstance(inner, Message) and "engine" in inner.DESCRIPTOR.fields_by_name:
            inner.ClearField("engine")


def uses_batch_statistics(layer: LayerParameter) -> bool:
    """Whether a BatchNorm is told to use the statistics of each batch in every phase."""
    own: Any = layer.batch_norm_param
    return layer.type == "BatchNorm" and own.HasField("use_global_stats") and not own.use_global_stats


def _copy(layer: LayerParameter) -> LayerParameter:
    copied = LayerParameter()
    copied.CopyFrom(layer)
    return copied
