"""Which messages a layer's type reads: told from docstrings, and held here against the layers' code."""

from __future__ import annotations

import ast
import inspect
import sys
from types import ModuleType

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from brew.layer import sections
from brew.layer.registry import layer_class, layer_type_list
from brew.proto.brew_pb2 import LayerParameter

_BY_TYPE_ALONE = {"Sigmoid": "sigmoid_param", "TanH": "tanh_param"}  # their one field, `engine`, changes no result
_REFUSED = {"HDF5Data": "transform_param"}  # read to refuse it


def _say_something(message: Message) -> None:
    """Set the message's first field."""
    name = message.DESCRIPTOR.fields[0].name
    value = getattr(message, name)
    if isinstance(value, str | int | float | bool):
        setattr(message, name, value)
    elif isinstance(value, Message):
        value.SetInParent()
    elif message.DESCRIPTOR.fields[0].message_type is not None:
        value.add()
    else:
        value.append("1" if message.DESCRIPTOR.fields[0].type == FieldDescriptor.TYPE_STRING else 1)


def _in_code(module: ModuleType) -> set[str]:
    """The messages that a module's code names: as an attribute, or in a layer's own file as a text of its own."""
    nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    if module.__name__.startswith("brew.layers."):  # what all data layers share names each one's
        named |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return named & set(sections.messages())


@pytest.mark.parametrize("name", layer_type_list())
def test_what_docstrings_say_is_what_the_code_reads(name: str) -> None:
    cls = layer_class(name)
    assert cls is not None
    rooms = {c.__module__ for c in cls.__mro__ if c.__module__.startswith("brew.") and c.__module__ != "brew.layer"}
    read = set().union(*(_in_code(sys.modules[room]) for room in rooms))
    extra = {_BY_TYPE_ALONE[name]} if name in _BY_TYPE_ALONE else set()
    assert set(sections.read_by(name)) == (read - {_REFUSED.get(name)}) | extra


@pytest.mark.parametrize("name", layer_type_list())
def test_every_other_message_is_unread_once_it_says_something(name: str) -> None:
    for message in sections.messages():
        param = LayerParameter(type=name)
        section = getattr(param, message)
        section.SetInParent()
        assert list(sections.unread(param)) == []
        _say_something(section)
        assert list(sections.unread(param)) == ([] if message in sections.read_by(name) else [message])


def test_types_of_others_are_not_judged() -> None:
    param = LayerParameter(type="Nobody's")
    param.pooling_param.stride = 2
    assert list(sections.unread(param)) == []
    assert sections.readers("loss_param") == ["InfogainLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss"]
    assert sections.readers("convolution_param") == ["Convolution", "Deconvolution", "Im2col"]
