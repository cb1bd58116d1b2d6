"""WindowData: windows of images, background and objects, for training detectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from brew.data.feed import feeds
from brew.data.prefetching_layer import PrefetchingLayer
from brew.data.transformer import Transformer
from brew.data.window_list import WindowList
from brew.data.window_source import Framing, WindowImages, WindowSource
from brew.errors import DataError
from brew.files.paths import find, find_prefix
from brew.layer import Context, Shape, exactly, shape_text
from brew.layer.data_layer import RandomChoices
from brew.layer.label_sample import LabelSample
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class WindowData(PrefetchingLayer):
    """Windows drawn at random from a window file (R-CNN, Girshick et al., CVPR 2014), in colour, brought to one size.

    Top      data    (batch_size x 3 x crop_size x crop_size)
    Top      label   (batch_size): the class, 0 for background
    Param    window_data_param.source, .batch_size, .fg_threshold and .bg_threshold (overlap of objects and of
             background), .fg_fraction (share of objects; they come last in a batch), .context_pad, .crop_mode ("warp",
             or "square" to keep proportions), .cache_images (keep files in memory), .root_folder (goes before each
             path as it is), .scale; transform_param.crop_size, .mirror, .scale, .mean_value or .mean_file (its centre);
             data_param.prefetch (batches made ahead, 4)

    Outside of the image a window is 0. y = (x - mean) * scale; scale is that of window_data_param where it is set.

    Example  top: "x" top: "label" window_data_param { source: "w.txt" batch_size: 4 } transform_param { crop_size: 99 }
    """

    type = "WindowData"
    section = "window_data_param"
    tops = exactly(2)
    brings_images = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        windows, transform = param.window_data_param, param.transform_param
        self.ahead: int = param.data_param.prefetch
        self.crop: int = transform.crop_size
        self._place = context.place("window_data_param", "source")
        moved = {f: f"; transform_param.{f} does it" for f in ("mean_file", "crop_size", "mirror")}
        self.warn_of_idle_fields("window_data_param", moved)
        self._check()
        self.objects = int(np.float32(self.batch_size) * np.float32(windows.fg_fraction))
        self.scale: float = windows.scale if windows.HasField("scale") else transform.scale
        transformer = Transformer(transform, context, self.name, self.type)
        if transformer.augmentation is not None or transform.HasField("mix_param"):
            raise self.error("its windows take no augmentation but crop_size and mirror", "transform_param")
        self.mean = self._centre(transformer.mean)

    @classmethod
    def image_channels(cls, param: LayerParameter) -> int:
        return 3

    def _check(self) -> None:
        windows = self.param.window_data_param
        for wrong, field, message in (
            (not 0 <= windows.fg_fraction <= 1, "fg_fraction", f"fg_fraction {windows.fg_fraction:g} is not in 0 to 1"),
            (
                windows.crop_mode not in ("warp", "square"),
                "crop_mode",
                f'crop_mode must be "warp" or "square", not "{windows.crop_mode}"',
            ),
            (
                self.crop and 2 * windows.context_pad >= self.crop,
                "context_pad",
                f"context_pad {windows.context_pad} on both sides leaves nothing of a crop_size of {self.crop}",
            ),
        ):
            if wrong:
                raise self.error(message, "window_data_param", field)
        if self.crop == 0:
            raise self.error("transform_param.crop_size is needed: the size of the windows", "transform_param")

    def _centre(self, mean: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32] | None:
        """The middle of a mean file, of the size of a window; single values as they are."""
        if mean is None:
            return None
        single = bool(self.param.transform_param.mean_value)
        if mean.shape[0] != 3 and not (single and mean.shape[0] == 1):
            raise self.error(f"the mean has {mean.shape[0]} channels, windows have 3", "transform_param")
        if single:
            return mean
        if min(mean.shape[1:]) < self.crop:
            size = f"{self.crop} x {self.crop}"
            text = f"a window of {size} is larger than the mean, {shape_text(mean.shape)}"
            raise self.error(text, "transform_param", "mean_file")
        top, left = ((n - self.crop) // 2 for n in mean.shape[1:])
        return mean[:, top : top + self.crop, left : left + self.crop]

    @cached_property
    def images(self) -> WindowImages:
        """The window file, read once, and how its windows are made."""
        windows, folder = self.param.window_data_param, self.context.folder
        what = f'layer "{self.name}" (WindowData)'
        hint = self.elsewhere("source")
        file = find(windows.source, folder, what=f"{what}: source", place=self._place, hint=hint)
        listed = WindowList.read(
            file, fg_threshold=windows.fg_threshold, bg_threshold=windows.bg_threshold, what=what, place=self._place
        )
        for count, kind, name in (
            (self.batch_size - self.objects, listed.background, f"background (overlap below {windows.bg_threshold:g})"),
            (self.objects, listed.foreground, f"objects (overlap of {windows.fg_threshold:g} or more)"),
        ):
            if count and not len(kind):
                raise DataError(f"{what}: {file} has no {name}, a batch needs {count}", place=self._place)
        prefix = find_prefix(
            windows.root_folder, listed.names[0], folder, what=f"{what}: image", place=listed.place(listed.lines[0])
        )
        real = np.float64 if self.context.dtype == np.float64 else np.float32
        framing = Framing(self.crop, windows.context_pad, windows.crop_mode == "square", real)
        kept: dict[int, bytes] | None = {} if windows.cache_images else None
        return WindowImages(listed, prefix, framing, self.mean, self.scale, kept, what=what)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        """Reads the window file, and no image."""
        _ = self.images
        return [(self.batch_size, 3, self.crop, self.crop), (self.batch_size,)]

    def labels(self, top: int, most: int) -> LabelSample | None:
        """Those of all objects, and 0 where there is background."""
        if top != 1:
            return None
        windows = self.images.windows
        kinds = [windows.foreground, windows.background]
        values = np.concatenate([kind.label for kind in kinds])
        lines = np.concatenate([kind.line for kind in kinds])
        return LabelSample(values, lambda number: str(windows.place(int(lines[number]))))

    def random_choices(self) -> RandomChoices:
        windows = self.images.windows
        order = ("windows", len(windows.background), len(windows.foreground), self.objects)
        mirror = self.param.transform_param.mirror
        words = "drawn from a list of windows"
        return RandomChoices(None, windows.file.resolve(), order, shuffled=True, mirror=mirror, in_words=words)

    def hastened_by(self) -> list[str]:
        cached = self.param.window_data_param.cache_images
        return [] if cached else ["window_data_param { cache_images: true } keeps the files in memory"]

    def open_source(self, record: int) -> WindowSource:
        mirror = self.param.transform_param.mirror
        return WindowSource(
            self.images, self.batch_size, record, objects=self.objects, mirror=mirror, seed=self.seed, name=self.draws
        )


feeds(WindowData)
