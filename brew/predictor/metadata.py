"""What is known of how a model's pictures are prepared, and of its classes; from several sources, the first that says.

The sources are, in this order: the arguments of `brew.load`; the YAML front matter of a readme.md beside the net, as
Caffe's zoo has it; a model.yaml beside the net; the data layer of the net for training, and the model.yaml that an
import wrote beside its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from brew.data.augment.sizes import warped
from brew.datasets.features import model_yaml
from brew.datasets.features.preparation import Preparation as Things
from brew.errors import DataError, Place, UsageError, did_you_mean
from brew.files import regular
from brew.files.paths import expanded
from brew.graph.definition import NetDefinition
from brew.graph.states import filter_layers, merged_state
from brew.layer import TEST, TRAIN
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter

Order: TypeAlias = Literal["BGR", "RGB"]
Mean: TypeAlias = "tuple[float, ...] | Path | npt.NDArray[Any]"
ORDERS: tuple[Order, ...] = get_args(Order)
KEEP = "keep"  # a size: every picture keeps its own


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """None: not known.

    input          channels, height and width of the net's input
    size           height and width that a picture is resized to before the crop, or "keep"
    crop           side of the square in the middle that is taken then; 0: none
    mean           a value, or one for each channel in the net's order; a file (.binaryproto, .npy) or an array of the
                   size of the whole picture; (): none
    scale          by which a pixel of 0 to 255, less the mean, is multiplied
    channel_order  "BGR" or "RGB", as the net reads them
    labels         names of the classes, or a file of them
    caffemodel     the name of the file of weights beside it
    preparation    how things that are no pictures (sounds, rows, texts) become the inputs
    """

    input: tuple[int, int, int] | None = None
    size: tuple[int, int] | Literal["keep"] | None = None
    crop: int | None = None
    mean: Mean | None = None
    scale: float | None = None
    channel_order: Order | None = None
    labels: tuple[str, ...] | Path | None = None
    caffemodel: str | None = None
    preparation: Things | None = None

    def or_else(self, other: Metadata) -> Metadata:
        """This, and what only `other` says."""
        return replace(self, **{f.name: getattr(other, f.name) for f in fields(self) if getattr(self, f.name) is None})


# --- arguments and front matter: one spelling, one check --------------------------------------------------------------


def given(words: Mapping[str, Any], folder: Path, where: str, place: Place | None = None) -> Metadata:
    """Metadata from `words` by field; files in it lie in `folder`. `where` begins messages, at `place`.

    UsageError for values that cannot be meant.
    """

    def wrong(name: str, expected: str) -> UsageError:
        return UsageError(f"{where}: {name} is {words[name]!r}; {expected} is expected", place=place)

    known = {name: value for name, value in words.items() if value is not None}
    found: dict[str, Any] = {}
    for name, check in _CHECKS.items():
        if name in known:
            try:
                found[name] = check(known[name], folder)
            except (TypeError, ValueError):
                raise wrong(name, _EXPECTED[name]) from None
    return Metadata(**found)


def _numbers(value: Any) -> tuple[int, ...]:
    numbers = tuple(int(n) for n in value)
    if any(n < 1 or n != float(m) for n, m in zip(numbers, value, strict=True)):
        raise ValueError
    return numbers


def _input(value: Any, folder: Path) -> tuple[int, ...]:
    numbers = _numbers(value)
    if len(numbers) != 3:
        raise ValueError
    return numbers


def _size(value: Any, folder: Path) -> tuple[int, ...] | str:
    if value == KEEP:
        return KEEP
    numbers = _numbers([value, value] if isinstance(value, int) else value)
    if len(numbers) != 2:
        raise ValueError
    return numbers


def _crop(value: Any, folder: Path) -> int:
    if isinstance(value, bool) or int(value) != value or value < 0:
        raise ValueError
    return int(value)


def _mean(value: Any, folder: Path) -> Mean:
    if isinstance(value, str | Path):
        return folder / expanded(value)
    if isinstance(value, np.ndarray):
        return tuple(value.tolist()) if value.ndim == 1 else value
    if isinstance(value, int | float):
        return (float(value),)
    return tuple(float(v) for v in value)


def _scale(value: Any, folder: Path) -> float:
    if isinstance(value, bool | str) or not np.isfinite(float(value)):
        raise ValueError
    return float(value)


def _order(value: Any, folder: Path) -> str:
    if value not in ORDERS:
        raise ValueError
    return str(value)


def _labels(value: Any, folder: Path) -> tuple[str, ...] | Path:
    if isinstance(value, str | Path):
        return folder / expanded(value)
    return tuple(str(label) for label in value)


def _name(value: Any, folder: Path) -> str:
    return str(value)


_CHECKS = {
    "input": _input, "size": _size, "crop": _crop, "mean": _mean, "scale": _scale, "channel_order": _order,
    "labels": _labels, "caffemodel": _name,
}  # fmt: skip
_EXPECTED = {
    "input": "channels, height, width",
    "size": 'height and width, one number for both, or "keep"',
    "crop": "the side of a square, or 0",
    "mean": "a number, one for each channel, a .binaryproto or .npy file, or an array",
    "scale": "a number",
    "channel_order": "BGR or RGB",
    "labels": "a list of names, or a file",
    "caffemodel": "the name of a file",
}


def front_matter(readme: Path) -> Metadata:
    """The metadata in the YAML between the first two lines `---` of a readme.md; keys of other meaning are left alone.

    DataError for YAML that cannot be read, UsageError for values that cannot be meant.
    """
    import yaml

    place = Place(str(readme))
    try:
        text = regular.read_text(readme)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"it cannot be read: {error}", place=place) from None
    if not text.startswith("---\n"):
        return Metadata()
    try:
        words = yaml.safe_load(text[4:].split("\n---", 1)[0]) or {}
    except yaml.YAMLError as error:
        raise DataError(f"its front matter is no YAML: {error}", place=place) from None
    if not isinstance(words, dict):
        raise DataError("its front matter is no list of names and values", place=place)
    for name in words:
        near = did_you_mean(str(name), _CHECKS)
        if name not in _CHECKS and near and str(name).lower().replace("-", "_") in _CHECKS:
            raise UsageError(f'its front matter has "{name}"', place=place, hint=near)
    return given(words, readme.parent, "its front matter", place)


# --- the data layer of a net for training ----------------------------------------------------------------------------


def image_layer(definition: NetDefinition) -> tuple[LayerParameter, type[DataLayer]] | None:
    """The first layer that brings images, of TEST, else of TRAIN; None where the net has none."""
    own = definition.net.shell.state
    for phase in (TEST, TRAIN):
        state = merged_state(phase, own)
        state.phase = phase  # type: ignore[assignment]
        for source in filter_layers(definition.net.layers, state):
            cls = layer_class(source.param.type)
            if cls is not None and issubclass(cls, DataLayer) and cls.brings_images:
                return source.param, cls
    return None


def of_model_yaml(folder: Path) -> Metadata:
    """What a model.yaml in `folder` says; DataError where there is one that cannot be read."""
    path = folder / model_yaml.FILE
    if not path.is_file():
        return Metadata()
    said = model_yaml.read(path)
    return Metadata(labels=said.labels, preparation=said.preparation)


def of_import(definition: NetDefinition) -> Metadata:
    """What the model.yaml beside the data of a net for training says."""
    for phase in (TEST, TRAIN):
        for source in filter_layers(definition.net.layers, merged_state(phase, definition.net.shell.state)):
            param = source.param
            for written in filter(None, (param.data_param.source, param.hdf5_data_param.source)):
                first = expanded(written)
                there = first if first.exists() else definition.folder / first
                if (there.parent / model_yaml.FILE).is_file():
                    return of_model_yaml(there.parent)
    return Metadata()


def of_training(definition: NetDefinition) -> Metadata:
    """How the data of a net is prepared in TEST, by its data layer and what an import wrote. Colours come in Caffe's
    order, BGR."""
    imported = of_import(definition)
    found = image_layer(definition)
    if found is None:
        return imported
    param, cls = found
    transform = param.transform_param
    mean: Mean = tuple(transform.mean_value)
    if transform.mean_file:
        first, second = expanded(transform.mean_file), definition.folder / transform.mean_file
        mean = second if second.exists() and not first.exists() else first
    transformed = Metadata(
        size=warped(transform) or cls.image_size(param),
        crop=transform.crop_size,
        mean=mean,
        scale=transform.scale,
        channel_order="BGR",
    )
    return transformed.or_else(imported)


def merged(sources: Iterable[Metadata]) -> Metadata:
    """What the first of the sources says that says it, field by field."""
    result = Metadata()
    for source in sources:
        result = result.or_else(source)
    return result
