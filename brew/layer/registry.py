"""Layer types and engines by name.

A type's module is imported when a net names it: the file is the snake case of the type, found by listing `layers/`,
so that adding a layer touches no list. Third-party packages add types through the entry point group `brew.layers`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .contract import Implementation, Layer
    from .engine import Engine

_layers: dict[str, type[Layer]] = {}
C = TypeVar("C", bound="type[Layer]")


def register_layer(cls: C) -> C:
    """Decorator: make the class reachable under its `type`. A second class of the same type is refused."""
    known = _layers.get(cls.type)
    if known is not None and known.__qualname__ != cls.__qualname__:
        raise ValueError(f"layer type {cls.type!r} is already {known.__module__}.{known.__qualname__}")
    _layers[cls.type] = cls
    return cls


def stem(type_name: str) -> str:
    """The file a type lives in: snake case, as Caffe names its files.

    >>> [stem(t) for t in ("ReLU", "InnerProduct", "SoftmaxWithLoss", "HDF5Data", "LRN", "TanH", "DummyData")]
    ['relu', 'inner_product', 'softmax_with_loss', 'hdf5_data', 'lrn', 'tanh', 'dummy_data']
    >>> [stem(t) for t in ("SPP", "RNN", "LSTM", "LSTMUnit", "Im2col", "SigmoidCrossEntropyLoss")]
    ['spp', 'rnn', 'lstm', 'lstm_unit', 'im2col', 'sigmoid_cross_entropy_loss']
    """
    whole = {"ReLU": "relu", "PReLU": "prelu", "TanH": "tanh", "AbsVal": "absval", "ArgMax": "argmax"}
    if type_name in whole:
        return whole[type_name]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", type_name).lower()


def implementations(layer: Layer, device: str, engine: str) -> Iterator[Implementation[Any]]:
    """Fresh ones to try, the best first: the engine's, where it has one; the last, from the layer's own file, takes
    anything. NetError where the layer has none for `device`."""
    own = engine_of(device, engine)
    if own is not None and own.takes(layer):
        if stem(layer.type) in _engine_stems(engine):
            importlib.import_module(f"brew.layers.{engine}.{stem(layer.type)}")
        if (device, engine) in layer.implementations:
            yield layer.implementation(device, engine)
    yield layer.implementation(device)


def engine_of(device: str, name: str) -> Engine | None:
    """The engine `name`, where that computes on `device`. "caffe" is none: it is the code in the layers' own files."""
    if name not in _engines():
        return None
    engine: Engine = importlib.import_module(f"brew.layers.{name}").ENGINE
    return engine if engine.device == device else None


@cache
def _engine_stems(engine: str) -> frozenset[str]:
    folder = importlib.import_module(f"brew.layers.{engine}").__path__
    return frozenset(module.name for module in pkgutil.iter_modules(folder))


def layer_class(type_name: str) -> type[Layer] | None:
    """The class registered for a type, importing its module when needed; None when there is none."""
    if type_name not in _layers:
        if stem(type_name) in _stems():
            importlib.import_module(f"brew.layers.{stem(type_name)}")
        elif (entry := _entry_points().get(type_name)) is not None:
            cls = register_layer(entry.load())
            if cls.type != type_name:
                text = f'entry point "{type_name}" of group "brew.layers" gives a layer of type "{cls.type}"'
                raise ValueError(f"{text}: it must bear the type's name")
    return _layers.get(type_name)


def layer_type_list() -> list[str]:
    """Every layer type that can be used, sorted. Imports all of them."""
    _import_all()
    return sorted({*_layers, *_entry_points()})


@cache
def _import_all() -> None:
    for name in _stems():
        importlib.import_module(f"brew.layers.{name}")


@cache
def _stems() -> frozenset[str]:
    return frozenset(name for name, is_folder in _listed().items() if not (is_folder or name.startswith("_")))


@cache
def _engines() -> frozenset[str]:
    return frozenset(name for name, is_folder in _listed().items() if is_folder)


def _listed() -> dict[str, bool]:
    folder = importlib.import_module("brew.layers").__path__
    return {module.name: module.ispkg for module in pkgutil.iter_modules(folder)}


@cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    import importlib.metadata

    return {e.name: e for e in importlib.metadata.entry_points(group="brew.layers")}
