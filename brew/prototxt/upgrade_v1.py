"""V1 layers (2014: `layers { type: CONVOLUTION ... }`) as today's. Upgrade rules 2 and 3."""

from __future__ import annotations

from brew.proto.brew_pb2 import LayerParameter, V1LayerParameter
from brew.proto.old_types import present_type

from .upgrade_origin import OldLayer, assign

_DATA_PARAMS = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
_TRANSFORM = ("scale", "mean_file", "crop_size", "mirror")
# In this order: `param` becomes `name` before today's param { } is added.
_SPEC = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}


def move_transform(old: OldLayer) -> bool:
    """Rule 2: the transformation fields of a data layer go to transform_param; returns whether there were any."""
    holder = _DATA_PARAMS.get(_type(old))
    if holder is None or not old.param.HasField(holder):
        return False
    data = getattr(old.param, holder)
    moving = [name for name in _TRANSFORM if data.HasField(name)]
    for name in moving:
        assign(old.param.transform_param, name, getattr(data, name))
        data.ClearField(name)
        old.trace.move((holder, name), ("transform_param", name))
    return bool(moving)


def from_v1(old: OldLayer) -> LayerParameter:
    """Rule 3: today's layer; the moves of fields are noted in `old`."""
    new = LayerParameter()
    if old.param.HasField("type"):
        new.type = present_type(_type(old))
    for field, value in old.param.ListFields():
        if field.name not in _SPEC and field.name != "type":
            assign(new, field.name, value)
    for name, member in _SPEC.items():
        for i, value in enumerate(getattr(old.param, name)):
            while len(new.param) <= i:
                new.param.add()
            setattr(new.param[i], member, value)
            old.trace.move((name, i), ("param", i, member))
            old.trace.moved.setdefault(("param", i), old.trace.moved["param", i, member])
    return new


def _type(old: OldLayer) -> str:
    return V1LayerParameter.LayerType.Name(old.param.type)
