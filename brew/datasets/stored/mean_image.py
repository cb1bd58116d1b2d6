"""The mean image of a database, with the numbers and in the file of Caffe's compute_image_mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew.cpu import threads
from brew.datasets.reading import in_order
from brew.errors import DataError, ResourceError, WeightsError
from brew.files.atomic import replacing
from brew.files.npy import NPY_KIND, write_npy
from brew.files.overwriting import Kind, check
from brew.files.weights.caffemodel import read_blob
from brew.layer import shape_text
from brew.proto.brew_pb2 import BlobProto

from .entry import look
from .opening import open_stored

log = logging.getLogger("brew")

_PIECE = 64  # records that a thread takes at a time
_LOGGED = 10_000  # records between two lines of the log
_GLOG = {name: {"glog": f"compute_image_mean.cpp:{line}"} for name, line in
         (("start", 72), ("processed", 98), ("write", 112))}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class MeanImage:
    """`pixels` (channels, height, width), the mean of `count` images, of bytes as they were stored."""

    pixels: npt.NDArray[np.float32]
    count: int

    @property
    def channels(self) -> list[float]:
        """The mean of each channel, added up in single precision one pixel after another, as Caffe prints it."""
        flat = self.pixels.reshape(len(self.pixels), -1)
        sums = np.add.accumulate(flat, axis=1, dtype=np.float32)[:, -1]
        return [float(total / np.float32(flat.shape[1])) for total in sums]

    def write(self, path: Path) -> None:
        """Write it as `.npy` (channels, height, width), or else as a mean file of Caffe's, of four axes."""
        log.info("Write to %s", path, extra=_GLOG["write"])
        if path.suffix.lower() == ".npy":
            write_npy(path, self.pixels)
            return
        channels, height, width = self.pixels.shape
        blob = BlobProto(num=1, channels=channels, height=height, width=width)
        blob.data.extend(self.pixels.ravel().tolist())
        with replacing(path, MEAN_KIND) as temporary:
            temporary.write_bytes(blob.SerializeToString())


def check_out(path: Path) -> None:
    """ResourceError where `MeanImage.write` could not write `path`: asked before the work is done."""
    check(path, NPY_KIND if path.suffix.lower() == ".npy" else MEAN_KIND)
    if not path.parent.is_dir():
        raise ResourceError(f"cannot write {path}: there is no folder {path.parent}")


def read_mean(path: Path, count: int) -> MeanImage:
    """The mean of `count` images that stands in a file of NumPy's, which Brew wrote."""
    return MeanImage(np.load(path, allow_pickle=False), count)


def mean_image(
    source: Path, progress: Callable[[str, int, int | None], None], *, backend: str | None = None
) -> MeanImage:
    """The mean of the records of `source`, a database, an HDF5 file or a list; encoded ones are decoded as they are.

    The sum is one of single precision, record by record, as Caffe makes it. `backend` is what the user takes it for.
    DataError with its key for a record that is damaged, or of another size than the first.
    """
    with open_stored(source) as stored:
        if backend not in (None, stored.kind):
            log.info("%s holds %s data and is read so, not as %s", source, stored.kind, backend)
        log.info("Starting iteration", extra=_GLOG["start"])
        sums, count = np.zeros(0, np.float32), 0
        for seen in in_order(look, stored.scan(), workers=threads.wanted(), piece=_PIECE):
            if not count:
                sums = np.zeros(seen.values.shape, np.float32)
            if seen.values.shape != sums.shape:
                raise _other_size(source, seen.key, seen.values.shape, sums.shape)
            sums += seen.values.astype(np.float32, copy=False)
            count += 1
            if count % _LOGGED == 0 or count == stored.length:
                log.info("Processed %d files.", count, extra=_GLOG["processed"])
            progress("records", count, stored.length)
    if sums.ndim != 3:
        raise DataError(f"{source}: its records are {shape_text(sums.shape)}; channels x height x width are expected")
    return MeanImage(sums / np.float32(count), count)


def _other_size(source: Path, key: str, shape: tuple[int, ...], first: tuple[int, ...]) -> DataError:
    return DataError(
        f"{source}: record {key!r} is {shape_text(shape)}, the first one {shape_text(first)}: a mean needs one size",
        hint="convert_imageset --resize_height --resize_width, or brew data import --size, bring images to one size; "
        "mean_value takes a mean of channels",
    )


def _is_mean(path: Path) -> bool:
    try:
        return len(read_blob(path).shape) > 0
    except WeightsError:
        return False


MEAN_KIND = Kind("a mean image", _is_mean)
