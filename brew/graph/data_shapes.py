"""Shapes of the tops of data layers, from the net's file alone where the data is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from brew.errors import DataError
from brew.layer import Context, Layer, Shape, shape_text
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter
from brew.prototxt.placed import PlacedLayer

from .build import build

log = logging.getLogger("brew")

_FILLED = "Input", "DummyData"  # layers whose shapes stand in the file


@dataclass(slots=True)
class DataShapes:
    """`shapes` by blob, as `graph.definition.select` takes them; `assumed`: what was not read from data."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)


def data_shapes(
    layers: Sequence[PlacedLayer],
    context: Callable[[PlacedLayer], Context],
    given: Mapping[str, Shape] | None = None,
    batch: int | None = None,
) -> DataShapes:
    """The shapes of all blobs that the data layers among `layers` make, and with `batch` the Input layers' too.

    `given` shapes take precedence. `batch` replaces the first axis of all others. NetError where neither
    the data nor the file tells the shape.
    """
    given, result = given or {}, DataShapes(dict(given or {}))
    for source in layers:
        param = source.param
        cls = layer_class(param.type)
        resized = batch is not None and param.type in _FILLED
        if param.bottom or cls is None or set(param.top) & set(given) or not (issubclass(cls, DataLayer) or resized):
            continue
        shapes = _told(source, cls, context(source), result.assumed)
        if batch is not None:
            shapes = [(batch, *shape[1:]) if shape else shape for shape in shapes]
        result.shapes.update(zip(param.top, shapes, strict=True))
    return result


def _told(source: PlacedLayer, cls: type[Layer], context: Context, assumed: list[str]) -> list[Shape]:
    """The shapes of the layer's tops by its data, else by its message."""
    param = source.param
    try:
        return list(build([source], lambda _: context).nodes[0].top_shapes)
    except DataError as error:
        image, how = _image(param, context)
        missing = error
    log.debug("%s", missing)
    batch = max(getattr(param, section).batch_size for section in _BATCHES)
    if image is None or not batch:
        blob = param.top[0] if param.top else "data"
        raise DataError(
            f'layer "{param.name}" ({param.type}): its data is not there, and the file does not tell the shape of '
            f"what it brings: {missing.message}",
            place=missing.place, hint=f"give it: --shape {blob}:NxCxHxW",
        ) from None  # fmt: skip
    shapes: list[Shape] = [(batch, *image), (batch,)][: len(param.top)]
    assumed.append(f'layer "{param.name}" brings images of {shape_text(image)}: its data is not there; {how}')
    return shapes


_BATCHES = "data_param", "image_data_param", "window_data_param"


def _image(param: LayerParameter, context: Context) -> tuple[Shape | None, str]:
    """(channels, height, width) after the crop as the message has it, and how it is known."""
    if param.type not in ("Data", "ImageData", "WindowData"):
        return None, ""
    crop, images = param.transform_param.crop_size, param.image_data_param
    mean = _mean_shape(param, context)
    channels, guess = _channels(param, mean)
    if crop:
        return (channels, crop, crop), f"crop_size says so{guess}"
    if param.type == "ImageData" and images.new_height and images.new_width:
        return (channels, images.new_height, images.new_width), f"new_height and new_width say so{guess}"
    if mean is not None and len(mean) == 3 and mean[1] > 1:
        return (channels, *mean[1:]), f"the mean file says so{guess}"
    return None, ""


def _channels(param: LayerParameter, mean: Shape | None) -> tuple[int, str]:
    """How many there are, and a note where that is no more than a guess."""
    transform = param.transform_param
    if param.type == "ImageData":
        return (3 if param.image_data_param.is_color else 1), ""
    if param.type == "WindowData" or transform.force_color:
        return 3, ""
    if transform.force_gray:
        return 1, ""
    if mean is not None and mean[0] > 1:
        return mean[0], ""
    return 3, ", 3 channels are a guess"


def _mean_shape(param: LayerParameter, context: Context) -> Shape | None:
    """The shape of the mean, where there is one and its file can be read."""
    from brew.data.transformer import Transformer

    try:
        mean = Transformer(param.transform_param, context, param.name, param.type).mean
    except DataError:
        return None
    return None if mean is None else tuple(mean.shape)
