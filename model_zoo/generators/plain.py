"""Nets without normalization: AlexNet, Network in Network, SqueezeNet and VGG-19."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brew.caffe import layers as L
from brew.proto.brew_pb2 import NetParameter

from .blocks import CAFFE_MEAN, Net

_MEAN_FILE = {"mean_file": "data/ilsvrc12/imagenet_mean.binaryproto"}


def alexnet() -> NetParameter:
    """Layers named as in Caffe's bvlc_alexnet."""
    net = Net("AlexNet", 227, _MEAN_FILE, (256, 50))
    x = net.n.data
    shapes = [(96, 11, 0), (256, 5, 0.1), (384, 3, 0), (384, 3, 0.1), (256, 3, 0.1)]
    for number, (outputs, kernel, start) in enumerate(shapes, 1):
        place = {"stride": 4} if number == 1 else {"pad": kernel // 2}
        group = {"group": 2} if number in (2, 4, 5) else {}
        x = net.conv(
            f"conv{number}", x, outputs, kernel, bias=True, filler=_normal(0.01), start=start, **place, **group
        )
        x = net.relu(f"relu{number}", x)
        if number <= 2:
            net.n[f"norm{number}"] = x = L.LRN(x, local_size=5, alpha=1e-4, beta=0.75)
        if number in (1, 2, 5):
            x = net.pool(f"pool{number}", x, 3, 2)
    for number in (6, 7):
        x = _hidden(net, number, x, _normal(0.005), 0.1)
    return net.end(net.classifier("fc8", x, _normal(0.01)))


def vgg19() -> NetParameter:
    """Configuration E, layers named as in the authors' VGG_ILSVRC_19_layers."""
    net = Net("VGG-19", 224, CAFFE_MEAN)
    x = net.n.data
    for block, (outputs, convolutions) in enumerate([(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)], 1):
        for number in range(1, convolutions + 1):
            x = net.conv(f"conv{block}_{number}", x, outputs, 3, pad=1, bias=True)
            x = net.relu(f"relu{block}_{number}", x)
        x = net.pool(f"pool{block}", x, 2, 2)
    for number in (6, 7):
        x = _hidden(net, number, x, {"type": "msra"}, 0)
    return net.end(net.classifier("fc8", x))


def nin() -> NetParameter:
    """Layers and blobs named as in the authors' nin_imagenet, which has neither relu4 nor pool1."""
    net = Net("NIN", 224, _MEAN_FILE, (64, 50))
    relus = iter([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12])

    def block(x: Any, names: tuple[str, str, str], outputs: tuple[int, int, int], kernel: int, **first: int) -> Any:
        for name, number in zip(names, outputs, strict=True):
            side, place = (kernel, first) if name == names[0] else (1, {})
            std = 0.01 if name in ("conv1", "conv3", "cccp8-1024") else 0.05
            top = net.conv(
                name.removesuffix("-1024"), x, number, side, name=name, bias=True, filler=_normal(std), **place
            )
            x = net.relu(f"relu{next(relus)}", top)
        return x

    x = block(net.n.data, ("conv1", "cccp1", "cccp2"), (96, 96, 96), 11, stride=4)
    x = block(net.pool("pool0", x, 3, 2), ("conv2", "cccp3", "cccp4"), (256, 256, 256), 5, pad=2)
    x = block(net.pool("pool2", x, 3, 2), ("conv3", "cccp5", "cccp6"), (384, 384, 384), 3, pad=1)
    x = _drop(net, "drop", net.pool("pool3", x, 3, 2))
    x = block(x, ("conv4-1024", "cccp7-1024", "cccp8-1024"), (1024, 1024, 1000), 3, pad=1)
    return net.end(net.pool("pool4", x, 6, 1, pool=1))


def squeezenet_v1_0() -> NetParameter:
    """96 filters of 7 x 7 first, and pooling late."""
    return _squeezenet("SqueezeNet v1.0", (96, 7), (4, 8), {"pad": 1})


def squeezenet_v1_1() -> NetParameter:
    """64 filters of 3 x 3 first, and pooling early: 2.4 times less to compute."""
    return _squeezenet("SqueezeNet v1.1", (64, 3), (3, 5), {})


def _squeezenet(name: str, first: tuple[int, int], pooled: tuple[int, int], last: dict[str, int]) -> NetParameter:
    """Layers named as in the authors' files; behind the modules of these numbers stands a pooling."""
    net = Net(name, 227, CAFFE_MEAN)
    xavier: dict[str, Any] = {"bias": True, "filler": {"type": "xavier"}}
    x = net.relu("relu_conv1", net.conv("conv1", net.n.data, first[0], first[1], stride=2, **xavier))
    x = net.pool("pool1", x, 3, 2)
    for number in range(2, 10):
        squeezed = 16 * (number // 2)
        x = net.conv(f"fire{number}/squeeze1x1", x, squeezed, 1, **xavier)
        x = net.relu(f"fire{number}/relu_squeeze1x1", x)
        wide = []
        for side in (1, 3):
            top = net.conv(f"fire{number}/expand{side}x{side}", x, 4 * squeezed, side, pad=side // 2, **xavier)
            wide.append(net.relu(f"fire{number}/relu_expand{side}x{side}", top))
        net.n[f"fire{number}/concat"] = x = L.Concat(*wide)
        if number in pooled:
            x = net.pool(f"pool{number}", x, 3, 2)
    x = net.conv("conv10", _drop(net, "drop9", x), 1000, 1, bias=True, filler=_normal(0.01), **last)
    return net.end(net.pool("pool10", net.relu("relu_conv10", x)))


def _hidden(net: Net, number: int, bottom: Any, filler: dict[str, Any], start: float) -> Any:
    """A layer of 4096 outputs with ReLU and Dropout."""
    x = net.inner(f"fc{number}", bottom, 4096, filler, start)
    return _drop(net, f"drop{number}", net.relu(f"relu{number}", x))


def _drop(net: Net, name: str, bottom: Any) -> Any:
    net.n[name] = L.Dropout(bottom, in_place=True, dropout_ratio=0.5)
    return net.n[name]


def _normal(std: float) -> dict[str, Any]:
    return {"type": "gaussian", "std": std}


NETS: dict[str, Callable[[], NetParameter]] = {
    "alexnet": alexnet,
    "nin": nin,
    "squeezenet_v1.0": squeezenet_v1_0,
    "squeezenet_v1.1": squeezenet_v1_1,
    "vgg19": vgg19,
}
