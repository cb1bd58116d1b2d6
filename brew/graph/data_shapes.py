"""Shapes of the tops of data layers: from their data, and likely ones from the net's file where that is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from brew.data.prefetching_layer import PrefetchingLayer
from brew.errors import BrewError, DataError
from brew.layer import Context, Layer, Shape, shape_text
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter, ResizeParameter, TransformationParameter
from brew.prototxt.placed import PlacedLayer

from .build import build

log = logging.getLogger("brew")


@dataclass(frozen=True, slots=True)
class Likely:
    """The likely shapes of a data layer's tops, the images' first, and by which field: "crop_size says so"."""

    shapes: list[Shape]
    why: str


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
        if param.bottom or cls is None or set(param.top) & set(given):
            continue
        if not issubclass(cls, DataLayer) and (batch is None or not cls.batch_in_message):
            continue
        shapes = _read(source, cls, context(source), result.assumed)
        if batch is not None:
            shapes = [(batch, *shape[1:]) if shape else shape for shape in shapes]
        result.shapes.update(zip(param.top, shapes, strict=True))
    return result


def _read(source: PlacedLayer, cls: type[Layer], context: Context, assumed: list[str]) -> list[Shape]:
    """The shapes of the layer's tops by its data; where that is missing, the likely ones."""
    param = source.param
    try:
        return list(build([source], lambda _: context).nodes[0].top_shapes)
    except DataError as error:
        missing = error
    log.debug("%s", missing)
    likely = likely_shapes(param, cls, context)
    if likely is None:
        blob = param.top[0] if param.top else "data"
        raise DataError(
            f'layer "{param.name}" ({param.type}): its data is not there, and the file does not tell the shape of '
            f"what it brings: {missing.message}",
            place=missing.place, hint=f"give it: --shape {blob}:NxCxHxW",
        ) from None  # fmt: skip
    image = shape_text(likely.shapes[0][1:])
    assumed.append(f'layer "{param.name}" brings images of {image}: its data is not there; {likely.why}')
    return likely.shapes


def likely_shapes(
    param: LayerParameter, cls: type[Layer], context: Context, *, read_mean: bool = True
) -> Likely | None:
    """The likely shapes of a data layer's tops, by its message and its mean; None where they do not say enough.

    Without `read_mean` the mean file is not opened.
    """
    if not (issubclass(cls, PrefetchingLayer) and cls.brings_images and param.top):
        return None
    batch: int = getattr(param, cls.section).batch_size
    transform = param.transform_param
    mean = _mean_shape(param, context) if read_mean or not param.transform_param.HasField("mean_file") else None
    channels, guess = _channels(param, cls, mean)
    if sized := _augmented(transform):
        size, why = sized
    elif resized := cls.image_size(param):
        size, why = resized, "new_height and new_width say so"
    elif mean is not None and mean[1] > 1:
        size, why = (mean[1], mean[2]), "the mean file says so"
    else:
        return None
    classes = (transform.mix_param.classes,) if transform.HasField("mix_param") else ()
    shapes: list[Shape] = [(batch, channels, *size), (batch, *classes)]
    return Likely(shapes[: len(param.top)], f"{why}{guess}") if batch else None


def _augmented(transform: TransformationParameter) -> tuple[tuple[int, int], str] | None:
    """(height, width) that transform_param says, and why; None where it does not."""
    resize, crop = transform.resize_param, transform.random_resized_crop_param
    if transform.crop_h:
        return (transform.crop_h, transform.crop_w), "crop_h and crop_w say so"
    if transform.crop_size:
        return (transform.crop_size,) * 2, "crop_size says so"
    if crop.height and crop.width:
        return (crop.height, crop.width), "random_resized_crop_param says so"
    if resize.height and resize.width and resize.resize_mode != ResizeParameter.FIT_SMALL_SIZE:
        return (resize.height, resize.width), "resize_param says so"
    return None


def _channels(param: LayerParameter, cls: type[DataLayer], mean: Shape | None) -> tuple[int, str]:
    """Number of channels, and a note where it is a guess."""
    transform = param.transform_param
    if (stated := cls.image_channels(param)) is not None:
        return stated, ""
    if transform.force_color:
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
    except BrewError:  # an error of the layer itself, which building it reports
        return None
    return None if mean is None else tuple(mean.shape)
