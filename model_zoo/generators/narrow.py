"""Nets of few parameters: DenseNet-121 and MobileNet v2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brew.caffe import layers as L
from brew.proto.brew_pb2 import NetParameter

from .blocks import SCALED, Net


def densenet121() -> NetParameter:
    """Layers named as in shicai/DenseNet-Caffe: each layer's 32 channels are appended to all before it."""
    net = Net("DenseNet-121", 224, SCALED)
    x = net.conv("conv1", net.n.data, 64, 7, pad=3, stride=2)
    x = _normalized(net, "conv1", "relu1", x)
    x = net.pool("pool1", x, 3, 2, pad=1, round_mode=1)
    channels = 64
    for stage, layers in enumerate((6, 12, 24, 16), 2):
        for layer in range(1, layers + 1):
            own, new = f"{stage}_{layer}", x
            for part, outputs, kernel in (("x1", 128, 1), ("x2", 32, 3)):
                new = _normalized(net, f"conv{own}/{part}", f"relu{own}/{part}", new)
                new = net.conv(f"conv{own}/{part}", new, outputs, kernel, **({"pad": 1} if kernel == 3 else {}))
            net.n[f"concat_{own}"] = x = L.Concat(x, new)
        channels += 32 * layers
        x = _normalized(net, f"conv{stage}_blk", f"relu{stage}_blk", x)
        if stage < 5:
            channels //= 2
            x = net.pool(f"pool{stage}", net.conv(f"conv{stage}_blk", x, channels, 1), 2, 2, pool=1)
    return net.end(net.conv("fc6", net.pool("pool5", x), 1000, 1, bias=True))


# Channels, blocks, and the stride of the first block of each row. The 64 channels keep the size of those before them
# and the 96 halve it, as in shicai/MobileNet-Caffe; in the paper it is the other way round.
_ROWS = {
    2: [(16, 1, 1), (24, 1, 2)],
    3: [(24, 1, 1), (32, 1, 2)],
    4: [(32, 2, 1), (64, 4, 1), (96, 1, 2)],
    5: [(96, 2, 1), (160, 1, 2)],
    6: [(160, 2, 1), (320, 1, 1)],
}


def mobilenet_v2() -> NetParameter:
    """Layers named as in shicai/MobileNet-Caffe: narrow blocks, widened six times inside."""
    net = Net("MobileNet v2", 224, SCALED, (64, 50))
    x = _normalized(net, "conv1", "relu1", net.conv("conv1", net.n.data, 32, 3, pad=1, stride=2))
    channels = 32
    for stage, rows in _ROWS.items():
        number = 0
        for outputs, blocks, first_stride in rows:
            for block in range(blocks):
                number += 1
                x = _inverted(net, f"{stage}_{number}", x, channels, outputs, 1 if block else first_stride)
                channels = outputs
    x = _normalized(net, "conv6_4", "relu6_4", net.conv("conv6_4", x, 1280, 1))
    return net.end(net.conv("fc7", net.pool("pool6", x), 1000, 1, bias=True))


def _inverted(net: Net, own: str, bottom: Any, channels: int, outputs: int, stride: int) -> Any:
    """A block: wider, a 3 x 3 of each channel, narrow again; the bottom is added where the shapes agree."""
    wide = channels if own == "2_1" else 6 * channels
    x = net.conv(f"conv{own}/expand", bottom, wide, 1)
    x = _normalized(net, f"conv{own}/expand", f"relu{own}/expand", x)
    depthwise = {"pad": 1, "group": wide, **({"stride": stride} if stride > 1 else {})}
    x = net.conv(f"conv{own}/dwise", x, wide, 3, **depthwise)
    x = _normalized(net, f"conv{own}/dwise", f"relu{own}/dwise", x)
    x = _normalized(net, f"conv{own}/linear", None, net.conv(f"conv{own}/linear", x, outputs, 1))
    if stride > 1 or channels != outputs:
        return x
    net.n[f"block_{own}"] = L.Eltwise(bottom, x)
    return net.n[f"block_{own}"]


def _normalized(net: Net, name: str, relu: str | None, bottom: Any) -> Any:
    """BatchNorm into a blob of its own, Scale, and a ReLU if it has a name."""
    x = net.norm((f"{name}/bn", f"{name}/scale"), bottom, in_place=False)
    return net.relu(relu, x) if relu else x


NETS: dict[str, Callable[[], NetParameter]] = {"densenet121": densenet121, "mobilenet_v2": mobilenet_v2}
