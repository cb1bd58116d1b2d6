"""How much of `Net.forward` on one item is spent outside of the layers.

    python benchmarks/one_item.py            # LeNet and SqueezeNet 1.1
    python benchmarks/one_item.py --check    # exit 1 where it is 10 % or more

The clock is read before the first and behind the last call of the layers, in passes as a caller has them; times are
means of the hundred passes around the fastest percentile.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

import brew
from brew import Net
from brew.caffe import NetSpec, layers
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import parse

MOST = 0.10
FIRES = ((16, 64), (16, 64), "pool", (32, 128), (32, 128), "pool", (48, 192), (48, 192), (64, 256), (64, 256))


def lenet() -> NetSpec:
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [1, 1, 28, 28]})
    net.conv1 = layers.Convolution(net.data, num_output=20, kernel_size=5, weight_filler={"type": "xavier"})
    net.pool1 = layers.Pooling(net.conv1, kernel_size=2, stride=2)
    net.conv2 = layers.Convolution(net.pool1, num_output=50, kernel_size=5, weight_filler={"type": "xavier"})
    net.pool2 = layers.Pooling(net.conv2, kernel_size=2, stride=2)
    net.ip1 = layers.InnerProduct(net.pool2, num_output=500, weight_filler={"type": "xavier"})
    net.relu1 = layers.ReLU(net.ip1, in_place=True)
    net.ip2 = layers.InnerProduct(net.relu1, num_output=10, weight_filler={"type": "xavier"})
    net.prob = layers.Softmax(net.ip2)
    return net


def squeezenet() -> NetSpec:
    """SqueezeNet 1.1 (Iandola et al., 2016)."""
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [1, 3, 227, 227]})

    def convolved(name: str, bottom: object, outputs: int, size: int = 1, **more: int) -> object:
        made = layers.Convolution(
            bottom, num_output=outputs, kernel_size=size, weight_filler={"type": "xavier"}, **more
        )
        net[name], net[f"relu_{name}"] = made, layers.ReLU(made, in_place=True)
        return net[f"relu_{name}"]

    def pooled(number: int, bottom: object) -> object:
        net[f"pool{number}"] = layers.Pooling(bottom, kernel_size=3, stride=2)
        return net[f"pool{number}"]

    top = pooled(1, convolved("conv1", net.data, 64, 3, stride=2))
    number = 1
    for fire in FIRES:
        if fire == "pool":
            top = pooled(number, top)
            continue
        number += 1
        squeeze, expand = fire
        top = convolved(f"fire{number}/squeeze", top, squeeze)
        wide = (
            convolved(f"fire{number}/expand1x1", top, expand),
            convolved(f"fire{number}/expand3x3", top, expand, 3, pad=1),
        )
        net[f"fire{number}/concat"] = top = layers.Concat(*wide)
    net.pool10 = layers.Pooling(convolved("conv10", top, 1000), pool=1, global_pooling=True)
    net.prob = layers.Softmax(net.pool10)
    return net


def measured(spec: NetSpec, seconds: float) -> tuple[float, float]:
    """(a pass, its layers), in seconds."""
    net = Net(parse(str(spec.to_proto()), NetParameter), brew.TEST, seed=1, device="cpu")
    net.blobs["data"].data[...] = np.random.default_rng(0).standard_normal(net.blobs["data"].shape)
    for _ in range(20):
        net.forward()
    clock, marks = time.perf_counter, [0.0, 0.0]

    def mark(which: int) -> None:
        marks[which] = clock()

    calls = net.executor.whole.forward.calls
    calls[:] = [lambda: mark(0), *calls, lambda: mark(1)]
    passes = list[tuple[float, float]]()
    end = clock() + seconds
    while (begun := clock()) < end:
        net.forward()
        passes.append((clock() - begun, marks[1] - marks[0]))
    assert net.executor.whole.forward.calls is calls, "the pass was made anew"
    fastest = sorted(passes)[: max(1, min(100, len(passes) // 50))]
    whole, inside = np.mean(fastest, axis=0)
    return float(whole), float(inside)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each net")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    missed = False
    for name, spec in (("LeNet", lenet()), ("SqueezeNet 1.1", squeezenet())):
        whole, inside = measured(spec, options.seconds)
        share = 1 - inside / whole
        missed |= share >= MOST
        times = f"{whole * 1e6:9.1f} us, of which outside of layers {(whole - inside) * 1e6:5.1f}"
        print(f"{name:16} {times}: {share:.1%}")
    return int(options.check and missed)


if __name__ == "__main__":
    sys.exit(main())
