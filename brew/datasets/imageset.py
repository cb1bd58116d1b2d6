"""A list of images as a database, with the keys and the records that Caffe's convert_imageset writes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu import threads
from brew.data.databases.new import check_target, new_database
from brew.data.image_list import ImageList
from brew.data.image_source import ImageFiles
from brew.data.images.decoding import BadImage, decode_image
from brew.data.images.encoding import check_ending, encode
from brew.data.images.resize import resize
from brew.errors import DataError, UsageError
from brew.files import regular
from brew.files.atomic import reason
from brew.files.paths import is_there
from brew.layer import shape_text
from brew.layer.random import Stream
from brew.proto.brew_pb2 import Datum

from .reading import in_order
from .writers import key_of

log = logging.getLogger("brew")

Progress: TypeAlias = Callable[[str, int, int | None], None]

_LOOKED_UP = 100  # names of a list, to find the folder that they start from
_TOLD = 20  # images that cannot be used, one by one
_PIECE = 16  # images that a thread takes at a time
_LOGGED = 1000  # images between two lines of the log
_GLOG = {name: {"glog": f"convert_imageset.cpp:{line}"} for name, line in
         (("shuffle", 80), ("total", 83), ("encode", 86), ("processed", 147))}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversion:
    """How images become records.

    gray         one channel instead of three
    size         (height, width) that they are brought to, as OpenCV does it; None leaves them as they are
    encoded      files are stored, not pixels
    encode_type  the ending of their kind, without a dot; empty: that of each file's own name
    check_size   images of different sizes are an error
    shuffle      records stand in an order by `seed`, not in the list's
    max_bad      images that may be left out because they cannot be used
    """

    backend: str = "LMDB"
    gray: bool = False
    size: tuple[int, int] | None = None
    encoded: bool = False
    encode_type: str = ""
    check_size: bool = False
    shuffle: bool = False
    seed: int = 1701
    max_bad: int = 0
    overwrite: bool = False

    def check(self) -> None:
        """UsageError where images cannot be encoded so."""
        if self.encode_type:
            check_ending(self.encode_type)


class Converted(NamedTuple):
    """How many records were written, of which shape (None: several), and how many images were left out."""

    records: int
    shape: tuple[int, ...] | None
    left_out: int


def convert(root: str, file: Path, out: Path, settings: Conversion, progress: Progress) -> Converted:
    """Write the images of the list `file`, whose names begin behind `root`, as the database `out`.

    A file that is not there is told before anything is written, one that cannot be decoded when it is read; each with
    its line. DataError where there are more than `max_bad` of them: then there is no database.
    """
    settings.check()
    check_target(out, overwrite=settings.overwrite)
    return _Converter(root, file, out, settings, progress).run()


class _Record(NamedTuple):
    shape: tuple[int, ...]
    value: bytes


class _Converter:
    def __init__(self, root: str, file: Path, out: Path, settings: Conversion, progress: Progress) -> None:
        self.settings, self.out, self.progress = settings, out, progress
        self.wrong: dict[int, DataError] = {}
        self.images = ImageList.read(file, what="the list", wrong=self.wrong)
        self.files = ImageFiles(self.images, _prefix(root, self.images))
        self.total = len(self.images.names) + len(self.wrong)
        self.bad = 0

    def run(self) -> Converted:
        settings = self.settings
        if settings.shuffle:
            log.info("Shuffling data", extra=_GLOG["shuffle"])
        log.info("A total of %d images.", self.total, extra=_GLOG["total"])
        if settings.encode_type and not settings.encoded:
            log.info("encode_type specified, assuming encoded=true.", extra=_GLOG["encode"])
        missing = self._missing()
        keys = self._keys()
        kept = [number for number in keys if number not in missing]
        records = in_order(self._record, kept, workers=threads.wanted(), piece=_PIECE)
        with new_database(self.out, settings.backend, overwrite=settings.overwrite) as database:
            shapes: dict[tuple[int, ...], int] = {}
            for number, record in zip(kept, records, strict=True):
                if isinstance(record, DataError):
                    self._tell(record)
                    self._judge()
                    continue
                if settings.check_size and record.shape not in shapes and shapes:
                    raise self._other_size(number, record.shape, next(iter(shapes.items())))
                shapes.setdefault(record.shape, number)
                database.put(key_of(keys[number], self.images.names[number]), record.value)
                self._count(database.count, len(kept))
            if not database.count:
                raise DataError(f"no image of {self.images.file} can be used: there is nothing to write")
        if database.count % _LOGGED:
            log.info("Processed %d files.", database.count, extra=_GLOG["processed"])
        return Converted(database.count, next(iter(shapes)) if len(shapes) == 1 else None, self.bad)

    def _keys(self) -> dict[int, int]:
        """The number in the key of each image, in the order of the records: that of its line, counted from 0."""
        count = len(self.images.names)
        if self.settings.shuffle:
            places = Stream(self.settings.seed, "convert_imageset/order").permutation(count).tolist()
            return {number: key for key, number in enumerate(places)}
        return {number: line - 1 for number, line in enumerate(self.images.lines)}

    def _missing(self) -> set[int]:
        """The images whose files cannot be opened; all of them are told."""
        missing = set[int]()
        for error in self.wrong.values():
            self._tell(error)
        for number in range(len(self.images.names)):
            try:
                regular.check(self.files.path(number))
            except OSError as error:
                missing.add(number)
                self._tell(self._unreadable(number, error))
        self._judge()
        return missing

    def _record(self, number: int) -> _Record | DataError:
        try:
            data = regular.read_bytes(self.files.path(number))
            pixels = decode_image(data, color=not self.settings.gray, gray=self.settings.gray)
            if self.settings.size is not None:
                pixels = resize(pixels, *self.settings.size)
        except BadImage as error:
            return self._error(number, str(error))
        except (OSError, ValueError) as error:
            return self._unreadable(number, error)
        except MemoryError:
            return self._error(number, "is too large for the memory there is")
        try:
            datum = self._datum(self.images.names[number], data, pixels)
        except (UsageError, OSError, ValueError) as error:
            return self._error(number, f"cannot be encoded: {error}")
        datum.label = int(self.images.labels[number])
        return _Record(pixels.shape, datum.SerializeToString())

    def _datum(self, name: str, data: bytes, pixels: npt.NDArray[np.uint8]) -> Datum:
        """Caffe's fields: pixels say that they are not encoded, and encoded images do not say their size."""
        if not (self.settings.encoded or self.settings.encode_type):
            channels, height, width = pixels.shape
            return Datum(channels=channels, height=height, width=width, data=pixels.tobytes(), encoded=False)
        ending = self.settings.encode_type or _ending(name)
        as_it_is = self.settings.size is None and _is_of_kind(name, ending)
        return Datum(data=data if as_it_is else encode(pixels, ending), encoded=True)

    def _error(self, number: int, what: str) -> DataError:
        return DataError(f"image {self.files.path(number)} {what}", place=self.images.place(number))

    def _unreadable(self, number: int, error: OSError | ValueError) -> DataError:
        why = reason(error) if isinstance(error, OSError) else str(error)
        return self._error(number, f"cannot be read: {why}")

    def _tell(self, error: DataError) -> None:
        self.bad += 1
        if self.bad <= _TOLD:
            log.warning("%s%s", error, "; more of them are counted only" if self.bad == _TOLD else "")

    def _judge(self) -> None:
        """DataError where more images cannot be used than may be left out."""
        if self.bad > self.settings.max_bad:
            allowed = f"{self.settings.max_bad} are allowed" if self.settings.max_bad else "none may be left out"
            raise DataError(
                f"{self.images.file}: {self.bad} of {self.total} images cannot be used, and {allowed}",
                hint="--max-bad N leaves out up to N of them",
            )

    def _other_size(self, number: int, shape: tuple[int, ...], first: tuple[tuple[int, ...], int]) -> DataError:
        ours, before = shape_text(shape), shape_text(first[0])
        error = self._error(number, f"is {ours}, and {self.files.path(first[1])} {before}: --check_size wants one size")
        error.hint = "--resize_height and --resize_width bring all images to one size"
        return error

    def _count(self, done: int, total: int) -> None:
        if done % _LOGGED == 0:
            log.info("Processed %d files.", done, extra=_GLOG["processed"])
        self.progress("images", done, total)


def _prefix(root: str, images: ImageList) -> str:
    """`root`, or the folder of that name where only in it images are found."""
    names = images.names[:_LOOKED_UP]
    if root and not root.endswith("/"):
        plain, inside = (any(is_there(before + name, Path()) for name in names) for before in (root, f"{root}/"))
        if inside and not plain:
            log.info("%s is taken for the folder %s/", root, root)
            return f"{root}/"
    return root


def _ending(name: str) -> str:
    """What a file's name says of its kind, in small letters; UsageError where it says nothing."""
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem or "/" in ending:
        raise UsageError("its name has no ending that says how", hint="--encode_type says it")
    return ending.lower()


def _is_of_kind(name: str, ending: str) -> bool:
    own = name.rpartition(".")[2].lower()
    return own == ending.lower() or (own == "jpeg" and ending.lower() == "jpg")
