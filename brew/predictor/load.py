"""brew.load: from files to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from brew.data.labels import read_labels
from brew.layer import Shape

from .files import find
from .metadata import given
from .model import Model
from .network import Device, Network

if TYPE_CHECKING:
    from brew.files.weights.reading import Weights

    from .metadata import Order


def load(
    source: str | Path,
    weights: Weights | None = None,
    *,
    mean: float | Sequence[float] | str | Path | npt.NDArray[Any] | None = None,
    scale: float | None = None,
    size: int | tuple[int, int] | str | None = None,
    crop: int | None = None,
    channel_order: Order | None = None,
    labels: Sequence[str] | str | Path | None = None,
    device: str | None = None,
    nets: int | None = None,
    shapes: Mapping[str, Shape] | None = None,
) -> Model:
    """A model for use, from

        a folder             with a net (deploy.prototxt, else train_val.prototxt, else its only one) and its weights
        a .prototxt          for use, for training, or a solver's; weights stand beside it, or are given
        a .caffemodel        which holds its net, or a .solverstate, whose weights it names
        the name of a net    of the zoo, such as "lenet"

    `weights` are a .caffemodel, .h5 or .safetensors; "random" are those of the net's fillers.

    How pictures are prepared is said by these arguments, else by the front matter of a readme.md beside the net (under
    the same names), else by the data layer of the net for training, that one itself or train_val.prototxt beside it:

        mean           a number or one for each channel, in the net's order; a .binaryproto or .npy file; an array
        scale          by which pixels of 0 to 255, less the mean, are multiplied
        size           height and width they are resized to before; "keep": each keeps its own
        crop           side of the square in the middle that is taken then
        channel_order  "BGR" or "RGB", as the net reads them
        labels         the names of the classes, or a file; labels.txt or synset_words.txt beside the net

    `device` is "cpu", "cuda" or "cuda:1"; `nets` bounds how many callers compute at the same time (the number of
    threads Brew computes with); `shapes` are those of inputs by name, with the axis of the batch. Raises UsageError,
    PrototxtError, NetError, WeightsError, DataError, DeviceError.
    """
    words = {
        "mean": mean, "scale": scale, "size": size, "crop": crop, "channel_order": channel_order, "labels": labels,
    }  # fmt: skip
    said = given(words, Path(), "brew.load")
    found = find(source, weights)
    metadata = said.or_else(found.metadata)
    names = read_labels(metadata.labels) if isinstance(metadata.labels, Path) else metadata.labels or ()
    network = Network(replace(found, metadata=metadata), Device.of(device), shapes)
    return Model(network, metadata, names, nets)
