"""A Caffe net in PyTorch, as a PyTorch user would write it by hand: the peer that Brew is timed against.

BatchNorm takes in the Scale that follows it, the loss is `cross_entropy`, ReLU works in place where the net does, and
no blob is kept longer than it is needed. Pooling rounds up as Caffe's does and LRN follows Caffe's formula, so
that the same weights give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from nets import pair
from torch import Tensor

from brew.proto.brew_pb2 import EltwiseParameter, LayerParameter, LRNParameter, NetParameter, PoolingParameter
from brew.reports.summary import summarise

Step: TypeAlias = Callable[..., Tensor]
Weights: TypeAlias = Sequence[Tensor]


class Peer(torch.nn.Module):  # type: ignore[misc, unused-ignore]  # torch may not be here
    """The layers of `net`, one phase of a prototxt net that begins with Input layers; random weights.

    Called with the inputs in order, it gives the sum of the weighted losses, or the last top where there are none.
    BatchNorm and Dropout ask torch's `train()` and `eval()` for the phase. `blobs` are the weights by Brew's names,
    "<layer>/<index>"; ValueError for types and fields that are not known here.
    """

    def __init__(self, net: NetParameter) -> None:
        super().__init__()
        shapes = {layer.name: layer.parameter_shapes for layer in summarise(net).layers}
        self.blobs: dict[str, Tensor] = {}
        self.learned = torch.nn.ParameterList()
        self._inputs = [top for layer in net.layer if layer.type == "Input" for top in layer.top]
        self._steps: list[tuple[Step, list[str], str]] = []
        self._losses: list[str] = []
        self._statistics: list[str] = []
        layers = [layer for layer in net.layer if layer.type != "Input"]
        scales = {norm.name: scale for norm, scale in pairwise(layers) if _joined(norm, scale)}
        absorbed = {scale.name for scale in scales.values()}
        for layer in layers:
            if layer.name not in absorbed:
                scale = scales.get(layer.name)
                self._add(layer, scale, shapes)
        self._last_use = _last_uses([bottoms for _, bottoms, _ in self._steps])

    def _add(self, layer: LayerParameter, scale: LayerParameter | None, shapes: Mapping[str, Sequence[Any]]) -> None:
        if layer.type == "BatchNorm":
            mean, var = (self._statistic(layer, index, shapes[layer.name][0]) for index in (0, 1))
            affine = [] if scale is None else self._learn(scale, shapes[scale.name])
            step = self._batch_norm(layer, mean, var, affine)
        elif layer.type == "Dropout":
            ratio = layer.dropout_param.dropout_ratio
            step = lambda x: F.dropout(x, ratio, self.training)  # noqa: E731
        elif layer.type in _STEPS:
            step = _STEPS[layer.type](layer, self._learn(layer, shapes[layer.name]))
        else:
            raise ValueError(f'layer "{layer.name}": the peer has no type {layer.type}')
        if layer.type == "SoftmaxWithLoss":
            self._losses.append(layer.top[0])
        self._steps.append((step, list(layer.bottom), (scale or layer).top[0]))

    def _learn(self, layer: LayerParameter, shapes: Sequence[Any]) -> list[Tensor]:
        result: list[Tensor] = []
        for index, shape in enumerate(shapes):
            if layer.type == "Scale":
                values = torch.full(shape, 1.0 - index)
            else:
                values = torch.randn(shape) / (torch.Size(shape[1:]).numel() ** 0.5 if len(shape) > 1 else 10)
            result.append(torch.nn.Parameter(values))
            self.learned.append(result[-1])
            self.blobs[f"{layer.name}/{index}"] = result[-1]
        return result

    def _statistic(self, layer: LayerParameter, index: int, shape: Any) -> Tensor:
        values = torch.full(shape, float(index))
        self.register_buffer(f"statistic {len(self._statistics)}", values)
        self._statistics.append(f"{layer.name}/{index}")
        self.blobs[self._statistics[-1]] = values
        return values

    def _batch_norm(self, layer: LayerParameter, mean: Tensor, var: Tensor, affine: Weights) -> Step:
        own = layer.batch_norm_param
        weight, bias = affine or (None, None)
        momentum, stored = 1 - own.moving_average_fraction, own.HasField("use_global_stats")

        def step(x: Tensor) -> Tensor:
            batch = not own.use_global_stats if stored else self.training
            return F.batch_norm(x, mean, var, weight, bias, batch, momentum, own.eps)

        return step

    def load(self, weights: Callable[[str], Tensor]) -> None:
        """Take the weights that `weights` gives for Brew's names."""
        with torch.no_grad():
            for name, blob in self.blobs.items():
                blob.copy_(weights(name))
                if name in self._statistics:  # Caffe keeps sums, and over how much they go
                    blob.div_(weights(name[:-1] + "2").item() or 1.0)

    def forward(self, *inputs: Tensor) -> Tensor:
        blobs = dict(zip(self._inputs, inputs, strict=True))
        total: Tensor | None = None
        for (step, bottoms, top), over in zip(self._steps, self._last_use, strict=True):
            y = step(*(blobs[b] for b in bottoms))
            for bottom in over:
                del blobs[bottom]
            if top in self._losses:
                total = y if total is None else total + y
            blobs[top] = y
        return y if total is None else total


