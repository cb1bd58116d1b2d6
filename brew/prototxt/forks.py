"""The additions of well-known forks of Caffe to its prototxt: forks.tsv, read when a name is not in the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from brew.errors import Place

FieldPath: TypeAlias = "tuple[str | int, ...]"

NAMES = {
    "ssd": "SSD",
    "intel": "Intel Caffe",
    "nvidia": "NVIDIA Caffe",
    "rcnn": "Fast and Faster R-CNN",
    "microsoft": "Microsoft's R-FCN",
    "pspnet": "DeepLab and PSPNet",
    "segnet": "SegNet",
    "flownet2": "FlowNet 2",
    "ristretto": "Ristretto",
    "yjxiong": "yjxiong's action recognition",
    "parsenet": "ParseNet",
    "happynear": "happynear's caffe-windows",
    "opencl": "Caffe's OpenCL branch",
    "mobile": "MobileNet and ShuffleNet repositories",
    "yolo": "MobileNet-YOLO",
    "hed": "HED",
    "early": "Caffe before its first release",
}
EFFECTS = {
    "numbers": "it would change the results",
    "training": "it changes the results of training",
    "scale": "it fills the scale inside a BatchNorm, and the Scale layer after it fills its own",
    "layer": "it holds the parameters of a layer type",
    "speed": "it chooses how something is computed, not what",
    "memory": "it is about memory",
    "devices": "it spreads work over devices or machines",
    "data": "it is about the threads and caches of a reader",
    "report": "it is about tests and reports",
    "format": "it is about the format of snapshots, and Brew's is Caffe's",
    "random": "it seeds random numbers, and Brew's come from random_seed of the solver",
    "precision": "Brew computes in 32 bits",
    "aside": "it only counts together with another field",
}
"""The effect of a field, as the reason why Brew can go on without it. `numbers` is none, `training` is one in tests and
`scale` where a Scale layer follows."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A known field of forks, a value (`name` is "field=VALUE") or a layer type (`message` is "type")."""

    message: str
    name: str
    forks: tuple[str, ...]
    effect: str
    harmless: str
    note: str

    @property
    def owners(self) -> str:
        """The forks that have it, in words: at most three."""
        names = [NAMES[fork] for fork in self.forks]
        return names[0] if len(names) == 1 else f"{', '.join(names[:3][:-1])} and {names[:3][-1]}"


@dataclass(frozen=True, slots=True)
class ForeignField:
    """A field that a text gives and the schema lacks, or a known field with a value that the schema lacks.

    `path` leads to the message that holds it, as in ("layer", 3, "convolution_param"); `value` is a scalar as it is
    written, and "{ ... }" or "[ ... ]" for anything longer.
    """

    path: FieldPath
    name: str
    value: str
    place: Place
    fact: Fact

    def __str__(self) -> str:
        return f"{self.fact.message}.{self.name}: {self.value}"

    @property
    def asks_nothing(self) -> bool:
        """Whether the value asks for Brew's own behaviour."""
        return self.fact.harmless != "" and _plain(self.value) == _plain(self.fact.harmless)


def field(message: str, name: str) -> Fact | None:
    """The fork's field `name` of the schema's message `message`."""
    return _facts().get((message, name))


def value(message: str, name: str, text: str) -> Fact | None:
    """The fork's value `text` of the schema's enum field."""
    return _facts().get((message, f"{name}={text}"))


def layer_type(name: str) -> Fact | None:
    """The fork's layer type."""
    return _facts().get(("type", name))


def all_facts() -> Mapping[tuple[str, str], Fact]:
    """Every fact by its first two columns."""
    return _facts()


@cache
def _facts() -> dict[tuple[str, str], Fact]:
    facts = {}
    for line in Path(__file__).with_name("forks.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            message, name, forks, effect, harmless, note = [*line.split("\t"), "", ""][:6]
            facts[message, name] = Fact(message, name, tuple(forks.split()), effect, harmless, note)
    return facts


def _plain(text: str) -> str | float:
    """A scalar in one spelling: without quotes; 1 for 1.0 and 1f; true for True and t."""
    text = text.strip("\"'")
    word = {"t": "true", "True": "true", "f": "false", "False": "false"}.get(text, text)
    try:
        return float(word.rstrip("fF") if word[:1].isdigit() else word)
    except ValueError:
        return word
