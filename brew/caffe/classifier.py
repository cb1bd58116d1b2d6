"""Classifier: a net that takes images as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError
from brew.proto.caffe_pb2 import TEST

from .images import resizing
from .images.transformer import transformer_for
from .net import Net


class Classifier(Net):
    """A Net for images, in phase TEST, with its preprocessing in `transformer` (caffe.io.Transformer).

    `model_file` and `pretrained_file` are its prototxt and weights. Images are resized to `image_dims` (height, width;
    the net's input without it), and crops of them in the size of the input, `crop_dims`, are prepared with `mean`,
    `input_scale`, `raw_scale` and `channel_swap` (Transformer's setters) for the first input.
    """

    def __init__(
        self,
        model_file: str | Path,
        pretrained_file: str | Path | None,
        image_dims: resizing.Dims | None = None,
        mean: npt.ArrayLike | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        name = self.inputs[0]
        shape = self.blobs[name].shape
        self.transformer = transformer_for(name, shape, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(shape[2:])
        self.image_dims: resizing.Dims = self.crop_dims if image_dims is None or not len(image_dims) else image_dims

    def predict(self, inputs: Iterable[npt.NDArray[Any]], oversample: bool = True) -> npt.NDArray[Any]:
        """The first output for each of `inputs`, images of rows x columns x channels: (n, classes).

        With `oversample` the mean over ten crops: corners, centre, and the five mirrored; else of the centre alone.
        """
        images = list(inputs)
        if not images:
            raise UsageError("predict was given no image")
        size = int(self.image_dims[0]), int(self.image_dims[1])
        resized = np.stack([resizing.resize_image(image, size) for image in images])
        cut = resizing.oversample if oversample else resizing.centre_crop
        name = self.inputs[0]
        prepared = np.stack([self.transformer.preprocess(name, crop) for crop in cut(resized, self.crop_dims)])
        predictions: npt.NDArray[Any] = self.forward_all(**{name: prepared})[self.outputs[0]]
        return predictions.reshape(len(images), 10, -1).mean(1) if oversample else predictions
