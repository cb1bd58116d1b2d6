"""A net to deploy from one to train: data layers become Input, losses become probabilities, labels go.

The rules are those by which the deploy nets of Caffe's zoo were made by hand; docs/command-line.md lists them.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import Message

from brew import prototxt
from brew.data.augment.sizes import crop_of, warped
from brew.errors import NetError
from brew.files import regular
from brew.files.overwriting import Kind
from brew.graph.data_shapes import data_shapes
from brew.graph.definition import NetDefinition, NetLike, define
from brew.graph.splits import Absent, insert_splits
from brew.graph.states import filter_layers, merged_state
from brew.layer import TEST, TRAIN, Context, Shape, shape_text
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.plain_text import one_line
from brew.proto.brew_pb2 import FillerParameter, LayerParameter, NetParameter, NetState, ParamSpec, ResizeParameter
from brew.prototxt.net_or_solver import holds_net
from brew.prototxt.placed import PlacedLayer
from brew.prototxt.portable import input_layers, uses_batch_statistics, with_input_fields, without_engine

from .deploy_flow import Flow, Value

log = logging.getLogger("brew")

_WIDTH = 100  # of a comment


_MADE = "# Made by Brew "
NET_KIND = Kind("a net", holds_net, lambda path: regular.head(path, len(_MADE)) == _MADE.encode())


@dataclass(frozen=True, slots=True)
class Deployed:
    """The net, and notes for the head of its file: its inputs, and what was left out.

    `assumed` tells of shapes that were not read from data (DataShapes).
    """

    net: NetParameter
    notes: tuple[str, ...]
    assumed: tuple[str, ...]

    def text(self, origin: str = "") -> str:
        """The prototxt, with the notes as comments; `origin` is the file it was made from."""
        head = f"Made by Brew from {origin}, whose weights fit." if origin else "Made by Brew for deployment."
        lines = [line for note in (head, *self.notes) for line in textwrap.wrap(note, _WIDTH, subsequent_indent="  ")]
        return "".join(f"# {one_line(line)}\n" for line in lines) + prototxt.to_text(self.net)


def deploy(
    net: NetLike | NetDefinition,
    *,
    states: Sequence[NetState] = (),
    level: int | None = None,
    stages: Iterable[str] = (),
    shapes: Mapping[str, Shape] | None = None,
    batch: int | None = None,
    auxiliary: bool = False,
    input_fields: bool = False,
) -> Deployed:
    """The net of the TEST phase as it runs without labels.

    `batch` is the first axis of the inputs (1, or an Input layer's own); `shapes` are those of inputs by name. Losses
    that weigh less than another one of the same labels are heads for training alone: they are left out with all layers
    that only they need, unless `auxiliary`. `input_fields` gives the inputs as fields of the net, as before 2015.

    Raises PrototxtError, NetError, DataError.
    """
    definition = net if isinstance(net, NetDefinition) else define(net)
    flow = Flow(_layers(definition, states, level, stages))
    dropped = [] if auxiliary else flow.auxiliary
    made = _Probabilities(flow, {head.number for head in dropped})
    ends = [*made.wanted, *flow.ends(dropped)]
    if not ends:
        raise NetError(f'net "{definition.net.shell.name}": nothing is left of it without data, labels and losses')
    needed = {value for number, _ in ends for value in flow.above([number])} | set(ends)
    inputs = _Inputs(flow, needed, definition, shapes or {}, batch)
    result = NetParameter(name=definition.net.shell.name)
    keep = {number for number, _ in needed}
    for number, source in enumerate(flow.layers):
        if number in inputs.layers:
            result.layer.extend(inputs.layers[number])
        elif number in made.layers:
            result.layer.append(made.layers[number])
        elif number in keep or _silences(flow, number, keep):
            result.layer.append(_cleaned(source.param))
    batch_statistics = [flow.layers[number].param.name for number in sorted(keep)
                        if number not in made.layers and uses_batch_statistics(flow.layers[number].param)]  # fmt: skip
    aside = [flow.layers[head.number].param.name for head in dropped]
    gone = f"Left out as heads that only training needs: {', '.join(aside)}."
    own = f"Left out: use_global_stats: false of {len(batch_statistics)} BatchNorm layers; the learned averages count."
    notes = [*inputs.notes, *([gone] if aside else []), *([own] if batch_statistics else [])]
    return Deployed(with_input_fields(result) if input_fields else result, tuple(notes), tuple(inputs.assumed))


def _silences(flow: Flow, number: int, keep: set[int]) -> bool:
    """Whether a layer only takes tops of the result's layers that nothing else reads, so that they are no outputs."""
    cls, values = flow.classes[number], flow.reads[number]
    silent = not flow.layers[number].param.top and not cls.reads and not cls.is_loss
    return silent and bool(values) and all(maker in keep and maker not in flow.data for maker, _ in values)


def _layers(
    definition: NetDefinition, states: Sequence[NetState], level: int | None, stages: Iterable[str]
) -> list[PlacedLayer]:
    """The layers of TEST; data layers and losses are TRAIN's where TEST has none of them."""
    own, stages = definition.net.shell.state, list(stages)
    state_of = {}
    for phase in (TEST, TRAIN):
        state_of[phase] = merged_state(phase, own, *states, level=level, stages=stages)
        state_of[phase].phase = phase  # type: ignore[assignment]
    test, train = (filter_layers(definition.net.layers, state_of[phase]) for phase in (TEST, TRAIN))
    made = {top for source in test for top in source.param.top}
    missing = {bottom for source in test for bottom in source.param.bottom} - made
    makers = [s for s in train if not s.param.bottom and missing.intersection(s.param.top)]
    made |= {top for source in makers for top in source.param.top}
    there = [*makers, *test]
    insert_splits(there, absent=Absent.of(state_of[TEST], definition.net.layers, there))  # refuses unknown bottoms
    scored = {s.param.bottom[0] for s in test if s.param.bottom and _is_loss_type(s.param.type)}
    losses = [
        s for s in train
        if _is_loss_type(s.param.type) and not any(s is other for other in test)
        and s.param.bottom and s.param.bottom[0] in made - scored
    ]  # fmt: skip
    return [*there, *losses]


def _is_loss_type(type_name: str) -> bool:
    cls = layer_class(type_name)
    return cls is not None and cls.is_loss


class _Probabilities:
    """The layers that take the place of losses: `layers` by number; `wanted` are values that need no such layer."""

    def __init__(self, flow: Flow, dropped: set[int]) -> None:
        self.layers: dict[int, LayerParameter] = {}
        self.wanted: list[Value] = []
        heads = [h.number for h in flow.heads if h.number not in dropped and flow.classes[h.number].probabilities]
        taken = {name for n, s in enumerate(flow.layers) if flow.stays[n] for name in (s.param.name, *s.param.top)}
        done: dict[Value, str] = {}
        for number in heads:
            loss, value = flow.layers[number].param, flow.reads[number][0]
            kind, axis_in = flow.classes[number].probabilities, flow.classes[number].axis_in
            same = [n for n, s in enumerate(flow.layers) if s.param.type == kind and flow.reads[n] == [value]]
            if same or done.get(value) == kind:
                self.wanted += [(n, 0) for n in same]
                continue
            done[value] = kind
            name = "prob" if len(heads) == 1 and "prob" not in taken else f"{flow.name(value)}_prob"
            top = loss.top[1] if len(loss.top) > 1 else name
            layer = LayerParameter(name=name, type=kind, bottom=[flow.name(value)], top=[top])
            if axis_in and (axis := getattr(loss, axis_in).axis) != 1:
                layer.softmax_param.axis = axis
            self.layers[number] = layer
            self.wanted.append(value)


class _Inputs:
    """The Input layers in place of data layers, by number, and notes on what was done to the data in training."""

    def __init__(
        self, flow: Flow, needed: set[Value], definition: NetDefinition, given: Mapping[str, Shape], batch: int | None
    ) -> None:
        self.layers: dict[int, list[LayerParameter]] = {}
        self.notes: list[str] = []
        self.assumed: list[str] = []
        taken = {source.param.name for number, source in enumerate(flow.layers) if number not in flow.data}

        def context(source: PlacedLayer) -> Context:
            return Context(TEST, place=source.place, folder=definition.folder)

        for number in flow.data:  # a top that no layer of the result reads gets none
            source = flow.layers[number]
            tops = [flow.name(value) for value in flow.tops(number) if value in needed]
            if not tops:
                continue
            shapes = self._shapes(source, tops, context, given, batch)
            self.layers[number] = input_layers(tops, [shapes[top] for top in tops], taken, source.param.name)
            self.notes += [f"{top} ({shape_text(shapes[top])}): {treatment(source.param)}" for top in tops]

    def _shapes(
        self,
        source: PlacedLayer,
        tops: Sequence[str],
        context: Callable[[PlacedLayer], Context],
        given: Mapping[str, Shape],
        batch: int | None,
    ) -> dict[str, Shape]:
        """The inputs' shapes by name."""
        cls = layer_class(source.param.type)
        own = cls is not None and cls.is_filled
        known = data_shapes([source], context, given, batch if own or batch else 1)
        self.assumed += known.assumed
        shapes = dict(known.shapes)
        if own and not set(tops) <= set(shapes):
            stated = [tuple(shape.dim) for shape in source.param.input_param.shape]
            stated *= len(source.param.top) if len(stated) == 1 else 1
            shapes = dict(zip(source.param.top, stated, strict=False)) | shapes
        for top in tops:
            if top not in shapes:
                text = f'layer "{source.param.name}" ({source.param.type}): the shape of "{top}" is not known'
                raise NetError(text, place=source.place("top"), hint=f"give it: --shape {top}:1xCxHxW")
        return shapes


def treatment(param: LayerParameter) -> str:
    """The transformation of a data layer in the TEST phase, in words: the deployed net's caller has to apply it."""
    cls = layer_class(param.type)
    if cls is None or not (issubclass(cls, DataLayer) and cls.brings_images):
        return "as it was in training"
    transform, colour = param.transform_param, cls.image_channels(param) == 3
    steps = ["pixels from 0 to 255" + (", channels in the order BGR" if colour else ", colours in the order BGR")]
    for size in (cls.image_size(param), warped(transform)):
        steps += [f"resized to {size[0]} x {size[1]}"] if size else []
    if transform.HasField("resize_param") and not warped(transform):
        mode = ResizeParameter.Resize_mode.Name(transform.resize_param.resize_mode)
        steps.append(f"resized to {transform.resize_param.height} x {transform.resize_param.width} ({mode})")
    if transform.mean_file:
        steps.append(f"minus the mean image {transform.mean_file}")
    if transform.mean_value:
        steps.append(f"minus {', '.join(map(_shortest, transform.mean_value))}")
        steps[-1] += " by channel" if len(transform.mean_value) > 1 else ""
    if crop := crop_of(transform):
        steps.append(f"of that the middle {crop[0]} x {crop[1]}")
    if transform.scale != 1:
        steps.append(f"times {_shortest(transform.scale)}")
    return "; ".join(steps)


def _shortest(value: float) -> str:
    """A float of 32 bits in the fewest digits that read back as it.

    >>> _shortest(0.017000000923871994), _shortest(104.0)
    ('0.017', '104')
    """
    return str(np.float32(value)).removesuffix(".0")


def _cleaned(param: LayerParameter) -> LayerParameter:
    """The layer without the fields of training: rules, rates, fillers, loss weights. Names of shared weights stay."""
    layer = LayerParameter()
    layer.CopyFrom(param)
    for field in ("include", "exclude", "phase", "loss_weight", "propagate_down", "blobs", "param"):
        layer.ClearField(field)
    shared = max((i + 1 for i, spec in enumerate(param.param) if spec.name), default=0)
    for spec in param.param[:shared]:
        kept = ParamSpec(name=spec.name) if spec.name else ParamSpec()
        if spec.HasField("share_mode"):
            kept.share_mode = spec.share_mode
        layer.param.append(kept)
    without_engine(layer)
    if uses_batch_statistics(layer):
        layer.batch_norm_param.ClearField("use_global_stats")
    cls = layer_class(param.type)
    if cls is None or not cls.fills_tops:
        for _, inner in layer.ListFields():
            _clear_fillers(inner)
    return layer


def _clear_fillers(message: Any) -> None:
    if isinstance(message, Message):
        for field, _ in message.ListFields():
            if field.message_type is FillerParameter.DESCRIPTOR:
                message.ClearField(field.name)
