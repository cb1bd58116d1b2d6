"""Nets written in Python: every layer type of the schema is a function, and printing a net gives its prototxt.

    from brew.caffe import NetSpec, layers as L, params as P

    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 1, 28, 28]))
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    print(n)

Or as a chain, with the names where they are needed:

    data = L.Input(shape=dict(dim=[1, 1, 28, 28])).named("data")
    print(data.Convolution(kernel_size=5, num_output=20).ReLU(in_place=True).Pooling(pool="MAX", kernel_size=2))
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from brew.errors import NetError, Place, did_you_mean
from brew.layer.registry import layer_type_list
from brew.proto import caffe_pb2
from brew.prototxt import to_text

from .net_fields import assign_keyword, assign_proto, param_name_dict

__all__ = [
    "Function",
    "Layers",
    "NetSpec",
    "Parameters",
    "Top",
    "assign_proto",
    "layers",
    "param_name_dict",
    "params",
    "to_proto",
]


class NotATop(NetError, TypeError):
    """Something that is no top where one is needed."""


class NoSuchName(NetError, AttributeError, KeyError):
    """A name that a NetSpec, or a message's constants, do not have."""


class Function:
    """One layer: its type, the tops it reads, and its parameters as they were given. `tops` are what it makes.

    `ntop` of the parameters is how many tops it has (1), `in_place` lets it write into its bottom; the others are
    fields of its message, or of the layer. `place` is the line that made it.
    """

    def __init__(self, type_name: str, inputs: Sequence[Top], params: Mapping[str, Any]) -> None:
        for index, given in enumerate(inputs):
            if not isinstance(given, Top):
                raise NotATop(f"{type_name} input {index} is not a Top (type is {type(given)})")
        self.type_name = type_name
        self.inputs = inputs
        self.params = dict(params)
        self.ntop: int = self.params.pop("ntop", 1)
        self.in_place: bool = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))
        self.place = _callers_line()

    def to_proto(self) -> caffe_pb2.NetParameter:
        """The net of this layer and all that it needs."""
        return to_proto(self)

    def __str__(self) -> str:
        return to_text(self.to_proto())


class Top:
    """What a layer makes: its `n`th top. `top.Convolution(...)` is L.Convolution(top, ...), for every layer type.

    `a + b` and `a * b` are Eltwise layers. Printing gives the prototxt of all that the top needs.
    """

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n
        self.name = ""

    def named(self, name: str) -> Top:
        """Call this top so, and its layer if it is the first one; names in a NetSpec come first."""
        self.name = name
        return self

    def to_proto(self) -> caffe_pb2.NetParameter:
        """The net of all layers that this top needs."""
        return to_proto(self)

    def __getattr__(self, type_name: str) -> Callable[..., Any]:
        if not type_name[:1].isupper():
            raise AttributeError(f"a Top has no {type_name!r}; layer types begin with a capital letter")
        return partial(_layer, type_name, self)

    def __add__(self, other: Top) -> Any:
        return _layer("Eltwise", self, other, operation="SUM")

    def __mul__(self, other: Top) -> Any:
        return _layer("Eltwise", self, other, operation="PROD")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *layer_type_list()]

    def __str__(self) -> str:
        return to_text(self.to_proto())


class NetSpec:
    """A net whose tops have the names of the attributes, or keys, that they are assigned to.

    A layer without tops (ntop=0) is assigned as well. Layers that are needed and have no name get their type and a
    number. `tops` holds all by name.
    """

    tops: OrderedDict[str, Top | Function]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Top | Function) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        tops = self.__dict__.get("tops", {})  # a copy has none at first
        if name not in tops:
            raise NoSuchName(f'the net has no top "{name}" yet', hint=did_you_mean(name, tops))
        return tops[name]

    def __setitem__(self, key: str, value: Top | Function) -> None:
        setattr(self, key, value)

    def __getitem__(self, item: str) -> Any:
        return self.__getattr__(item)

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def keys(self) -> list[str]:
        """The names; with `vals` and `update` what SSD's scripts ask of a NetSpec beyond pycaffe's."""
        return list(self.tops)

    def vals(self) -> list[Top | Function]:
        """What stands under the names."""
        return list(self.tops.values())

    def update(self, name: str, params: Mapping[str, Any]) -> None:
        """Give the layer of the top `name` these parameters as well, in place of those it has."""
        top = self[name]
        (top.fn if isinstance(top, Top) else top).params.update(params)

    def to_proto(self) -> caffe_pb2.NetParameter:
        """The net of all layers that the named tops need, in the order of the names. NotATop where one is no top."""
        for name, top in self.tops.items():
            if not isinstance(top, Top | Function):
                raise NotATop(f'"{name}" of the net is to be a top, not {type(top)}', hint=_unpacked(top))
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})

    def __str__(self) -> str:
        return to_text(self.to_proto())


