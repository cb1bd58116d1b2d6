"""ImageData: image files named in a list, with labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from brew.data.bad_records import BadRecords
from brew.data.feed import feeds
from brew.data.image_list import ImageList
from brew.data.image_source import ImageFiles, ImageSource
from brew.data.images.cache import MOST_CACHED, ImageCache
from brew.data.images.decoding import ImageRule
from brew.data.images.hastening import of_images
from brew.data.order import Order
from brew.data.prefetching_layer import PrefetchingLayer
from brew.data.transformer import Transformer
from brew.files.paths import find
from brew.layer import Context, Shape, count, exactly
from brew.layer.data_layer import RandomChoices
from brew.layer.label_sample import LabelSample
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class ImageData(PrefetchingLayer):
    """Images and labels from files, in the order of a list, from the start again at the end.

    Top      data    (batch_size x channels x height x width, cropped)
    Top      label   (batch_size)
    Param    image_data_param.source (a text file: a path and a label a line), .batch_size, .root_folder (goes before
             each path as it is, slash and all), .is_color (3 channels BGR, else 1), .new_height and .new_width (to
             resize to, both or none), .shuffle (anew in every epoch), .rand_skip (to pass over fewer than so many
             lines at the start); transform_param; data_param.prefetch (batches made ahead, 4), .cache_mib (memory for
             images, resized, that later epochs find there)

    A line ends with its label, a whole number, behind a blank or tab; there may be blanks in the path. A batch has the
    size of its first image; with batch_size 1 every image may have its own. An image that cannot be read is an error,
    placed in the list; up to max_bad_records of them are passed over with a warning, and the batch is filled with the
    next ones.

    Example  top: "data" top: "label" image_data_param { source: "list.txt" batch_size: 8 new_height: 64 new_width: 64 }
    """

    type = "ImageData"
    section = "image_data_param"
    tops = exactly(2)
    brings_images = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        images = param.image_data_param
        self.ahead: int = param.data_param.prefetch
        if (images.new_height == 0) != (images.new_width == 0):
            text = f"new_height is {images.new_height} and new_width {images.new_width}: both are needed, or none"
            raise self.error(text, "image_data_param", "new_width" if images.new_width else "new_height")
        if images.new_height and param.transform_param.is_mask:
            hint = "transform_param { resize_param { height width } } takes the nearest pixel of a mask"
            text = "new_height and new_width mix neighbours, and a mask's pixels are numbers of classes"
            raise self.error(text, "image_data_param", "new_height", hint=hint)
        self.transformer: Transformer = Transformer(param.transform_param, context, self.name, self.type)
        self._image: Shape = ()
        self._bad = BadRecords(images.max_bad_records, self.name)
        moved = {f: f"; transform_param.{f} does it" for f in ("scale", "mean_file", "crop_size", "mirror")}
        self.warn_of_idle_fields("image_data_param", moved)
        moved = {f: f"; image_data_param.{f} does it" for f in ("shuffle", "batch_size", "source", "max_bad_records")}
        self.warn_of_idle_fields("data_param", moved)
        color = "; image_data_param.is_color says how many channels"
        self.warn_of_idle_fields("transform_param", {"force_color": color, "force_gray": color})

    @classmethod
    def image_channels(cls, param: LayerParameter) -> int:
        return 3 if param.image_data_param.is_color and not param.transform_param.is_mask else 1

    @classmethod
    def image_size(cls, param: LayerParameter) -> tuple[int, int] | None:
        images = param.image_data_param
        return (images.new_height, images.new_width) if images.new_height and images.new_width else None

    @cached_property
    def files(self) -> ImageFiles:
        """The list, read once, and how its images are read."""
        images, folder = self.param.image_data_param, self.context.folder
        what = f'layer "{self.name}" (ImageData): source'
        place = self.context.place("image_data_param", "source")
        source = find(images.source, folder, what=what, place=place, hint=self.elsewhere("source"))
        listed = ImageList.read(source, what=what, place=place)
        prefix = listed.prefix(images.root_folder, folder, what=f'layer "{self.name}" (ImageData): image')
        size = (images.new_height, images.new_width) if images.new_height else None
        transform = self.param.transform_param
        rule = ImageRule(images.is_color, not images.is_color, transform.upright, transform.decode_at_least)
        cache = ImageCache(self.param.data_param.cache_mib, self.name)
        return ImageFiles(listed, prefix, rule, size, cache, masks=transform.is_mask)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        """Reads the first image that can be read: it gives the size."""
        _, [first], _ = self._bad.read(
            self._order().onward(0), 1, self.files.shape, key=lambda number: number, epoch=self.epoch
        )
        self._image = first
        self.transformer.labels.check(len(self.param.top), self.batch_size)
        self.holds_bytes = self.transformer.holds(first, np.uint8)
        image = self.transformer.output_shape(first)
        return [(self.batch_size, *image), self.transformer.labels.shape(self.batch_size)]

    def epoch(self) -> int:
        return len(self.files.images.names)

    def labels(self, top: int, most: int) -> LabelSample | None:
        """All of them."""
        images = self.files.images
        return LabelSample(images.labels, lambda number: f"{images.place(number)}") if top == 1 else None

    def image_shape(self) -> Shape:
        return self._image

    @property
    def random(self) -> bool:
        images = self.param.image_data_param
        return bool(images.shuffle or images.rand_skip > 1 or self.transformer.random)

    def random_choices(self) -> RandomChoices:
        images, transformer, listed = self.param.image_data_param, self.transformer, self.files.images
        after = f" after up to {images.rand_skip - 1} others" if images.rand_skip > 1 else ""
        return RandomChoices(
            len(listed.names), listed.file.resolve(), ("records", images.shuffle, images.rand_skip),
            images.shuffle or images.rand_skip > 1, self._image, transformer.random_crop, transformer.param.mirror,
            self._bad.most > 0, ("shuffled" if images.shuffle else "in order") + after,
            transformer.geometry,
        )  # fmt: skip

    def hastened_by(self) -> list[str]:
        is_jpeg, size = self.files.path(0).suffix.lower() in (".jpg", ".jpeg"), self.image_size(self.param)
        shrinks = self.files.rule.at_least > 0
        found = of_images(self._image, self.transformer.crop, is_jpeg=is_jpeg, shrinks=shrinks)
        memory = self.epoch() * count(self._image) >> 20
        if memory <= MOST_CACHED and not self.param.data_param.cache_mib:
            found.insert(0, f"data_param {{ cache_mib: {memory + 1} }} keeps all images in memory")
        if size is not None:
            found.append(f"images that are {size[0]} x {size[1]} already (convert_imageset, brew data import)")
        return found

    def open_source(self, record: int) -> ImageSource:
        self.transformer.seed, self.transformer.draws = self.seed, self.draws
        return ImageSource(self.files, self._order(), self.transformer, self.batch_size, record, self._bad)

    def _order(self) -> Order:
        images, number = self.param.image_data_param, len(self.files.images.names)
        return Order(number, shuffle=images.shuffle, rand_skip=images.rand_skip, seed=self.seed, name=self.draws)


feeds(ImageData)
