"""The table of layer types, one row for each: what it takes, and a legal layer of it with random parameters.

`takes` looks at a value alone; `build` adds a layer that reads it first, and raises Misfit where it does not fit after
all. Types that read nothing are in `SOURCES`, those that end a branch in `ENDS`, all others in `ROWS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .builder import Builder
from .case import Value

Build = Callable[[Builder, int], list[int]]


@dataclass(frozen=True, slots=True)
class Row:
    """One layer type."""

    build: Build
    takes: Callable[[Value], bool] = lambda v: v.most <= 60 and not v.classes


def axes(least: int, most: int = 6, *, limit: float = 60) -> Callable[[Value], bool]:
    """Takes values of so many axes that are not too large."""
    return lambda v: least <= len(v.shape) <= most and v.most <= limit and not v.classes


def positive(v: Value) -> bool:
    return v.low is not None and v.low >= 0.04 and v.most <= 60 and not v.classes


def small(v: Value) -> bool:
    return v.most <= 6 and not v.classes


def filler(b: Builder, kind: str = "msra") -> str:
    """A filler for weights, or for what multiplies or is added."""
    if kind == "around":
        return 'type: "uniform" min: 0.5 max: 1.5'
    if kind == "small":
        return 'type: "uniform" min: -0.6 max: 0.6'
    return f'type: "{b.pick("msra", "xavier", "gaussian")}" std: 0.3' if kind == "gaussian" else f'type: "{kind}"'


# --- element by element -----------------------------------------------------------------------------------------------


def _elementwise(
    kind: str, fields: Callable[[Builder], str], most: Callable[[float], float], low: float | None = None
) -> Row:
    def build(b: Builder, x: int) -> list[int]:
        return b.add(kind, [x], fields(b), most=most(b.value(x).most), low=low)

    return Row(build)


def plain(kind: str) -> Row:
    """A type without fields, whose top is no larger than its bottom."""
    return _elementwise(kind, lambda b: "", lambda most: most)


def _exp(b: Builder, x: int) -> list[int]:
    most = b.value(x).most
    base = b.pick(-1, 2, 0.5)
    scale, shift = b.pick(1, 0.5, -0.5) * min(1.0, 1.2 / most), b.pick(0, 0.3)
    return b.add("Exp", [x], f"exp_param {{ base: {base} scale: {scale:.3f} shift: {shift} }}", most=5, low=0.15)


def _log(b: Builder, x: int) -> list[int]:
    base, scale, shift = b.pick(-1, 2, 10), b.pick(1, 0.7), b.pick(0, 0.5)
    return b.add("Log", [x], f"log_param {{ base: {base} scale: {scale} shift: {shift} }}", most=4)


def _power(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    scale, shift = b.pick(1, 0.5, -0.7) / max(1, v.most / 3), b.pick(0, 0.4)
    power = b.pick(1, 1, 1, 2, 2, 3, 0)
    if v.low is not None and v.low >= 0.04 and b.chance(0.6):
        scale, power = abs(scale), b.pick(0.5, -1, 1.5)
        shift = max(shift, 0.2)
    text = f"power_param {{ power: {power} scale: {scale:.3f} shift: {shift} }}"
    return b.add("Power", [x], text, most=max(1, (abs(scale) * v.most + shift) ** abs(power), 5 * (power < 0)))


def _bnll(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    return b.add("BNLL", [x], most=v.most + 0.7, low=0.04 if v.most <= 3 or v.low is not None else None)


def _prelu(b: Builder, x: int) -> list[int]:
    shared = b.chance(0.25)
    text = f'prelu_param {{ channel_shared: {str(shared).lower()} filler {{ type: "uniform" min: 0.1 max: 0.5 }} }}'
    return b.add("PReLU", [x], text, most=b.value(x).most)


def _clip(b: Builder, x: int) -> list[int]:
    most = b.value(x).most
    low, high = -b.rng.uniform(0.2, 0.9) * most, b.rng.uniform(0.2, 0.9) * most
    return b.add("Clip", [x], f"clip_param {{ min: {low:.3f} max: {high:.3f} }}", most=most)


def _threshold(b: Builder, x: int) -> list[int]:
    return b.add("Threshold", [x], f"threshold_param {{ threshold: {b.rng.uniform(-0.5, 0.5):.3f} }}", smooth=False)


def _dropout(b: Builder, x: int) -> list[int]:
    ratio = b.pick(0.5, 0.3, 0.7)
    return b.add("Dropout", [x], f"dropout_param {{ dropout_ratio: {ratio} }}", most=b.value(x).most / (1 - ratio))


def _softmax(b: Builder, x: int) -> list[int]:
    axis = b.rng.randrange(len(b.value(x).shape)) if b.chance(0.3) else 1
    return b.add("Softmax", [x], f"softmax_param {{ axis: {axis} }}", most=1, low=0.001)


def _sigmoid(b: Builder, x: int) -> list[int]:
    return b.add("Sigmoid", [x], low=0.04 if b.value(x).most <= 3 else 0.001, most=1)


def _python(b: Builder, x: int) -> list[int]:
    name = b.pick("Halve", "Square", "Learned", "Pair")
    count = 2 if name == "Pair" else 1
    text = f'python_param {{ module: "differential.python_layers" layer: "{name}" }}'
    return b.add("Python", [x], text, tops=count, most=b.value(x).most ** (2 if name == "Square" else 1))


def _absval(b: Builder, x: int) -> list[int]:
    return b.add("AbsVal", [x], most=b.value(x).most, low=b.value(x).low)


ELEMENTWISE: dict[str, Row] = {
    "AbsVal": Row(_absval),
    "BNLL": Row(_bnll),
    "Clip": Row(_clip),
    "Dropout": Row(_dropout, small),
    "ELU": _elementwise("ELU", lambda b: f"elu_param {{ alpha: {b.pick(1, 0.5)} }}", lambda m: m),
    "Exp": Row(_exp),
    "Log": Row(_log, positive),
    "PReLU": Row(_prelu, axes(2)),
    "Power": Row(_power),
    "Python": Row(_python, small),
    "ReLU": _elementwise(
        "ReLU", lambda b: f"relu_param {{ negative_slope: {b.pick(0, 0, 0, 0.1, 0.25)} }}", lambda m: m
    ),
    "Sigmoid": Row(_sigmoid),
    "Softmax": Row(_softmax, axes(2)),
    "Swish": _elementwise("Swish", lambda b: f"swish_param {{ beta: {b.pick(1, 0.7)} }}", lambda m: m),
    "TanH": _elementwise("TanH", lambda b: "", lambda m: 1.0),
    "Threshold": Row(_threshold),
}