def _unpacked(value: object) -> str | None:
    """The hint for several tops that one name was given to."""
    if not isinstance(value, tuple) or not all(isinstance(item, Top) for item in value):
        return None
    names = ", ".join(f"n.name{number}" for number in range(len(value)))
    return f"a layer with {len(value)} tops is assigned to as many names: {names} = ..."


def to_proto(*tops: Top | Function) -> caffe_pb2.NetParameter:
    """The net of all layers that these tops need; without a name, a layer gets its type and a number."""
    return _net(tops, {})


def _net(wanted: Iterable[Top | Function], names: Mapping[Top | Function, str]) -> caffe_pb2.NetParameter:
    writer = _Writer(names)
    for item in wanted:
        writer.write(item.fn if isinstance(item, Top) else item)
    return caffe_pb2.NetParameter(layer=writer.layers.values())


class _Writer:
    """Writes layers, each once and after those that it needs."""

    def __init__(self, names: Mapping[Top | Function, str]) -> None:
        self.layers: dict[Function, caffe_pb2.LayerParameter] = {}
        self._names = dict(names)
        self._taken = set(names.values())
        self._numbers: Counter[str] = Counter()

    def write(self, wanted: Function) -> None:
        """Write a layer and what it needs, without recursion: nets are deeper than Python's stack."""
        waiting = [wanted]
        while waiting:
            fn = waiting[-1]
            needed = [top.fn for top in fn.inputs if top.fn not in self.layers]
            if fn in self.layers or not needed:
                waiting.pop()
            if fn not in self.layers and not needed:
                self.layers[fn] = self._written(fn)
            elif fn not in self.layers:
                waiting += reversed(needed)

    def _written(self, fn: Function) -> caffe_pb2.LayerParameter:
        layer = caffe_pb2.LayerParameter(type=fn.type_name)
        layer.bottom.extend(self.layers[top.fn].top[top.n] for top in fn.inputs)
        layer.top.extend(layer.bottom if fn.in_place else [self._name(top, fn) for top in fn.tops])
        layer.name = self._name(fn.tops[0] if fn.tops else fn, fn)
        for keyword, value in fn.params.items():
            assign_keyword(layer, keyword, value, fn.place)
        return layer

    def _name(self, item: Top | Function, fn: Function) -> str:
        if item not in self._names:
            self._names[item] = (isinstance(item, Top) and item.name) or self._number(fn.type_name)
        return self._names[item]

    def _number(self, type_name: str) -> str:
        while True:
            self._numbers[type_name] += 1
            name = f"{type_name}{self._numbers[type_name]}"
            if name not in self._taken:
                return name


def _layer(type_name: str, *inputs: Top, **params: Any) -> Any:
    fn = Function(type_name, inputs, params)
    return fn if fn.ntop == 0 else fn.tops[0] if fn.ntop == 1 else fn.tops


def _callers_line() -> Place | None:
    """The first line outside of this module that led here."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else Place(frame.f_code.co_filename, frame.f_lineno)


class Layers:
    """`layers.Convolution(bottom, ..., num_output=20)` makes a layer of any type and returns its top: one, a tuple of
    `ntop`, or with ntop=0 the Function.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(_layer, name)

    def __dir__(self) -> list[str]:
        return layer_type_list()


class Parameters:
    """`params.Pooling.MAX` is the constant MAX of PoolingParameter, and so on for every message of the schema."""

    def __getattr__(self, name: str) -> _Constants:
        message = getattr(caffe_pb2, f"{name}Parameter", None)
        if name.startswith("_") or message is None:
            _no_such(f'no message "{name}Parameter" in the schema', name, dir(self))
        return _Constants(name, message)

    def __dir__(self) -> list[str]:
        return [name.removesuffix("Parameter") for name in vars(caffe_pb2) if name.endswith("Parameter")]


class _Constants:
    def __init__(self, name: str, message: Any) -> None:
        self._name, self._message = name, message

    def __getattr__(self, name: str) -> int:
        if name not in dir(self):
            _no_such(f'{self._name}Parameter has no constant "{name}"; it has {", ".join(dir(self))}', name, dir(self))
        value: int = getattr(self._message, name)
        return value

    def __dir__(self) -> list[str]:
        return [value.name for enum in self._message.DESCRIPTOR.enum_types for value in enum.values]


def _no_such(message: str, name: str, known: Iterable[str]) -> NoReturn:
    raise NoSuchName(message, hint=did_you_mean(name, known))


layers = Layers()
params = Parameters()
