"""The sources of `brew data check`, record by record: databases, HDF5 files, lists of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.data.databases.opening import open_database
from brew.data.hdf5.source import find_dataset, open_hdf5, read_list
from brew.data.image_list import ImageList, numbered, remedy
from brew.data.image_source import ImageFiles
from brew.data.list_lines import UTF_16
from brew.datasets.stored.entry import Entry, look
from brew.errors import BrewError, DataError
from brew.files import regular
from brew.files.paths import is_there
from brew.files.signatures import noun_of
from brew.layer import shape_text

from .check import Limits
from .measures import Fact, Measurer, counts_of, labelled

Look: TypeAlias = Callable[[], Fact]
_BLOCK = 16 << 20  # bytes of a dataset read at a time
_MOST_LINKS = 1_000_000  # in an HDF5 file
_SHOWN = 5  # rows named in a reason
_LOOKED_UP = 100  # names of a list, to find the folder they start from


@dataclass(frozen=True, slots=True)
class Walk:
    """A source's kind, its number of records where that is known, and each record's name with a function that reads
    it.

    The function raises DataError for a bad record; the iterator raises it where nothing more can be read.
    """

    kind: str
    total: int | None
    records: Iterator[tuple[str, Look]]


def walk(source: Path, start: int, limits: Limits, measurer: Measurer | None = None) -> Walk:
    """The walk over `source` from record `start` on; its contents say which one. DataError."""
    measurer = measurer or Measurer(limits)
    if source.is_dir():
        return _database(source, limits.classes, measurer)
    if not source.is_file():
        raise DataError(
            "there is no such file or folder" if not source.exists() else "it is neither a file nor a folder"
        )
    if source.name == "data.mdb":
        raise DataError("this is the file of an LMDB; its folder is to be given")
    if _is_hdf5(source):
        return Walk("HDF5", None, _hdf5([source], limits, measurer))
    head = regular.head(source, 512)
    noun = noun_of(head)
    if noun not in (None, "a text file") or (
        b"\0" in head and not head.startswith(UTF_16)
    ):  # names in a list need not be UTF-8
        noun = noun or "a file of unknown kind"
        raise DataError(f"this is {noun}; the folder of an LMDB or LevelDB, HDF5, or a list of files is expected")
    first = next((line.strip() for line in head.decode("utf-8-sig", "replace").splitlines() if line.strip()), "")
    if any(is_there(str(path), Path()) and _is_hdf5(path) for path in (Path(first), source.parent / first)):
        return Walk("HDF5", None, _hdf5(read_list(source, what="source", place=None), limits, measurer))
    if re.fullmatch("# *[0-9]+", first):
        raise DataError("this seems to be a list of windows (WindowData); those are not checked")
    return _images(source, start, limits, measurer)


def _database(folder: Path, classes: int | None, measurer: Measurer) -> Walk:
    database = open_database(folder)

    def records() -> Iterator[tuple[str, Look]]:
        for key, value in database.scan(0):
            yield key.decode(errors="replace"), partial(_datum, Entry(key, value), classes, measurer)
        database.close()

    return Walk(database.backend, database.length, records())


def _datum(entry: Entry, classes: int | None, measurer: Measurer) -> Fact:
    try:
        seen = look(entry)
    except DataError as error:
        raise DataError(error.message.removeprefix(f"record {entry.name!r}: ")) from None
    if not np.isfinite(seen.values).all():
        raise DataError("it has NaN or infinity for a pixel")
    labels = [box.label for box in seen.boxes] if entry.annotated else [seen.label] if seen.label is not None else []
    if classes is not None and not labels and not entry.annotated:
        raise DataError(f"it has no label; one from 0 to {classes - 1} is expected")
    return labelled(shape_text(seen.values.shape), labels, [measurer.measure(seen.values)])


def _images(source: Path, start: int, limits: Limits, measurer: Measurer) -> Walk:
    wrong: dict[int, DataError] = {}
    listed = ImageList.read(source, what="source", wrong=wrong)
    prefix = limits.root
    if prefix is None:
        here = any(is_there(name, Path()) for name in listed.names[:_LOOKED_UP])
        prefix = "" if here else f"{source.parent}/"
    files = ImageFiles(listed, prefix)
    looks = (_look(files, line, found, measurer) for line, found in islice(numbered(listed, wrong), start, None))
    return Walk("images", len(listed.names) + len(wrong), looks)


def _look(files: ImageFiles, line: int, found: int | DataError, measurer: Measurer) -> tuple[str, Look]:
    """The record of a line: its image, or the error in the line."""
    if isinstance(found, DataError):
        return f"{found.place}", partial(_refuse, found)
    return f"{files.images.file}:{line}: {files.images.names[found]}", partial(_image, files, found, measurer)


def _refuse(error: DataError) -> Fact:
    raise DataError(error.message.removeprefix("source: "), hint=error.hint)


def _image(files: ImageFiles, number: int, measurer: Measurer) -> Fact:
    path = files.path(number)
    try:
        if not path.is_file():
            there = path.exists()
            hint = None if there else remedy(files.images.names[number])
            raise DataError("it is not a file" if there else f"there is no {path}", hint=hint)
    except OSError as error:
        raise DataError(f"it cannot be looked up: {error.strerror}") from None
    pixels = files.load(number)
    return labelled(shape_text(pixels.shape), [int(files.images.labels[number])], [measurer.measure(pixels)])


# --- HDF5 -------------------------------------------------------------------------------------------------------------


def _is_hdf5(path: Path) -> bool:
    import h5py

    return path.is_file() and bool(h5py.is_hdf5(path))


def _hdf5(files: list[Path], limits: Limits, measurer: Measurer) -> Iterator[tuple[str, Look]]:
    for file in files:
        rows: dict[str, int] = {}
        with open_hdf5(file) as h5:
            for name in limits.tops or _names(h5, file):
                yield f"{file}: {name}", partial(_dataset, h5, name, file, rows, limits.classes, measurer)
        if len(set(rows.values())) > 1:
            yield str(file), partial(_unequal, rows)


def _names(h5: Any, file: Path) -> Iterator[str]:
    """Every dataset's path, and every link's that leads elsewhere; a group linked twice is entered once."""
    import h5py

    entered = set()
    groups = [("", h5)]
    count = 0
    try:
        while groups:
            path, group = groups.pop()
            address = h5py.h5o.get_info(group.id).addr
            if address in entered:
                continue
            entered.add(address)
            for name in group:
                count += 1
                if count > _MOST_LINKS:
                    raise DataError(f"{file}: more than {_MOST_LINKS} names in it")
                stored = name if isinstance(name, bytes) else name.encode()  # bytes are what is no UTF-8
                inner = f"{path}/{stored.decode(errors='replace')}"
                hard = group.id.links.get_info(stored).type == h5py.h5l.TYPE_HARD
                if hard and group.get(name, getclass=True) is h5py.Group:
                    groups.append((inner, group[name]))
                else:
                    yield inner
    except BrewError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        raise DataError(f"{file}: damaged HDF5 file ({error})") from None


def _dataset(
    h5: Any, name: str, file: Path, rows: dict[str, int], classes: int | None, measurer: Measurer
) -> Fact:  # fmt: skip
    """Read the dataset once, in blocks of rows; not all numbers in it may be finite, nor labels of classes whole."""
    kind = name.rpartition("/")[2]
    bad: list[int] = []
    found = Fact("")
    try:
        dataset = find_dataset(h5, name, file)
        step = max(1, _BLOCK * dataset.shape[0] // max(dataset.nbytes, 1))
        for start in range(0, dataset.shape[0], step):
            block: npt.NDArray[Any] = dataset[start : start + step]
            finite = np.isfinite(block.reshape(len(block), -1)).all(axis=1)
            bad += (np.flatnonzero(~finite) + start).tolist()
            if kind == "label" and block.size and finite.all():
                if classes is not None:
                    _check_whole(block, start)
                _add_labels(found, block)
            elif kind == "data" and finite.all():
                found.measures += [
                    measurer.measure(values, f"{file}: row {number}") for number, values in enumerate(block, start)
                ]
    except BrewError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        raise DataError(f"it cannot be read: {error}") from None
    if bad:
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise DataError(f"NaN or infinity in row {', '.join(map(str, bad[:_SHOWN]))}{more}")
    rows[name] = dataset.shape[0]
    found.shape = f"{name} {shape_text(dataset.shape)}"
    return found


def _add_labels(found: Fact, block: npt.NDArray[Any]) -> None:
    low, high = int(block.min()), int(block.max())
    found.low = low if found.low is None else min(low, found.low)
    found.high = high if found.high is None else max(high, found.high)
    found.classes += counts_of(block.reshape(-1))


def _check_whole(block: npt.NDArray[Any], start: int) -> None:
    wrong = np.flatnonzero((block != np.trunc(block)).reshape(len(block), -1).any(axis=1))
    if wrong.size:
        first = block[wrong[0]].reshape(-1)
        value = first[first != np.trunc(first)][0]
        raise DataError(f"the label {value:g} in row {start + wrong[0]} is no whole number")


def _unequal(rows: dict[str, int]) -> Fact:
    listed = ", ".join(f"{name} has {count}" for name, count in rows.items())
    raise DataError(f"all datasets need the same number of rows: {listed}")
