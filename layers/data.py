"""Data: records of an LMDB or LevelDB, transformed, in batches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from brew.data.bad_records import BadRecords
from brew.data.databases.database import Database, Record
from brew.data.databases.opening import open_database
from brew.data.datum import Pixels, decode, encoding, first_labels
from brew.data.feed import feeds
from brew.data.images.cache import MOST_CACHED, ImageCache
from brew.data.images.hastening import of_images
from brew.data.prefetching_layer import PrefetchingLayer
from brew.data.record_source import RecordSource
from brew.data.shuffle import shuffled
from brew.data.transformer import Transformer
from brew.errors import DataError
from brew.files.paths import find
from brew.layer import Context, Shape, between, count
from brew.layer.data_layer import RandomChoices
from brew.layer.label_sample import LabelSample
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import DataParameter, LayerParameter


@register_layer
class Data(PrefetchingLayer):
    """Images and labels from a database of Datums, in key order or shuffled, from the start again at the end.

    Top      data    (batch_size x channels x height x width, cropped)
    Top      label   (batch_size), optional; under transform_param.mix_param (batch_size x classes)
    Param    data_param.source, .batch_size, .prefetch (batches made ahead, 4), .backend, .shuffle, .shuffle_window,
             .cache_mib; transform_param
    Example  top: "data" top: "label" data_param { source: "train_lmdb" backend: LMDB batch_size: 64 }

    The backend is told from the folder's contents. A batch has the size of its first image; with batch_size 1
    every image may have its own. shuffle gives every epoch its own order, in any phase; it holds the keys in memory
    (their length and 16 bytes for each record) and reads the disk here and there: slow where the database is larger
    than memory and not on an SSD. With shuffle_window: 4096, say, it reads runs of 256 records, a 16th of that, in any
    order, and mixes 16 of them. cache_mib keeps decoded images, up to so many MiB, for later epochs.

    A record that cannot be decoded is an error; up to max_bad_records of them are passed over with a warning, and the
    batch is filled with the next ones. draws_with: "NAME" in the layer has it draw order, crops and mirrors as that
    data layer does. rand_skip and force_encoded_color do nothing, as in Caffe.
    """

    type = "Data"
    section = "data_param"
    tops = between(1, 2)
    brings_images = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        data = param.data_param
        self.ahead: int = data.prefetch
        self.path: Path | None = None  # of the database, once it was looked up
        self._place = context.place("data_param", "source")
        self._image: Shape = ()
        self._records = 0  # not counted yet
        self.transformer: Transformer = Transformer(param.transform_param, context, self.name, self.type)
        self._bad = BadRecords(data.max_bad_records, self.name)
        self._cache = ImageCache(data.cache_mib, self.name)
        if data.shuffle_window and not data.shuffle:
            raise self.error("shuffle_window is for shuffle: true", "data_param", "shuffle_window")
        ignored = {"rand_skip": "", "force_encoded_color": "; transform_param.force_color does it"}
        self.warn_of_idle_fields("data_param", ignored)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        """Opens the database: the first record that can be decoded gives the size."""
        database = self._open()
        try:
            _, [pixels], _ = self._bad.read(
                database.records(), 1, lambda record: self._decode(database, record),
                key=lambda record: record[0], epoch=lambda: database.length,
            )  # fmt: skip
        finally:
            database.close()
        self._image, self.holds_bytes = pixels.shape, self.transformer.holds(pixels.shape, pixels.dtype)
        image = self.transformer.output_shape(pixels.shape)
        self.transformer.labels.check(len(self.param.top), self.batch_size)
        return [(self.batch_size, *image), self.transformer.labels.shape(self.batch_size)][: len(self.param.top)]

    def _decode(self, database: Database, record: Record) -> Pixels:
        try:
            pixels, _ = decode(record, self.transformer.rule)
        except DataError as error:
            where = f'layer "{self.name}" (Data): {database.path}'
            raise DataError(f"{where}: {error.message}", place=self._place) from None
        return pixels

    def epoch(self) -> int:
        """Opens the database to count."""
        database = self._open()
        try:
            return database.length
        finally:
            database.close()

    def labels(self, top: int, most: int) -> LabelSample | None:
        if top != 1:
            return None
        with closing(self._open()) as database:
            return first_labels(database, most)

    def image_shape(self) -> Shape:
        return self._image

    @property
    def random(self) -> bool:
        return bool(self.param.data_param.shuffle or self.transformer.random)

    def random_choices(self) -> RandomChoices:
        """Counts the records, the first time."""
        self._records = self._records or self.epoch()
        shuffled, window = self.param.data_param.shuffle, self.param.data_param.shuffle_window
        transformer = self.transformer
        source = self.path.resolve() if self.path is not None else None
        return RandomChoices(
            self._records, source, ("records", shuffled, window), shuffled, self._image, transformer.random_crop,
            transformer.param.mirror, self._bad.most > 0, "shuffled" if shuffled else "in order",
            transformer.geometry,
        )  # fmt: skip

    def open_source(self, record: int) -> RecordSource:
        self.transformer.seed, self.transformer.draws = self.seed, self.draws
        database = self._open()
        if self.param.data_param.shuffle:
            window = self.param.data_param.shuffle_window
            records = shuffled(database, record, seed=self.seed, name=self.draws, window=window)
        else:
            records = database.records(record)
        return RecordSource(
            database, records, self.transformer, self.batch_size, record, self._place, self._bad, self._cache
        )

    def hastened_by(self) -> list[str]:
        """Reads the first record."""
        data, found = self.param.data_param, []
        with closing(self._open()) as database:
            kind, records = encoding(database.first()), database.length
        memory = records * count(self._image) >> 20
        if kind and memory <= MOST_CACHED and not data.cache_mib:
            found.append(f"data_param {{ cache_mib: {memory + 1} }} keeps all images in memory")
        if kind:
            rule, crop = self.transformer.rule, self.transformer.crop
            found += of_images(self._image, crop, is_jpeg=kind == "JPEG", shrinks=bool(rule.at_least))
        if data.shuffle and not data.shuffle_window:
            found.append("data_param { shuffle_window: 4096 } reads runs of records, where the disk is slow")
        return found

    def _open(self) -> Database:
        """Opens the database; what there is to say about its path and backend is said the first time."""
        data = self.param.data_param
        place = self._place
        what = f'layer "{self.name}" (Data): source'
        said = DataParameter.DB.Name(data.backend) if data.HasField("backend") and self.path is None else None
        if self.path is None:
            hint = _remedy(data.source) if data.source else self.elsewhere("source")
            self.path = find(data.source, self.context.folder, what=what, place=place, hint=hint)
        return open_database(self.path, said, what=what, place=place)


def _remedy(source: str) -> str | None:
    """How to get a missing database that belongs to an example."""
    match = re.fullmatch(r"(mnist|digits)_(train|test)_lmdb", Path(source).name)
    return f"get it with: brew data get {match[1]} {Path(source).parent}" if match else None


feeds(Data)
