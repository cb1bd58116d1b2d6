"""Inception v3 and v4 and Inception-ResNet v2, layers named as in soeaver/caffe-model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from brew.caffe import layers as L
from brew.proto.brew_pb2 import NetParameter

from .blocks import Net

_FIRST = ("conv1_3x3_s2", "conv2_3x3_s1", "conv3_3x3_s1")
_PIXELS = {"mean_value": [128, 128, 128], "scale": 1 / 128}
Size = int | tuple[int, int]
# A convolution of a branch: the end of its name, its outputs, its kernel, its stride where that is 2.
Step = tuple[str, int, Size] | tuple[str, int, Size, int]


class Inception(Net):
    """A net of modules: branches that begin at one blob and end in one Concat."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 299, _PIXELS)

    def step(self, name: str, bottom: Any, outputs: int, kernel: Size, *, relu: str = "", **fields: Any) -> Any:
        """A convolution, normalized, with ReLU."""
        x = self.norm((f"{name}_bn", f"{name}_scale"), self.conv(name, bottom, outputs, kernel, **fields), eps=1e-3)
        return self.relu(relu or f"{name}_relu", x)

    def branch(self, module: str, bottom: Any, steps: Sequence[Step]) -> Any:
        """Steps one after another; those of stride 2 have no pad, others keep the size of the image."""
        for end, outputs, kernel, *stride in steps:
            fields: dict[str, Any] = {"stride": stride[0]} if stride else {}
            if not stride and isinstance(kernel, int) and kernel > 1:
                fields = {"pad": kernel // 2}
            bottom = self.step(f"{module}_{end}", bottom, outputs, kernel, **fields)
        return bottom

    def pooled(self, module: str, bottom: Any, pool: str, proj: str, outputs: int, kind: int = 1) -> Any:
        """The branch of a pooling of 3 x 3 and a convolution of 1 x 1."""
        x = self.pool(f"{module}_{pool}", bottom, 3, 1, pad=1, pool=kind)
        return self.step(f"{module}_{proj}", x, outputs, 1)

    def branches(self, module: str, bottom: Any, *branches: Sequence[Step]) -> list[Any]:
        """Several of them, from one bottom."""
        return [self.branch(module, bottom, steps) for steps in branches]

    def concat(self, name: str, *tops: Any) -> Any:
        """The channels of all."""
        self.n[name] = L.Concat(*tops)
        return self.n[name]

    def finish(self, bottom: Any) -> NetParameter:
        """The mean of the image, Dropout, and the classifier."""
        self.n.pool_8x8_s1_drop = L.Dropout(self.pool("pool_8x8_s1", bottom), dropout_ratio=0.2)
        return self.end(self.classifier("classifier", self.n.pool_8x8_s1_drop))


def _start(net: Inception, relus: Sequence[str]) -> Any:
    """The first three convolutions; `relus` are the names of the layers behind them."""
    x, places = net.n.data, ({"stride": 2}, {"stride": 1}, {"pad": 1})
    for name, outputs, place, relu in zip(_FIRST, (32, 32, 64), places, relus, strict=True):
        x = net.step(name, x, outputs, 3, relu=relu, **place)
    return x


def _start_with_pooling(net: Inception, relu: str) -> Any:
    """What v3 and Inception-ResNet v2 begin with; one ReLU has a name of its own in each."""
    x = net.pool("pool1_3x3_s2", _start(net, [f"conv{number}_3x3_relu" for number in (1, 2, 3)]), 3, 2)
    x = net.step("conv4_3x3_reduce", x, 80, 1, relu=relu)
    x = net.step("conv4_3x3", x, 192, 3, relu="conv4_relu_3x3")
    return net.pool("pool2_3x3_s2", x, 3, 2)


def inception_v3() -> NetParameter:
    """Without the auxiliary classifier."""
    net = Inception("Inception v3")
    x = _start_with_pooling(net, "conv4_relu_3x3_reduce")
    for number, outputs in enumerate((32, 64, 64), 1):
        own = f"inception_a{number}"
        tops = net.branches(
            own, x, [("1x1", 64, 1)], [("5x5_reduce", 48, 1), ("5x5", 64, 5)],
            [("3x3_reduce", 64, 1), ("3x3_1", 96, 3), ("3x3_2", 96, 3)],
        )  # fmt: skip
        x = net.concat(f"{own}_output", *tops, net.pooled(own, x, "pool", "pool_proj", outputs))
    x = _reduction_a(net, x, 384, (64, 96, 96))
    for number, inner in enumerate((128, 160, 160, 192), 1):
        x = _module_b(net, f"inception_b{number}", x, 192, (inner, inner, 192), [inner] * 4 + [192], "7x1_reduce", 192)
    first: list[Step] = [("3x3_reduce", 192, 1), ("3x3", 320, 3, 2)]
    second: list[Step] = [("1x7_reduce", 192, 1), ("1x7", 192, (1, 7)), ("7x1", 192, (7, 1)), ("3x3_2", 192, 3, 2)]
    x = _reduction(net, "reduction_b", x, first, second)
    for number in (1, 2):
        own = f"inception_c{number}"
        whole = net.branch(own, x, [("1x1_2", 320, 1)])
        tops = []
        for steps, end in ([("1x3_reduce", 384, 1)], ""), ([("3x3_reduce", 448, 1), ("3x3", 384, 3)], "_2"):
            middle = net.branch(own, x, steps)
            tops += [net.branch(own, middle, [(f"{s}{end}", 384, k)]) for s, k in (("1x3", (1, 3)), ("3x1", (3, 1)))]
        last = net.pooled(own, x, "pool", "1x1", 192, kind=number % 2)  # of maxima in the second, as published
        x = net.concat(f"{own}_concat", whole, *tops, last)
    return net.finish(x)


def _module_b(
    net: Inception,
    own: str,
    x: Any,
    whole: int,
    short: tuple[int, int, int],
    long: Sequence[int],
    reduce: str,
    mean: int,
) -> Any:
    """Branches of 1 x 7 and 7 x 1, two of them and four."""
    short_steps: list[Step] = [("1x7_reduce", short[0], 1), ("1x7", short[1], (1, 7)), ("7x1", short[2], (7, 1))]
    names = ["7x1_2", "1x7_2", "7x1_3", "1x7_3"]
    long_steps: list[Step] = [(reduce, long[0], 1)]
    long_steps += [(n, o, (7, 1) if n[0] == "7" else (1, 7)) for n, o in zip(names, long[1:], strict=True)]
    tops = net.branches(own, x, [("1x1_2", whole, 1)], short_steps, long_steps)
    return net.concat(f"{own}_concat", *tops, net.pooled(own, x, "pool_ave", "1x1", mean))


def _reduction(net: Inception, own: str, x: Any, *branches: Sequence[Step]) -> Any:
    """Half the size of the image: branches, and a pooling."""
    return net.concat(f"{own}_concat", *net.branches(own, x, *branches), net.pool(f"{own}_pool", x, 3, 2))


def _reduction_a(net: Inception, x: Any, first: int, second: tuple[int, int, int]) -> Any:
    steps: list[Step] = [
        ("3x3_2_reduce", second[0], 1), ("3x3_2", second[1], 3), ("3x3_3", second[2], 3, 2)
    ]  # fmt: skip
    return _reduction(net, "reduction_a", x, [("3x3", first, 3, 2)], steps)


def inception_v4() -> NetParameter:
    """A longer stem, and more modules of each kind than v3 has."""
    net = Inception("Inception v4")
    x = _stem_v4(net)
    for number in range(1, 5):
        own = f"inception_a{number}"
        tops = net.branches(
            own, x, [("1x1_2", 96, 1)], [("3x3_reduce", 64, 1), ("3x3", 96, 3)],
            [("3x3_2_reduce", 64, 1), ("3x3_2", 96, 3), ("3x3_3", 96, 3)],
        )  # fmt: skip
        x = net.concat(f"{own}_concat", *tops, net.pooled(own, x, "pool_ave", "1x1", 96))
    x = _reduction_a(net, x, 384, (192, 224, 256))
    for number in range(1, 8):
        own, long = f"inception_b{number}", (192, 192, 224, 224, 256)
        x = _module_b(net, own, x, 384, (192, 224, 256), long, "7x1_2_reduce", 128)
    first: list[Step] = [("3x3_reduce", 192, 1), ("3x3", 192, 3, 2)]
    second: list[Step] = [("1x7_reduce", 256, 1), ("1x7", 256, (1, 7)), ("7x1", 320, (7, 1)), ("3x3_2", 320, 3, 2)]
    x = _reduction(net, "reduction_b", x, first, second)
    for number in (1, 2, 3):
        own = f"inception_c{number}"
        tops = [net.branch(own, x, [("1x1_2", 256, 1)])]
        middle = net.branch(own, x, [("1x1_3", 384, 1)])
        tops += [net.branch(own, middle, [(s, 256, k)]) for s, k in (("1x3", (1, 3)), ("3x1", (3, 1)))]
        middle = net.branch(own, x, [("1x1_4", 384, 1), ("3x1_2", 448, (3, 1)), ("1x3_2", 512, (1, 3))])
        tops += [net.branch(own, middle, [(s, 256, k)]) for s, k in (("1x3_3", (1, 3)), ("3x1_3", (3, 1)))]
        x = net.concat(f"{own}_concat", *tops, net.pooled(own, x, "pool_ave", "1x1", 256))
    return net.finish(x)


def _stem_v4(net: Inception) -> Any:
    x = _start(net, [f"{name}_relu" for name in _FIRST])
    pooled = net.pool("inception_stem1_pool", x, 3, 2)
    x = net.concat("inception_stem1", pooled, net.step("inception_stem1_3x3_s2", x, 96, 3, stride=2))
    own = "inception_stem2"
    short = net.step(f"{own}_3x3", net.branch(own, x, [("3x3_reduce", 64, 1)]), 96, 3)
    long = net.branch(own, x, [("1x7_reduce", 64, 1), ("1x7", 64, (1, 7)), ("7x1", 64, (7, 1))])
    x = net.concat(own, short, net.step(f"{own}_3x3_2", long, 96, 3))
    convolved = net.step("inception_stem3_3x3_s2", x, 192, 3, stride=2)
    return net.concat("inception_stem3", convolved, net.pool("inception_stem3_pool", x, 3, 2))


def inception_resnet_v2() -> NetParameter:
    """Modules whose tops are added, in part, to their bottoms."""
    net = Inception("Inception-ResNet v2")
    x = _start_with_pooling(net, "conv4_3x3_reduce_relu")
    tops = net.branches(
        "conv5", x, [("1x1", 96, 1)], [("5x5_reduce", 48, 1), ("5x5", 64, 5)],
        [("3x3_reduce", 64, 1), ("3x3", 96, 3), ("3x3_2", 96, 3)],
    )  # fmt: skip
    ave = net.step("conv5_1x1_ave", net.pool("ave_pool", x, 3, 1, pad=1, pool=1), 64, 1)
    x = net.concat("stem_concat", *tops, ave)
    three: list[Step] = [("3x3_2_reduce", 32, 1), ("3x3_2", 48, 3), ("3x3_3", 64, 3)]
    a: list[list[Step]] = [[("1x1", 32, 1)], [("3x3_reduce", 32, 1), ("3x3", 32, 3)], three]
    x = _residuals(net, "a", 10, x, 320, 0.17, a)
    x = _reduction_a(net, x, 384, (256, 256, 384))
    b: list[list[Step]] = [[("1x1", 192, 1)], [("1x7_reduce", 128, 1), ("1x7", 160, (1, 7)), ("7x1", 192, (7, 1))]]
    x = _residuals(net, "b", 20, x, 1088, 0.1, b)
    last: list[Step] = [("3x3_3_reduce", 256, 1), ("3x3_3", 288, 3), ("3x3_4", 320, 3, 2)]
    reductions: list[list[Step]] = [
        [("3x3_reduce", 256, 1), ("3x3", 384, 3, 2)], [("3x3_2_reduce", 256, 1), ("3x3_2", 288, 3, 2)], last
    ]  # fmt: skip
    x = _reduction(net, "reduction_b", x, *reductions)
    c: list[list[Step]] = [[("1x1", 192, 1)], [("1x3_reduce", 192, 1), ("1x3", 224, (1, 3)), ("3x1", 256, (3, 1))]]
    x = _residuals(net, "c", 9, x, 2080, 0.2, c)
    x = _residual(net, "inception_resnet_v2_c10", x, 2080, 1, c)
    return net.finish(net.step("conv6_1x1", x, 1536, 1))


def _residuals(
    net: Inception, kind: str, number: int, x: Any, channels: int, part: float, branches: Sequence[Sequence[Step]]
) -> Any:
    for module in range(1, number + 1):
        own = f"inception_resnet_v2_{kind}{module}"
        x = net.relu(f"{own}_residual_eltwise_relu", _residual(net, own, x, channels, part, branches))
    return x


def _residual(net: Inception, own: str, x: Any, channels: int, part: float, branches: Sequence[Sequence[Step]]) -> Any:
    """The bottom, and `part` of what the branches make of it."""
    new = net.concat(f"{own}_concat", *net.branches(own, x, *branches))
    up = net.conv(f"{own}_up", new, channels, 1, bias=True)
    coefficients = {} if part == 1 else {"coeff": [1, part]}
    net.n[f"{own}_residual_eltwise"] = L.Eltwise(x, up, **coefficients)
    return net.n[f"{own}_residual_eltwise"]


NETS: dict[str, Callable[[], NetParameter]] = {
    "inception_v3": inception_v3,
    "inception_v4": inception_v4,
    "inception_resnet_v2": inception_resnet_v2,
}
