"""The messages of brew.proto as classes: what protoc's own output would offer, free of its version check.

The committed descriptor goes into a pool of its own: no other package's Caffe schema can clash with it, and every
protobuf from 5.29 on reads it. `brew_pb2.pyi` has the types.
"""

from pathlib import Path

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

_bytes = Path(__file__).with_name("brew_descriptor.bin").read_bytes()  # importlib.resources is slow to import
DESCRIPTOR = DescriptorPool().AddSerializedFile(_bytes)

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    _class = GetMessageClass(_descriptor)
    _class.__module__ = __name__  # where pickle looks for the class
    globals()[_name] = _class

for _name, _enum in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = EnumTypeWrapper(_enum)
    globals().update((value.name, value.number) for value in _enum.values)

__all__ = [
    *DESCRIPTOR.message_types_by_name,
    *DESCRIPTOR.enum_types_by_name,
    *(value.name for enum in DESCRIPTOR.enum_types_by_name.values() for value in enum.values),
]
