"""The kinds of piles that can be imported, each in a module of its own, which is imported when it is needed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from brew.errors import DataError, UsageError, did_you_mean

from .items import Source

_ANNOTATIONS = "brew.datasets.sources.annotations"
_ARRAYS = "brew.datasets.sources.arrays"
# By name: its class, and what a user has who has one. `open_source` asks in this order which of them a pile is.
KINDS: dict[str, tuple[str, str]] = {
    "coco": (f"{_ANNOTATIONS}.coco:Coco", "COCO: pictures and JSON files of their objects"),
    "voc": (f"{_ANNOTATIONS}.voc:Voc", "Pascal VOC: pictures and an XML file of the objects of each"),
    "yolo": (f"{_ANNOTATIONS}.yolo:Yolo", "YOLO: pictures and a text file of the objects of each"),
    "masks": (f"{_ANNOTATIONS}.masks:Masks", "pictures and masks of them, in two folders"),
    "idx": (f"{_ARRAYS}.idx:Idx", "idx files, as MNIST has them"),
    "cifar": (f"{_ARRAYS}.cifar:Cifar", "the batches of CIFAR-10 or CIFAR-100"),
    "numpy": (f"{_ARRAYS}.numpy_files:NumpyFiles", "NumPy's .npy and .npz"),
    "hdf5": (f"{_ARRAYS}.hdf5:Hdf5Files", "HDF5 with datasets of records and labels"),
    "parquet": (f"{_ARRAYS}.parquet:Parquet", "Parquet with a column of pictures"),
    "webdataset": (f"{_ARRAYS}.webdataset:WebDataset", "WebDataset: tar archives of pictures with their labels"),
    "zip": ("brew.datasets.sources.archives:ZipFolders", "a zip archive of class folders"),
    "tar": ("brew.datasets.sources.archives:TarFolders", "a tar archive of class folders, compressed or not"),
    "list": ("brew.datasets.sources.lists:FileList", "a list, CSV or TSV of pictures with labels"),
    "folders": ("brew.datasets.sources.folders:ClassFolders", "a folder with a folder of pictures for each class"),
    "pictures": ("brew.datasets.sources.pictures:Pictures", "a folder of pictures side by side"),
    "sound": ("brew.datasets.features.sound.recordings:Sound", "a folder, a zip archive or a list of recordings"),
    "table": ("brew.datasets.features.table:TableRows", "a CSV or TSV whose rows are records"),
    "series": ("brew.datasets.features.series:Series", "the same whose rows are steps of time (--kind series)"),
    "text": ("brew.datasets.features.text:Texts", "a text, a folder of texts, or a CSV of texts (--kind text)"),
}
_PACKED = "it is a zip", "it is a gzip", "it is a bzip2", "it is an xz", "it is a zstandard"
_SHOWN = 8  # names of what a pile holds


class Kind(Protocol):
    """The class of a kind."""

    OPTIONS: Mapping[str, str]

    def __call__(self, path: Path, options: Mapping[str, str]) -> Source: ...

    def recognises(self, path: Path) -> bool: ...


def open_source(path: Path, kind: str | None = None, options: Mapping[str, str] | None = None) -> Source:
    """The pile at `path`, examined, as the kind that it is, or as `kind`; `options` are the kind's own.

    UsageError for a kind or an option that there is not, DataError where nothing is there, where it is of no kind
    that is known, and where its kind cannot use it.
    """
    options = options or {}
    if not path.exists():
        raise DataError(f"there is no {path}")
    name = kind if kind is not None else _recognised(path)
    if name not in KINDS:
        hint = did_you_mean(name, KINDS) or f"kinds: {', '.join(KINDS)}"
        raise UsageError(f'there is no kind of source "{name}"', hint=hint)
    made = _class(name)
    for option in options:
        if option not in made.OPTIONS:
            known = ", ".join(made.OPTIONS) or "it has none"
            hint = did_you_mean(option, made.OPTIONS) or f"options: {known}"
            raise UsageError(f'a source of the kind "{name}" has no option "{option}"', hint=hint)
    return made(path, options)


def options_of(name: str) -> Mapping[str, str]:
    """The options of a kind: what each is, by name."""
    return _class(name).OPTIONS


def _class(name: str) -> Kind:
    module, _, attribute = KINDS[name][0].partition(":")
    return cast("Kind", getattr(importlib.import_module(module), attribute))


def _recognised(path: Path) -> str:
    """The first kind that recognises the pile; DataError that says what is there, and what could be, if none does."""
    for name in KINDS:
        if _class(name).recognises(path):
            return name
    from .archives import damage

    broken = damage(path) if path.is_file() else None
    if broken is not None:
        raise DataError(f"{path} is {broken}", hint="copy or download it again")
    what = found(path)
    unpack = "; unpack it: other kinds are read from a folder" if what.startswith(_PACKED) else ""
    raise DataError(f"{path} is of no kind that can be imported: {what}{unpack}", hint=f"what can be: {understood()}")


def understood() -> str:
    """All kinds, in a sentence."""
    return "; ".join(f"{what} ({name})" for name, (_, what) in KINDS.items())


def found(path: Path) -> str:
    """What is there, in words."""
    from brew.files.weights.recognising import recognise

    if not path.is_dir():
        known: Any = recognise(path)
        return f"it is {known.noun}" if known else "it is a file of another kind"
    try:
        names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    except OSError as error:
        return f"the folder cannot be read: {error.strerror or error}"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"the folder holds {', '.join(names[:_SHOWN])}{more}" if names else "the folder is empty"
