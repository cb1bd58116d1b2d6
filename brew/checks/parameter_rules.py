"""Fields that the type of a layer or filler does not read: they do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from brew.layer import sections
from brew.layer.filler import READS
from brew.proto.brew_pb2 import FillerParameter, LayerParameter

from .net_rules import NET_RULES
from .rules import Note
from .view import View

Found = tuple[int, tuple[str | int, ...], FillerParameter]  # layer, path of the filler, filler

_LEFT_OVER = {("Softmax", "loss_param"), ("Sigmoid", "loss_param")}  # of the loss that a net for use had there
_INSTEAD = {  # the message that is meant where another is not read
    ("Accuracy", "loss_param"): "ignore_label of an Accuracy stands in accuracy_param",
    ("Accuracy", "softmax_param"): "axis of an Accuracy stands in accuracy_param",
    ("HDF5Data", "transform_param"): "HDF5 data comes as it is stored: transform it before",
}


@NET_RULES.add("B213", logged="net")
def message_of_another_type(view: View) -> Iterator[Note]:
    """A message that the layer's type does not read, such as pooling_param in a Convolution: it does nothing."""
    for number, source in enumerate(view.layers):
        param = source.param
        for name in sections.unread(param):
            if (param.type, name) in _LEFT_OVER:
                continue
            fields = ", ".join(field.name for field, _ in getattr(param, name).ListFields())
            what = f"{param.type} does not read {name} ({fields}): it does nothing here"
            yield view.note(number, what, name, hint=_instead(param, name))


def _instead(param: LayerParameter, name: str) -> str:
    if (known := _INSTEAD.get((param.type, name))) is not None:
        return known
    own = sections.read_by(param.type)
    mine = f"{param.type} reads {' and '.join(own)}" if own else f"{param.type} has no parameters"
    theirs = sections.readers(name)
    shown = " and ".join(theirs) if len(theirs) < 3 else f"{', '.join(theirs[:-1])} and {theirs[-1]}"
    return f"{mine}; {name} is for {shown}"


@NET_RULES.add("B215", logged="training")
def idle_filler_field(view: View) -> Iterator[Note]:
    """A field that the type of the filler does not read, such as `value` of a gaussian or `std` of xavier."""
    kinds: dict[tuple[str, str], list[Found]] = {}
    for number, path, filler in _fillers(view):
        for field, value in filler.ListFields():
            read = ("type", "sparse", *READS.get(filler.type, (field.name,)))  # an idle `sparse` is an error
            if field.name not in read and value != field.default_value:
                kinds.setdefault((filler.type, field.name), []).append((number, path, filler))
    for (kind, name), found in kinds.items():
        number, path, filler = found[0]
        more = f" (so in {len(found)} fillers)" if len(found) > 1 else ""
        what = f'{path[1]}: filler "{kind}" does not read {name}{more}'
        yield view.note(number, what, *path, name, hint=_filler_hint(kind, name))


def _filler_hint(kind: str, name: str) -> str:
    others = [f'"{other}"' for other, fields in READS.items() if name in fields]
    own = " and ".join(READS[kind])
    reads = f'"{kind}" reads {own}' if own else f'"{kind}" has no fields'
    return f"{reads}; {name} is for {' and '.join(others)}"


def _fillers(view: View) -> Iterator[Found]:
    """Every filler that a layer reads."""
    for number, source in enumerate(view.layers):
        yield from ((number, path, filler) for path, filler in _fillers_of(source.param))


def has_filler(param: LayerParameter) -> bool:
    """Whether a layer says how its weights start; data layers have none."""
    return bool(param.bottom) and any(True for _ in _fillers_of(param))


def _fillers_of(param: LayerParameter) -> Iterator[tuple[tuple[str | int, ...], FillerParameter]]:
    for name, message in sections.given(param):
        for field, value in message.ListFields():
            if field.message_type is None or field.message_type.name != "FillerParameter":
                continue
            if isinstance(value, FillerParameter):
                yield (name, field.name), value
            else:
                yield from (((name, field.name, i), each) for i, each in enumerate(value))
