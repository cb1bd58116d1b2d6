"""What a net is given, as pictures: which blob it is, and how its numbers become pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.data.images.mean_file import read_mean
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import TransformationParameter
from brew.prototxt.placed import PlacedLayer

Pixels = npt.NDArray[np.uint8]
_MOST = 240  # pixels of a side: larger ones are thinned


@dataclass(frozen=True, slots=True)
class Input:
    """The blob with what a net is given, and what its data layer did to the pixels (`scale`, `means` by channel)."""

    blob: str
    is_bgr: bool
    scale: float = 1.0
    means: tuple[float, ...] = ()

    def pixels(self, array: npt.NDArray[Any]) -> Pixels | None:
        """An item (channels, height, width) as (height, width) or (height, width, 3) RGB; None where it is none.

        The mean and the scale are undone; where that leaves the range of pixels, the item's own range is stretched.
        Of other than three channels the first is shown.
        """
        if array.ndim != 3 or min(array.shape) < 1 or min(array.shape[1:]) < 4:
            return None
        array = array[:, :: -(-array.shape[1] // _MOST), :: -(-array.shape[2] // _MOST)].astype(np.float64)
        array = array if array.shape[0] == 3 else array[:1]
        means = np.array(self.means or (0.0,)).reshape(-1, 1, 1)
        values = array / (self.scale or 1.0) + (means if len(means) in (1, len(array)) else means[: len(array)])
        if not np.isfinite(values).all() or values.min() < -2 or values.max() > 258 or values.max() <= 1.5:
            values = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
            span = float(values.max() - values.min()) or 1.0
            values = (values - values.min()) * (255 / span)
        pixels = np.rint(values).clip(0, 255).astype(np.uint8)
        if len(pixels) == 1:
            return np.ascontiguousarray(pixels[0])
        return np.ascontiguousarray((pixels[::-1] if self.is_bgr else pixels).transpose(1, 2, 0))


def input_of(layers: Sequence[PlacedLayer], labels: Sequence[str], folder: Path) -> Input | None:
    """The first top of a data layer that is no label; None where there is none. `folder` is the net's."""
    for source in layers:
        param = source.param
        cls = layer_class(param.type)
        if cls is None or param.bottom or not (issubclass(cls, DataLayer) or cls.fills_tops or cls.is_filled):
            continue
        for top in param.top:
            if top not in labels:
                brings = issubclass(cls, DataLayer) and cls.brings_images
                transform = param.transform_param
                return Input(top, brings, float(transform.scale), _means(transform, folder, source))
    return None


def _means(transform: TransformationParameter, folder: Path, source: PlacedLayer) -> tuple[float, ...]:
    """What was taken off each channel; of a mean file its mean."""
    if not transform.mean_file:
        return tuple(map(float, transform.mean_value))
    mean = read_mean(transform.mean_file, folder, "mean_file", source.place("transform_param", "mean_file"))
    return tuple(map(float, mean.reshape(mean.shape[0], -1).mean(axis=1)))
