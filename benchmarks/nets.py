"""The nets that compare.py times: which file, which batch, and the numbers that go in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.graph.definition import define, replace_data
from brew.graph.states import filter_layers, merged_state
from brew.layer import Shape
from brew.proto.brew_pb2 import NetParameter

Array = npt.NDArray[Any]

TRAIN, TEST = 0, 1
_UNTIMED = ("Accuracy", "Silence")  # they do nothing for training, and a served net has none


@dataclass(frozen=True)
class BenchmarkNet:
    """A net whose data layer makes `data` (images, channels, rows, columns) and `label`."""

    name: str
    file: Path
    data: Shape
    classes: int


def _zoo(name: str, batch: int, side: int, classes: int = 1000, channels: int = 3) -> BenchmarkNet:
    file = Path(__file__).resolve().parents[1] / "model_zoo" / name / "train_val.prototxt"
    return BenchmarkNet(name, file, (batch, channels, side, side), classes)


NETS = {
    net.name: net
    for net in (
        _zoo("lenet", 64, 28, classes=10, channels=1),
        _zoo("cifar10_quick", 100, 32, classes=10),
        _zoo("cifar10_full", 100, 32, classes=10),
        _zoo("caffenet", 64, 227),
        _zoo("googlenet", 16, 224),
        _zoo("resnet50", 16, 224),
        _zoo("vgg16", 8, 224),
        _zoo("mobilenet", 16, 224),
    )
}


def timed(net: BenchmarkNet, phase: int) -> NetParameter:
    """The net that every contestant runs: its layers in `phase`, the data layer an Input, none that only report."""
    definition = define(net.file)
    chosen = filter_layers(definition.net.layers, merged_state(phase, definition.net.shell.state))
    layers = [s.param for s in replace_data(chosen, {"data": net.data}) if s.param.type not in _UNTIMED]
    message = NetParameter(name=net.name, layer=layers)
    for layer in message.layer:
        layer.ClearField("include")  # chosen already
    return message


def batch(net: BenchmarkNet) -> tuple[Array, Array]:
    """Images from a normal distribution, and labels."""
    random = np.random.default_rng(1701)
    labels = random.integers(0, net.classes, net.data[0])
    return random.standard_normal(net.data, np.float32), labels


def pair(message: Any, name: str, default: int) -> tuple[int, int]:
    """Rows and columns of a kernel, stride, pad or dilation."""
    if name != "dilation" and (message.HasField(f"{name}_h") or message.HasField(f"{name}_w")):
        return getattr(message, f"{name}_h"), getattr(message, f"{name}_w")
    value = getattr(message, "kernel_size" if name == "kernel" else name)
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1]) if value else (default, default)
