"""Detector: a net that classifies windows of images, as R-CNN does."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError
from brew.proto.caffe_pb2 import TEST

from .images import files, resizing
from .images.context import crop_with_context
from .images.transformer import transformer_for
from .net import Net

Window: TypeAlias = Sequence[int] | npt.NDArray[np.integer[Any]]  # ymin, xmin, ymax, xmax


class NoSelectiveSearch(UsageError, ImportError):
    """The package that proposes windows is not installed."""


class Detector(Net):
    """A Net for windows of images, in phase TEST, with its preprocessing in `transformer` (caffe.io.Transformer).

    `model_file` and `pretrained_file` are its prototxt and weights; `mean`, `input_scale`, `raw_scale` and
    `channel_swap` are Transformer's. With `context_pad` that many pixels around a window's image in the net's input are
    what lies around the window; beyond the image they have the mean.
    """

    def __init__(
        self,
        model_file: str | Path,
        pretrained_file: str | Path | None,
        mean: npt.ArrayLike | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        name = self.inputs[0]
        shape = self.blobs[name].shape
        self.transformer = transformer_for(name, shape, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def configure_crop(self, context_pad: int | None) -> None:
        """Take windows with this much context from now on. `crop_dims` is (height, width, channels) of a crop,
        `crop_mean` what fills it beyond the image, in the values of images.
        """
        name = self.inputs[0]
        back = np.argsort(self.transformer.transpose[name])
        self.crop_dims = np.array(self.blobs[name].shape[1:])[back]
        self.context_pad = context_pad
        mean = self.transformer.mean.get(name)
        filled = np.zeros(self.crop_dims, np.float32) if mean is None else mean.transpose(back)
        if mean is not None and (swap := self.transformer.channel_swap.get(name)) is not None:
            filled = filled[:, :, np.argsort(swap)]
        self.crop_mean = filled / self.transformer.raw_scale.get(name, 1)

    def crop(self, im: npt.NDArray[Any], window: Window) -> npt.NDArray[Any]:
        """The part of `im` (rows, columns, channels) in `window` (ymin, xmin, ymax, xmax), with context in `crop_dims`.

        ArrayError where the window holds no pixel.
        """
        top, left, bottom, right = (int(side) for side in window)
        if self.context_pad:
            around = np.ones(self.crop_dims, np.float32) * self.crop_mean
            return crop_with_context(im, (top, left, bottom, right), around.astype(np.float32), self.context_pad)
        cut = im[max(top, 0) : bottom, max(left, 0) : right]
        if not cut.size:
            size = f"{im.shape[0]} x {im.shape[1]}"
            raise resizing.ArrayError(f"window {(top, left, bottom, right)} holds no pixel of an image of {size}")
        return cut

    def detect_windows(self, images_windows: Iterable[tuple[files.Source, Iterable[Window]]]) -> list[dict[str, Any]]:
        """The net's first output for windows of image files: one dictionary for each window, in their order, with its
        "window", "prediction" and "filename".

        `images_windows` are pairs of a file and its windows.
        """
        asked = [(name, window) for name, windows in images_windows for window in windows]
        if not asked:
            return []
        input_, last, prepared = self.inputs[0], None, []
        for name, window in asked:
            if last is None or last[0] is not name:
                last = name, files.load(name, color=True)
            prepared.append(self.transformer.preprocess(input_, self.crop(last[1], window)))
        predictions = self.forward_all(**{input_: np.stack(prepared)})[self.outputs[0]]
        return [
            {"window": window, "prediction": prediction, "filename": name}
            for (name, window), prediction in zip(asked, predictions, strict=True)
        ]

    def detect_selective_search(self, image_fnames: Iterable[str | Path]) -> list[dict[str, Any]]:
        """`detect_windows` in windows that selective search proposes.

        NoSelectiveSearch, an ImportError, without the package selective_search_ijcv_with_python (and its MATLAB).
        """
        try:
            proposing = importlib.import_module("selective_search_ijcv_with_python")
        except ImportError:
            raise NoSelectiveSearch(
                "detect_selective_search needs the package selective_search_ijcv_with_python, which is not installed",
                hint="detect_windows takes windows from anywhere",
            ) from None
        names = [str(Path(name).absolute()) for name in image_fnames]
        windows = proposing.get_windows(names, cmd="selective_search_rcnn")
        return self.detect_windows(zip(names, windows, strict=True))
