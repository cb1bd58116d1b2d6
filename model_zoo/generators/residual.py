"""Nets of sums: ResNet, ResNeXt and SE-ResNet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from string import ascii_lowercase
from typing import Any

from brew.caffe import layers as L
from brew.proto.brew_pb2 import NetParameter

from .blocks import CAFFE_MEAN, Net

_STAGES = (64, 128, 256, 512)  # channels of the 3 x 3 convolutions


def resnet(
    name: str,
    blocks: tuple[int, int, int, int],
    *,
    deep: bool = False,
    numbered: bool = False,
    first_projected: bool = True,
) -> NetParameter:
    """Layers named as in the authors' deploy files; the stride is in a block's first convolution.

    `deep` blocks are of 1 x 1, 3 x 3 and 1 x 1, others of 3 x 3 twice. Without `first_projected` the first block, whose
    bottom has the channels of its top already, adds it as it is. `numbered` calls the blocks of the two long stages a,
    b1, b2 rather than a, b, c.
    """
    net = Net(name, 224, CAFFE_MEAN)
    x = net.conv("conv1", net.n.data, 64, 7, pad=3, stride=2)
    x = net.relu("conv1_relu", net.norm(("bn_conv1", "scale_conv1"), x))
    x = net.pool("pool1", x, 3, 2)
    for stage, (channels, number) in enumerate(zip(_STAGES, blocks, strict=True), 2):
        shape = [(channels, 1), (channels, 3), (4 * channels, 1)] if deep else [(channels, 3), (channels, 3)]
        for block in range(number):
            own = f"{stage}b{block}" if numbered and block and stage in (3, 4) else f"{stage}{ascii_lowercase[block]}"
            stride = 2 if stage > 2 and block == 0 else 1
            project = block == 0 and (first_projected or stage > 2)
            around = _branch(net, own, "1", x, (shape[-1][0], 1), stride) if project else x
            for part, size in zip("abc"[: len(shape)], shape, strict=True):
                x = _branch(net, own, f"2{part}", x, size, stride if part == "a" else 1)
                if size is not shape[-1] or part != "abc"[len(shape) - 1]:
                    x = net.relu(f"res{own}_branch2{part}_relu", x)
            net.n[f"res{own}"] = L.Eltwise(around, x)
            x = net.relu(f"res{own}_relu", net.n[f"res{own}"])
    return net.end(net.classifier("fc1000", net.pool("pool5", x, 7, 1, pool=1)))


def _branch(net: Net, own: str, branch: str, bottom: Any, size: tuple[int, int], stride: int) -> Any:
    place: dict[str, Any] = {"pad": 1} if size[1] == 3 else {}
    if stride > 1:
        place["stride"] = stride
    x = net.conv(f"res{own}_branch{branch}", bottom, size[0], size[1], **place)
    return net.norm((f"bn{own}_branch{branch}", f"scale{own}_branch{branch}"), x)


def resnext50() -> NetParameter:
    """ResNeXt-50 of 32 groups by 4 channels, layers named as in cypw/ResNeXt-1; the data are normalized first."""
    net = Net("ResNeXt-50", 224, {})
    norm = partial(net.norm, eps=2e-5)
    x = norm(("bn_data", "scale_bn_data"), net.n.data)
    x = net.conv("conv0", x, 64, 7, pad=3, stride=2)
    x = net.relu("relu0", norm(("bn0", "scale_bn0"), x))
    x = net.pool("pooling0", x, 3, 2)
    for stage, (channels, blocks) in enumerate(zip(_STAGES, (3, 4, 6, 3), strict=True), 1):
        for block in range(1, blocks + 1):
            own = f"stage{stage}_unit{block}"
            stride = {"stride": 2} if stage > 1 and block == 1 else {}
            shapes: list[tuple[int, int, dict[str, int]]] = [
                (2 * channels, 1, {}), (2 * channels, 3, {"pad": 1, "group": 32, **stride}), (4 * channels, 1, {})
            ]  # fmt: skip
            around = x
            for part, (outputs, kernel, fields) in enumerate(shapes, 1):
                x = net.conv(f"{own}_conv{part}", x, outputs, kernel, **fields)
                x = norm((f"{own}_bn{part}", f"scale_{own}_bn{part}"), x)
                x = net.relu(f"{own}_relu{part}", x) if part < 3 else x
            if block == 1:
                around = net.conv(f"{own}_sc", around, 4 * channels, 1, **stride)
                around = norm((f"{own}_sc_bn", f"scale_{own}_sc_bn"), around)
            net.n[f"{own}_plus"] = L.Eltwise(around, x)
            x = net.relu(f"{own}_relu", net.n[f"{own}_plus"])
    return net.end(net.classifier("fc1", net.pool("pool1", x)))


def se_resnet50() -> NetParameter:
    """Layers with weights named as in hujie-frank/SENet; Flatten, Scale and Eltwise do what Axpy does there."""
    net = Net("SE-ResNet-50", 224, CAFFE_MEAN)
    x = net.conv("conv1/7x7_s2", net.n.data, 64, 7, pad=3, stride=2)
    x = net.relu("conv1/relu_7x7_s2", _normalized(net, "conv1/7x7_s2", x))
    x = net.pool("pool1/3x3_s2", x, 3, 2)
    for stage, (channels, blocks) in enumerate(zip(_STAGES, (3, 4, 6, 3), strict=True), 2):
        for block in range(1, blocks + 1):
            own, around = f"conv{stage}_{block}", x
            stride = {"stride": 2} if stage > 2 and block == 1 else {}
            for name, outputs, kernel, fields in (
                (f"{own}_1x1_reduce", channels, 1, stride), (f"{own}_3x3", channels, 3, {"pad": 1})
            ):  # fmt: skip
                x = net.relu(f"{name}/relu", _normalized(net, name, net.conv(name, x, outputs, kernel, **fields)))
            increased = f"{own}_1x1_increase"
            x = _normalized(net, increased, net.conv(increased, x, 4 * channels, 1))
            x = _excited(net, own, x, 4 * channels)
            if block == 1:
                name = f"{own}_1x1_proj"
                around = _normalized(net, name, net.conv(name, around, 4 * channels, 1, **stride))
            net.n[own] = L.Eltwise(around, x)
            x = net.relu(f"{own}/relu", net.n[own])
    return net.end(net.classifier("classifier", net.pool("pool5/7x7_s1", x, 7, 1, pool=1)))


def _normalized(net: Net, name: str, bottom: Any) -> Any:
    return net.norm((f"{name}/bn", f"{name}/bn/scale"), bottom)


def _excited(net: Net, own: str, bottom: Any, channels: int) -> Any:
    """Each channel, times a number between 0 and 1 that all channels' means decide."""
    means = net.pool(f"{own}_global_pool", bottom)
    few = net.relu(f"{own}_1x1_down/relu", net.conv(f"{own}_1x1_down", means, channels // 16, 1, bias=True))
    net.n[f"{own}_prob"] = L.Sigmoid(net.conv(f"{own}_1x1_up", few, channels, 1, bias=True), in_place=True)
    net.n[f"{own}_factors"] = L.Flatten(net.n[f"{own}_prob"])
    net.n[f"{own}_scaled"] = L.Scale(bottom, net.n[f"{own}_factors"], axis=0)
    return net.n[f"{own}_scaled"]


NETS: dict[str, Callable[[], NetParameter]] = {
    "resnet18": partial(resnet, "ResNet-18", (2, 2, 2, 2)),
    "resnet34": partial(resnet, "ResNet-34", (3, 4, 6, 3), first_projected=False),
    "resnet101": partial(resnet, "ResNet-101", (3, 4, 23, 3), deep=True, numbered=True),
    "resnet152": partial(resnet, "ResNet-152", (3, 8, 36, 3), deep=True, numbered=True),
    "resnext50": resnext50,
    "se_resnet50": se_resnet50,
}