def _joined(norm: LayerParameter, scale: LayerParameter) -> bool:
    """Whether `scale` is the affine half of `norm`, as Caffe's users write it."""
    return (norm.type, scale.type) == ("BatchNorm", "Scale") and list(norm.top) == list(scale.bottom)


def _last_uses(bottoms: Sequence[Sequence[str]]) -> list[list[str]]:
    """For every step the blobs that no later step reads before they are written again."""
    result: list[list[str]] = []
    later: set[str] = set()
    for names in reversed(bottoms):
        result.append([name for name in dict.fromkeys(names) if name not in later])
        later.update(names)
    return result[::-1]


def _convolution(layer: LayerParameter, weights: Weights) -> Step:
    own = layer.convolution_param
    weight, bias = weights[0], weights[1] if own.bias_term else None
    stride, pad, dilation = pair(own, "stride", 1), pair(own, "pad", 0), pair(own, "dilation", 1)
    return lambda x: F.conv2d(x, weight, bias, stride, pad, dilation, own.group)


def _inner_product(layer: LayerParameter, weights: Weights) -> Step:
    bias = weights[1] if layer.inner_product_param.bias_term else None
    return lambda x: F.linear(x.flatten(1), weights[0], bias)


def _pooling(layer: LayerParameter, weights: Weights) -> Step:
    own = layer.pooling_param
    largest = own.pool == PoolingParameter.MAX
    if own.global_pooling:
        return lambda x: (F.adaptive_max_pool2d if largest else F.adaptive_avg_pool2d)(x, 1)
    kernel, stride, pad = pair(own, "kernel", 0), pair(own, "stride", 1), pair(own, "pad", 0)
    ceil = own.round_mode == PoolingParameter.CEIL
    if largest:
        return lambda x: F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil)
    return lambda x: F.avg_pool2d(x, kernel, stride, pad, ceil_mode=ceil)


def _lrn(layer: LayerParameter, weights: Weights) -> Step:
    own = layer.lrn_param
    if own.norm_region == LRNParameter.ACROSS_CHANNELS:
        return lambda x: F.local_response_norm(x, own.local_size, own.alpha, own.beta, own.k)
    size, alpha, beta = own.local_size, own.alpha, own.beta
    return lambda x: x / (1 + alpha * F.avg_pool2d(x * x, size, 1, size // 2)) ** beta


def _relu(layer: LayerParameter, weights: Weights) -> Step:
    slope, in_place = layer.relu_param.negative_slope, layer.top[0] == layer.bottom[0]
    return lambda x: F.leaky_relu(x, slope, in_place) if slope else F.relu(x, in_place)


def _eltwise(layer: LayerParameter, weights: Weights) -> Step:
    own = layer.eltwise_param
    if own.coeff:
        raise ValueError(f'layer "{layer.name}": the peer has no coefficients')
    function = {EltwiseParameter.SUM: torch.add, EltwiseParameter.PROD: torch.mul, EltwiseParameter.MAX: torch.maximum}
    return lambda *xs: reduce(function[own.operation], xs)


def _concat(layer: LayerParameter, weights: Weights) -> Step:
    return lambda *xs: torch.cat(xs, layer.concat_param.axis)


def _scale(layer: LayerParameter, weights: Weights) -> Step:
    def step(x: Tensor) -> Tensor:
        factor, *bias = (w.view(1, -1, *[1] * (x.ndim - 2)) for w in weights)
        return torch.addcmul(bias[0], x, factor) if bias else x * factor

    return step


def _softmax_with_loss(layer: LayerParameter, weights: Weights) -> Step:
    weight = layer.loss_weight[0] if layer.loss_weight else 1.0
    return lambda x, y: weight * F.cross_entropy(x.flatten(2).squeeze(2) if x.ndim > 2 else x, y)


_STEPS: dict[str, Callable[[LayerParameter, Weights], Step]] = {
    "Concat": _concat,
    "Convolution": _convolution,
    "Eltwise": _eltwise,
    "Flatten": lambda layer, weights: lambda x: x.flatten(1),
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Pooling": _pooling,
    "ReLU": _relu,
    "Scale": _scale,
    "Softmax": lambda layer, weights: lambda x: F.softmax(x, 1),
    "SoftmaxWithLoss": _softmax_with_loss,
}
