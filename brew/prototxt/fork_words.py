"""Fields for which forks of Caffe have another name than Caffe.

`pooling_param { ceil_mode: true }` is round_mode: CEIL, and false is FLOOR. (Binary messages: upgrade_pooling.)
"""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor

from brew.proto.brew_pb2 import PoolingParameter

from .schema import Field

ROUND = {True: PoolingParameter.CEIL, False: PoolingParameter.FLOOR}

_SYNONYMS = {
    ("PoolingParameter", "ceil_mode"): Field(
        "PoolingParameter", "ceil_mode", FieldDescriptor.TYPE_BOOL, False, None, None, "round_mode", ROUND
    )
}


def synonym(message: str, name: str) -> Field | None:
    """A fork's word `name` in the schema's message `message`, where Caffe has another for it."""
    return _SYNONYMS.get((message, name))
