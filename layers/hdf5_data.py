"""HDF5Data: rows of HDF5 files, one dataset per top."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from brew.data.feed import feeds
from brew.data.hdf5.labels import first_values
from brew.data.hdf5.source import HDF5Files, HDF5Source, read_list
from brew.data.prefetching_layer import PrefetchingLayer
from brew.errors import DataError
from brew.files.paths import find
from brew.layer import Context, Shape, at_least
from brew.layer.data_layer import RandomChoices
from brew.layer.label_sample import LabelSample
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter

_NAMED = 4  # files whose sizes are said


@register_layer
class HDF5Data(PrefetchingLayer):
    """Arrays of any kind from HDF5 files, one file after the other, in parts.

    Tops     any number, each the dataset of its name (batch_size x the shape of one row)
    Param    hdf5_data_param.source (a text file that names HDF5 files, one a line), .batch_size, .shuffle (files and
             rows, anew in every epoch)
    Example  top: "data" top: "label" hdf5_data_param { source: "files.txt" batch_size: 64 }

    Batches go on over the end of a file and of the source. Numbers of every type become the net's, in the batch alone.
    In memory are datasets of up to 64 MiB of the open file; of larger ones nothing where they lie in one piece, and of
    those in chunks (compressed ones) two blocks of 8 MiB, or shuffled two windows of 32 MiB, unless chunks are larger.

    shuffle takes the files in random order, one after the other, and the rows of a file in any order. Where one of its
    datasets is in chunks and larger than 64 MiB, blocks of 1 MiB come in any order, and rows mixed within a window.
    Two batches are made ahead.
    """

    type = "HDF5Data"
    section = "hdf5_data_param"
    ahead = 2
    tops = at_least(1)

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self._place = context.place("hdf5_data_param", "source")
        if param.HasField("transform_param"):
            hint = "transform the data before it is written"
            raise self.error("HDF5Data transforms nothing: transform_param is refused", "transform_param", hint=hint)

    @cached_property
    def files(self) -> HDF5Files:
        """The files of the source; looked into once."""
        what = f'layer "{self.name}" (HDF5Data): source'
        written, folder = self.param.hdf5_data_param.source, self.context.folder
        source = find(written, folder, what=what, place=self._place, hint=self.elsewhere("source"))
        files = read_list(source, what=what, place=self._place)
        try:
            return HDF5Files.examine(files, list(self.param.top))
        except DataError as error:
            raise DataError(f'layer "{self.name}" (HDF5Data): {error.message}', place=self._place) from None

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [(self.batch_size, *row) for row in self.files.row_shapes]

    def epoch(self) -> int:
        return sum(self.files.rows)

    def labels(self, top: int, most: int) -> LabelSample | None:
        return first_values(self.files, top, most)

    def image_shape(self) -> Shape:
        """Of the first dataset."""
        return self.files.row_shapes[0]

    @property
    def random(self) -> bool:
        return bool(self.param.hdf5_data_param.shuffle)

    def random_choices(self) -> RandomChoices:
        shuffle, rows = self.param.hdf5_data_param.shuffle, self.files.rows
        order = ("rows", *rows, *self.files.mixings) if shuffle else ("records", False, 0)
        source = tuple(file.resolve() for file in self.files.files)
        words = f"shuffled within files of {', '.join(map(str, rows[:_NAMED]))} rows" if shuffle else "in order"
        return RandomChoices(sum(rows), source, order, shuffle, in_words=words)

    def open_source(self, record: int) -> HDF5Source:
        return HDF5Source(
            self.files,
            self.batch_size,
            record,
            dtype=self.context.dtype,
            shuffle=self.param.hdf5_data_param.shuffle,
            seed=self.seed,
            name=self.draws,
        )


feeds(HDF5Data)
