"""Initial weights and their changes: fillers that make a layer useless, weights without a gradient.

The rules hold for layers whose weights come from their fillers, not for those in `View.loaded`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from brew.graph.graph import ParamNode
from brew.layer import Layer, Shape
from brew.proto.brew_pb2 import FillerParameter

from .net_rules import NET_RULES
from .rules import Note
from .view import View, facts

_RECURRENT = ("LSTM", "RNN")
_STARTED = (*_RECURRENT, "Scale", "Parameter")  # these too have weights, as their first parameter
# Behind units that are all alike, these make units that are all alike again.
_ALIKE = {
    "ReLU", "PReLU", "ELU", "Sigmoid", "TanH", "BNLL", "AbsVal", "Power", "Exp", "Log", "Clip", "Swish", "Threshold",
    "Pooling", "BatchNorm", "Scale", "Bias", "MVN",
}  # fmt: skip
_ALL = 1e-3  # how far from 1 the weights of an output of a bilinear kernel may be


@NET_RULES.add("B204", logged="training")
def zero_weights(view: View) -> Iterator[Note]:
    """Two layers in a row whose weights start at 0, as without a weight_filler: neither ever learns."""
    if not view.trains:
        return
    zero = {i for i, _ in view.of_class(_has_weights) if _starts_at(view, i) == 0}
    pairs = [(number, other) for number in sorted(zero) for other in _learned_below(view, number) if other in zero]
    alone = [(i, i) for i in zero if view.param(i).type == "RNN"]  # it is two layers in itself
    if pairs or alone:
        involved = sorted({number for pair in [*pairs, *alone] for number in pair})
        yield view.note(
            involved[0],
            f"the weights of {_names(view, involved)} all start at 0, so no gradient comes through and nothing is "
            "learned",
            hint='add weight_filler { type: "msra" } or "xavier"; no matter where weights are loaded (--weights)',
        )  # fmt: skip


@NET_RULES.add("B214", logged="training")
def alike_weights(view: View) -> Iterator[Note]:
    """Two layers in a row whose weights are each one number: the units between them stay all alike for ever."""
    if not view.trains:
        return
    start = {
        i: value for i, _ in view.of_class(lambda cls: cls.weights_in) if (value := _starts_at(view, i)) is not None
    }
    for number in start:
        for other in view.origins(number, through=_ALIKE):
            units = _alike_outputs(view, other) if other in start else 1
            if units > 1 and (start[number] or start[other]):  # where both are 0 there is more to say: B204
                yield view.note(
                    other,
                    f"its weights and those of {_names(view, [number])} start as one number each: of its outputs "
                    f"{units} are all alike and stay so",
                    hint='add weight_filler { type: "msra" } or "xavier" to one of the two',
                )  # fmt: skip


def _alike_outputs(view: View, number: int) -> int:
    """How many outputs of a layer with equal weights cannot be told from one another."""
    param = view.param(number)
    own = getattr(param, facts(param).weights_in)
    if own.bias_term and _constant(own.bias_filler) is None:
        return 1
    return int(own.num_output // max(getattr(own, "group", 1), 1))


@NET_RULES.add("B217", logged="training")
def dead_weights(view: View) -> Iterator[Note]:
    """Weights that start at 0, are not learned (lr_mult 0) and are not loaded: what the layer makes is always 0."""
    if not view.trains:
        return
    for number, param in view.of_class(lambda cls: cls.weights_in or cls.type in _STARTED):
        if param.type == "Scale" and len(param.bottom) > 1:
            continue
        slot = _weights(view, number)
        if slot is not None and slot.lr_mult == 0 and _value(slot) == 0 and not _is_loaded(view, number, slot):
            hint = "a weight_filler, or an lr_mult above 0"
            if param.type == "Deconvolution":
                hint = 'weight_filler { type: "bilinear" } with group: num_output enlarges by interpolation'
            yield view.note(
                number, "its weights start at 0 and are not learned (lr_mult 0): its top is 0 for ever, or its bias",
                hint=f"{hint}; no matter where weights are loaded (--weights)",
            )  # fmt: skip


@NET_RULES.add("B219", logged="training")
def decayed_alone(view: View) -> Iterator[Note]:
    """Weights that no gradient reaches and weight decay shrinks all the same, as those below propagate_down: false."""
    graph = view.graph
    if not view.trains or not view.decay or graph is None or not view.whole:
        return
    reached = {
        graph.params[slot].owner
        for node in graph.nodes
        for slot, wanted in zip(node.params, node.wanted(graph.params).params, strict=True)
        if wanted
    }
    found = []
    for number in range(len(view.layers)):
        node = view.node(number)
        slots = [graph.params[p] for p in node.params if graph.params[p].owner == p] if node is not None else []
        moved = [s for s in slots if s.declared.learned and s.lr_mult and s.decay_mult and s.owner not in reached]
        if moved:
            found.append(number)
    if found:
        yield view.note(
            found[0],
            f"no gradient reaches the weights of {_names(view, found)}, and weight decay shrinks them all the same",
            hint="param { lr_mult: 0 } for each of its blobs leaves weights as they are",
        )  # fmt: skip


def _has_weights(cls: type[Layer]) -> bool:
    return bool(cls.weights_in) or cls.type in _RECURRENT


def _starts_at(view: View, number: int) -> float | None:
    """The one number at which all weights of a layer start to learn; None where they do not, or are shared."""
    param = view.param(number)
    if param.name in view.loaded or (param.param and (param.param[0].name or param.param[0].lr_mult == 0)):
        return None
    return _constant(getattr(param, facts(param).weights_in or "recurrent_param").weight_filler)


def _constant(filler: FillerParameter) -> float | None:
    return float(filler.value) if filler.type == "constant" else None


def _weights(view: View, number: int) -> ParamNode | None:
    """The first parameter of a layer."""
    node = view.node(number)
    if node is None or view.graph is None or not node.params:
        return None
    slot = view.graph.params[node.params[0]]
    return slot if slot.declared.learned else None


def _value(slot: ParamNode) -> float | None:
    """The one number at which a parameter starts."""
    if slot.declared.start is not None:
        return None
    return 0.0 if slot.declared.filler is None else _constant(slot.declared.filler)


def _is_loaded(view: View, number: int, slot: ParamNode) -> bool:
    """Whether the parameter does not come from its filler: it is loaded, or shared with a layer that is."""
    return _is_shared(view, slot) or view.param(number).name in view.loaded


def _is_shared(view: View, slot: ParamNode) -> bool:
    return view.graph is not None and view.graph.params[slot.owner] is not slot


def _learned_below(view: View, number: int) -> Iterator[int]:
    """The nearest layers with weights below a layer."""
    waiting, seen = [number], {number}
    while waiting:
        here = waiting.pop()
        for b in range(len(view.param(here).bottom)):
            maker = view.maker.get((here, b), (here, 0))[0]
            if maker in seen:
                continue
            seen.add(maker)
            if _has_weights(facts(view.param(maker))):
                yield maker
            else:
                waiting.append(maker)


def _names(view: View, numbers: list[int]) -> str:
    names = [f'"{view.param(number).name}"' for number in numbers]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


@NET_RULES.add("B216", logged="net")
def bilinear_deconvolution(view: View) -> Iterator[Note]:
    """A bilinear Deconvolution that sums channels (no group), or whose kernel does not fit its stride."""
    for number, param in view.of_type("Deconvolution"):
        own, slot = param.convolution_param, _weights(view, number)
        if own.weight_filler.type != "bilinear" or slot is None or _is_shared(view, slot):
            continue
        shape, path = slot.declared.shape, ("convolution_param", "weight_filler")
        summed = shape[0] // own.group
        if summed > 1:
            what = f"every top channel is the sum of {summed} bottom channels, each enlarged: group is {own.group}"
            hint = f"group: {shape[0]} enlarges channel by channel"
            yield view.note(number, what, *path, hint=hint)
        if (fault := _misfit(shape, _stride(own.stride, own.stride_h))) is not None:
            yield view.note(number, fault[0], *path, hint=fault[1])


def _stride(strides: Sequence[int], high: int) -> int:
    return high or (strides[0] if strides else 1)


def _misfit(shape: Shape, stride: int) -> tuple[str, str] | None:
    """The mistake in a bilinear kernel at a stride, and the right one: each output's weights should add up to 1."""
    if len(shape) != 4 or shape[2] != shape[3]:
        return None  # an error of the filler's
    width = shape[3]
    factor = math.ceil(width / 2)
    line = 1 - np.abs(np.arange(width) / factor - (width - 1) / (2 * factor))
    sums = [float(line[phase::stride].sum()) for phase in range(stride)]
    low, high = min(sums) ** 2, max(sums) ** 2
    if low >= 1 - _ALL and high <= 1 + _ALL:
        return None
    span = f"{low:.3g}" if high - low < _ALL else f"from {low:.3g} to {high:.3g}"
    what = f"a bilinear kernel of {width} at stride {stride}: an output's weights add up to {span}, not to 1"
    fits, pad = 2 * stride - stride % 2, math.ceil((stride - 1) / 2)
    return what, f"kernel_size: {fits} stride: {stride} pad: {pad} enlarges {stride} times"
