"""Whether the file asks a layer to run in place."""

from __future__ import annotations

from brew.proto.brew_pb2 import LayerParameter


def overwrites(param: LayerParameter) -> bool:
    """Whether the first top is written over the first bottom: in the file both have the same name.

    The memory plan may keep no value of a blob that the file overwrites, here or in a later layer; a layer whose
    backward needs one keeps a copy.
    """
    return bool(param.bottom and param.top) and param.bottom[0] == param.top[0]
