"""The net for use that a model runs: deployed where it was for training, with every net made of it sharing weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from brew import cuda
from brew.errors import InputError, UsageError
from brew.graph.definition import NetDefinition, define
from brew.graph.rewriting.deploy import deploy
from brew.graph.states import filter_layers, merged_state
from brew.layer import TEST, TRAIN, Shape
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.net.mode import default_device
from brew.net.net import Net
from brew.proto.brew_pb2 import FillerParameter, NetParameter, ParamSpec

from .files import Found, without_weights
from .metadata import image_layer

RANDOM = "random"  # weights: those of the fillers


@dataclass(frozen=True, slots=True)
class Device:
    """Where nets run: `kind` "cpu" or "cuda", and there the GPU's `number`."""

    kind: str
    number: int | None = None

    @classmethod
    def of(cls, name: str | None) -> Device:
        """ "cpu", "cuda" (the current GPU) or "cuda:1"; None: where nets run by default. UsageError, DeviceError."""
        kind, colon, number = (name or default_device()).partition(":")
        if kind not in ("cpu", "cuda") or (colon and not number.isdecimal()) or (kind == "cpu" and colon):
            raise UsageError(f'device is {name!r}; "cpu", "cuda" or "cuda:0" is expected')
        if kind == "cpu":
            return cls(kind)
        device = cls(kind, int(number) if colon else cuda.current_device())
        with device.current():
            return device

    @contextmanager
    def current(self) -> Iterator[None]:
        """Inside, this thread uses it."""
        with nullcontext() if self.number is None else cuda.on_device(self.number):
            yield

    def __str__(self) -> str:
        return self.kind if self.number is None else f"{self.kind}:{self.number}"


class Network:
    """Makes nets of one definition on one device, all with the weights of the first, `base`.

    Raises PrototxtError, NetError, WeightsError, DeviceError and other BrewErrors.
    """

    def __init__(self, found: Found, device: Device, shapes: Mapping[str, Shape] | None) -> None:
        if found.weights is None:
            raise without_weights(found)
        self.device = device
        self.definition = _for_use(found, _shapes(found, shapes))
        with device.current():
            self._base: Net | None = Net(
                self.definition, TEST, weights=None if found.weights == RANDOM else found.weights, device=device.kind,
                seed=0 if found.weights == RANDOM else None, keep=(), forward_only=True,
            )  # fmt: skip
        self._outputs = frozenset(self.base.outputs)
        self._lent = False

    @property
    def base(self) -> Net:
        """The net that owns the weights. UsageError after `close`."""
        if self._base is None:
            raise UsageError("the model is closed")
        return self._base

    def close(self) -> None:
        """Let go of the weights; nets that use them still keep them."""
        self._base = None

    def net(self, keep: frozenset[str] = frozenset()) -> Net:
        """A net for one caller, in which the outputs and the blobs of `keep` can be read after a pass."""
        if keep <= self._outputs and not self._lent:
            self._lent = True
            return self.base
        with self.device.current():
            return Net(
                self.definition, TEST, device=self.device.kind, share=self.base, keep=keep, forward_only=True,
            )  # fmt: skip

    def with_gradients(self) -> Net:
        """A net whose every blob has a gradient; its parameters have none."""
        message = self.definition.net.message()
        message.force_backward = True
        for layer in message.layer:
            for _ in range(len(self.base.params.get(layer.name, ())) - len(layer.param)):
                layer.param.append(ParamSpec())
            for spec in layer.param:
                spec.lr_mult = 0
        with self.device.current():
            return Net(message, TEST, device=self.device.kind, share=self.base)


def _shapes(found: Found, given: Mapping[str, Shape] | None) -> Mapping[str, Shape]:
    """The shapes of inputs that are known beside the net's file."""
    shapes = {name: tuple(shape) for name, shape in (given or {}).items()}
    images = image_layer(found.net)
    if images is not None and images[0].top and found.metadata.input is not None:
        shapes.setdefault(images[0].top[0], (1, *found.metadata.input))
    return shapes


def _for_use(found: Found, shapes: Mapping[str, Shape]) -> NetDefinition:
    """The net itself where it reads no data and has no loss; else the one that `brew deploy` makes."""
    if not _is_for_training(found.net):
        return _reshaped(found.net, shapes) if shapes else found.net
    try:
        net = deploy(found.net, shapes=shapes).net
    except InputError as error:
        if error.hint and "--shape" in error.hint:
            error.hint = (
                'shapes={"data": (1, channels, height, width)} of brew.load, or input: in its readme.md, says it'
            )
        raise
    if found.weights == RANDOM:
        _fill(net, found.net)
    made = define(net)
    return NetDefinition(made.net, found.net.folder)


def _reshaped(definition: NetDefinition, shapes: Mapping[str, Shape]) -> NetDefinition:
    """With its inputs of these shapes. UsageError for a name that is no input."""
    message = definition.net.message()
    unused = set(shapes)
    for layer in message.layer:
        cls = layer_class(layer.type)
        if cls is None or not cls.is_filled or not unused.intersection(layer.top):
            continue
        before = [tuple(shape.dim) for shape in layer.input_param.shape]
        before *= len(layer.top) if len(before) == 1 else 1
        del layer.input_param.shape[:]
        for top, shape in zip(layer.top, before, strict=True):
            layer.input_param.shape.add(dim=shapes.get(top, shape))
        unused.difference_update(layer.top)
    if unused:
        raise UsageError(f"shapes: the net has no input {', '.join(sorted(unused))}")
    made = define(message)
    return NetDefinition(made.net, definition.folder)


def _is_for_training(definition: NetDefinition) -> bool:
    for phase in (TEST, TRAIN):
        for source in filter_layers(definition.net.layers, merged_state(phase, definition.net.shell.state)):
            cls = layer_class(source.param.type)
            if cls is not None and (issubclass(cls, DataLayer) or cls.is_loss or cls.is_score):
                return True
    return False


def _fill(net: NetParameter, origin: NetDefinition) -> None:
    """Give the layers of a deployed net their fillers back."""
    before = {source.param.name: source.param for source in origin.net.layers}
    for layer in net.layer:
        if layer.name in before and before[layer.name].type == layer.type:
            for field, inner in before[layer.name].ListFields():
                if isinstance(inner, Message):
                    _copy_fillers(getattr(layer, field.name), inner)


def _copy_fillers(target: Any, source: Message) -> None:
    for field, value in source.ListFields():
        if field.message_type is FillerParameter.DESCRIPTOR:
            getattr(target, field.name).CopyFrom(value)
