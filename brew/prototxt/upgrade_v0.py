"""V0 nets (2013: `layers { layer { type: "conv" ... } }`) in the words of V1. Upgrade rule 1.

The tables follow Caffe's upgrade_proto.cpp; the padding layers of the first months are folded first.
"""

from __future__ import annotations

from brew.errors import did_you_mean
from brew.proto.brew_pb2 import NetParameter, V1LayerParameter
from brew.proto.old_types import V0_TYPES

from .upgrade_origin import OldLayer, Origin, assign

_PARAM = {
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}  # the message that a type's own fields have moved to
_FIELDS = {  # V0's name: the new one, and the types it belongs to
    "num_output": ("num_output", "conv innerproduct"),
    "biasterm": ("bias_term", "conv innerproduct"),
    "weight_filler": ("weight_filler", "conv innerproduct"),
    "bias_filler": ("bias_filler", "conv innerproduct"),
    "pad": ("pad", "conv pool"),
    "kernelsize": ("kernel_size", "conv pool"),
    "group": ("group", "conv"),
    "stride": ("stride", "conv pool"),
    "pool": ("pool", "pool"),
    "dropout_ratio": ("dropout_ratio", "dropout"),
    "local_size": ("local_size", "lrn"),
    "alpha": ("alpha", "lrn"),
    "beta": ("beta", "lrn"),
    "k": ("k", "lrn"),
    "source": ("source", "data hdf5_data images window_data infogain_loss"),
    "batchsize": ("batch_size", "data hdf5_data images window_data"),
    "rand_skip": ("rand_skip", "data images"),
    "shuffle_images": ("shuffle", "images"),
    "new_height": ("new_height", "images"),
    "new_width": ("new_width", "images"),
    "concat_dim": ("concat_dim", "concat"),
    "det_fg_threshold": ("fg_threshold", "window_data"),
    "det_bg_threshold": ("bg_threshold", "window_data"),
    "det_fg_fraction": ("fg_fraction", "window_data"),
    "det_context_pad": ("context_pad", "window_data"),
    "det_crop_mode": ("crop_mode", "window_data"),
}
_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
_PLAIN = ("name", "blobs", "blobs_lr", "weight_decay")
_NET_FIELDS = ("name", "input", "input_dim", "force_backward")


def is_v0(net: NetParameter) -> bool:
    return any(layer.HasField("layer") for layer in net.layers)


def check_net_fields(shell: NetParameter, origin: Origin) -> None:
    """Take from a V0 net what V0 did not have, as Caffe does."""
    for field, _ in shell.ListFields():
        if field.name not in _NET_FIELDS:
            origin.leave_out(f"a net in the format of 2013 has no {field.name}", (field.name,))
            shell.ClearField(field.name)


def from_v0(layers: list[OldLayer], origin: Origin) -> list[OldLayer]:
    """The layers with V1's fields; those that have them already stay as they are."""
    return [_layer(old, origin) if old.param.HasField("layer") else old for old in _fold_padding(layers, origin)]


def _fold_padding(layers: list[OldLayer], origin: Origin) -> list[OldLayer]:
    """Drop "padding" layers; the convolution or pooling that reads one pads by itself. Blob names may repeat."""
    newest: dict[str, OldLayer] = {}
    kept = []
    for old in layers:
        param = old.param
        for b, blob in enumerate(param.bottom):
            maker = newest.get(blob)
            if maker is not None and maker.param.layer.type == "padding":
                _check_padding(maker, old, b, origin)
                param.layer.pad = maker.param.layer.pad
                param.bottom[b] = maker.param.bottom[0]
                old.trace.moved["layer", "pad"] = maker.trace.written("layer", "pad")
                old.trace.moved["bottom", b] = maker.trace.written("bottom", 0)
        newest.update(dict.fromkeys(param.top, old))
        if param.layer.type != "padding":
            kept.append(old)
    return kept


def _check_padding(padding: OldLayer, reader: OldLayer, b: int, origin: Origin) -> None:
    name, what = padding.param.layer.name, f'layer "{reader.param.layer.name}" ({reader.param.layer.type})'
    if reader.param.layer.type not in ("conv", "pool"):
        raise origin.error(
            f'{what} reads the padding layer "{name}"; only conv and pool can take its place',
            reader.trace.written("bottom", b),
        )
    if len(reader.param.bottom) != 1:
        text = f'{what} reads the padding layer "{name}" and has {len(reader.param.bottom)} bottoms; it must have one'
        raise origin.error(text, reader.trace.written("bottom", 1))
    for field, blobs in (("bottom", padding.param.bottom), ("top", padding.param.top)):
        if len(blobs) != 1:
            raise origin.error(
                f'layer "{name}" (padding) has {len(blobs)} {field}s; it must have one', padding.trace.written(field)
            )


def _layer(old: OldLayer, origin: Origin) -> OldLayer:
    v0 = old.param.layer
    who = f'layer "{v0.name}" ({v0.type})'
    new = OldLayer(V1LayerParameter(bottom=old.param.bottom, top=old.param.top), old.trace)
    for field, _ in old.param.ListFields():
        if field.name not in ("layer", "bottom", "top"):
            origin.leave_out(
                f"{who}: {field.name} beside `layer`, where the format of 2013 has none", old.trace.written(field.name)
            )
    for field, value in v0.ListFields():
        name = field.name
        if name == "type":
            path: tuple[str, ...] = ("type",)
            value = V1LayerParameter.LayerType.Value(_type(old, origin))
        elif name in _PLAIN:
            path = (name,)
        elif name in _TRANSFORM:
            path = ("transform_param", _TRANSFORM[name])
        elif name == "hdf5_output_param" and v0.type == "hdf5_output":
            path = (name,)
        elif v0.type in _FIELDS.get(name, ("", ""))[1].split():
            path = (_PARAM[v0.type], _FIELDS[name][0])
        else:
            origin.leave_out(f"{who}: {name} does not belong to this type", old.trace.written("layer", name))
            continue
        assign(getattr(new.param, path[0]) if len(path) == 2 else new.param, path[-1], value)
        new.trace.move(("layer", name), path)
    return new


def _type(old: OldLayer, origin: Origin) -> str:
    v0 = old.param.layer
    if v0.type not in V0_TYPES:
        near = did_you_mean(v0.type, V0_TYPES)
        raise origin.error(
            f'layer "{v0.name}": the format of 2013 has no type "{v0.type}"', old.trace.written("layer", "type"),
            hint=f"{near or ''} types: {', '.join(sorted(V0_TYPES))}".strip(),
        )  # fmt: skip
    return V0_TYPES[v0.type]
