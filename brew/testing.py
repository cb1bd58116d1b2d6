"""For tests of layers, Brew's own and yours: run one layer without a net, and check its gradients.

    run = run_layer('type: "ReLU"', [x], top_diffs=[dy])
    check_gradient('type: "TanH"', [x])

Memory starts out hostile, as a net may leave it: tops and gradients of bottoms hold NaN until written, gradients of
parameters a value that must survive being added to, scratch is spoilt before every call, and after forward every
value that the layer's `reads` does not name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from google.protobuf import text_format

from brew.layer.registry import layer_class
from brew.layer.single_layer import SingleLayer
from brew.proto.brew_pb2 import LayerParameter

from .layer import Array, Layer, Wanted


@dataclass(frozen=True, slots=True)
class LayerRun:
    """The results of a layer, as host arrays.

    `bottom_diffs` and `param_diffs` hold None where no gradient was wanted, and are empty where backward did not run.
    """

    tops: list[Array]
    params: list[Array]
    bottom_diffs: list[Array | None]
    param_diffs: list[Array | None]


def run_layer(
    layer: str | LayerParameter,
    bottoms: Sequence[npt.ArrayLike],
    *,
    params: Sequence[npt.ArrayLike] | None = None,
    top_diffs: Sequence[npt.ArrayLike] | None = None,
    phase: str = "TRAIN",
    device: str = "cpu",
    dtype: npt.DTypeLike = np.float32,
    passes: int = 0,
    repeat: int = 1,
    seed: int = 0,
    want: Wanted | None = None,
) -> LayerRun:
    """Run forward `repeat` times on the same bottoms, then backward once.

    `layer` is a LayerParameter or its text, without the braces; names that are missing are made up. Backward runs
    when `top_diffs` is given, and for losses, whose first gradient is their loss weight. `params` None means as the
    fillers say. `want` None means: all gradients that the layer can have. Errors of the layer come as they are.
    """
    cls, param = _message(layer, len(bottoms))
    arrays = [np.asarray(b, dtype) for b in bottoms]
    single = SingleLayer(cls, param, [a.shape for a in arrays], device, np.dtype(dtype), phase, seed, want)
    weights = single.initial(params)
    single.put(single.io.w, weights)
    for number in range(repeat):
        single.forward(arrays, passes + number)
    tops = single.get(single.io.y)
    if top_diffs is None and not single.layer.is_loss:
        return LayerRun(tops, single.get(single.io.w), [], [])
    dx, dw = single.backward(single.loss_weights() if top_diffs is None else top_diffs)
    return LayerRun(tops, single.get(single.io.w), dx, dw)


def check_gradient(
    layer: str | LayerParameter,
    bottoms: Sequence[npt.ArrayLike],
    *,
    params: Sequence[npt.ArrayLike] | None = None,
    check_bottoms: Sequence[int] | None = None,
    exhaustive: bool = False,
    phase: str = "TRAIN",
    device: str = "cpu",
    step: float = 1e-5,
    tolerance: float = 1e-6,
    passes: int = 0,
    seed: int = 0,
) -> None:
    """AssertionError unless backward agrees with central differences of forward, in float64.

    For every bottom (or those of `check_bottoms`) and every learned parameter, the derivative of a random weighing
    of the tops along a random direction is compared: |difference| <= tolerance * max(1, |derivative|). A loss is
    weighed by its loss weight. `exhaustive` goes element by element instead and names the worst. Keep the bottoms
    away from points where the layer has no derivative.
    """
    cls, param = _message(layer, len(bottoms))
    values = [np.array(b, np.float64) for b in bottoms]
    single = SingleLayer(cls, param, [v.shape for v in values], device, np.dtype(np.float64), phase, seed, None)
    weights = single.initial(params)
    random = np.random.default_rng(seed)

    def forward() -> list[Array]:
        single.put(single.io.w, weights)
        single.forward(values, passes)
        return single.get(single.io.y)

    tops = forward()
    covector = single.loss_weights() if single.layer.is_loss else [random.standard_normal(t.shape) for t in tops]
    dx, dw = single.backward(covector)

    def weighed() -> float:
        return sum(float(np.vdot(c, t)) for c, t in zip(covector, forward(), strict=True))

    for what, number, target, gradient in _targets(values, weights, dx, dw, check_bottoms):
        derivative = _Derivative(f'gradient of {what} {number} of "{param.type}"', target, gradient)
        directions = _units(target) if exhaustive else [random.standard_normal(target.shape)]
        derivative.check(directions, weighed, step, tolerance)


def _message(layer: str | LayerParameter, bottoms: int) -> tuple[type[Layer], LayerParameter]:
    """The class, and a copy of the message in which no name is missing."""
    param = LayerParameter()
    if isinstance(layer, str):
        text_format.Parse(layer, param)
    else:
        param.CopyFrom(layer)
    param.name = param.name or "layer"
    cls = layer_class(param.type)
    if cls is None:
        raise ValueError(f"no layer type {param.type!r}")
    param.bottom.extend(f"bottom{i}" for i in range(len(param.bottom), bottoms))
    param.top.extend(f"top{i}" for i in range(len(param.top), cls.tops.least))
    for kind, arity, count in (("bottoms", cls.bottoms, bottoms), ("tops", cls.tops, len(param.top))):
        if not arity.admits(count) or len(param.bottom) != bottoms:
            raise ValueError(f"{param.type} takes {arity} {kind}, not {count}")
    return cls, param


def _targets(
    values: list[Array],
    weights: list[Array],
    dx: list[Array | None],
    dw: list[Array | None],
    check_bottoms: Sequence[int] | None,
) -> Iterator[tuple[str, int, Array, Array]]:
    """Every array to vary, with the gradient backward gave for it."""
    for kind, arrays, gradients in (("bottom", values, dx), ("parameter", weights, dw)):
        for number, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
            asked = kind == "parameter" or check_bottoms is None or number in check_bottoms
            if asked and gradient is not None and array.size:
                yield kind, number, array, gradient


def _units(target: Array) -> Iterator[Array]:
    for index in np.ndindex(target.shape):
        unit = np.zeros(target.shape)
        unit[index] = 1
        yield unit


@dataclass(frozen=True, slots=True)
class _Derivative:
    """A gradient under test: `value` is changed in place along directions, and put back."""

    name: str
    value: Array
    gradient: Array

    def check(self, directions: Iterable[Array], function: Callable[[], float], step: float, tolerance: float) -> None:
        worst, report = 0.0, ""
        origin = self.value.copy()
        for direction in directions:
            self.value[...] = origin + step * direction
            above = function()
            self.value[...] = origin - step * direction
            numeric = (above - function()) / (2 * step)
            self.value[...] = origin
            analytic = float(np.vdot(self.gradient, direction))
            error = abs(analytic - numeric) / max(1.0, abs(analytic), abs(numeric))
            if not error <= max(worst, tolerance):
                at = f" at {np.argwhere(direction)[0].tolist()}" if np.count_nonzero(direction) == 1 else ""
                worst, report = error, f"{self.name}{at}: backward {analytic:.9g}, forward {numeric:.9g}"
                if np.isnan(error):
                    break
        if report:
            raise AssertionError(report)
