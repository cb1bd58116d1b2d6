"""CIFAR-10 and CIFAR-100 as their authors give them: binary files or pickles, in a folder or a tar archive."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from brew.datasets.sources.items import Part
from brew.errors import DataError, UsageError
from brew.files import regular

from .array_pile import ArrayPair, ArrayPile
from .gzipped import BROKEN
from .rows import Labels, Rows
from .stored import Unpacked
from .unpickling import unpickled

_SHAPE = (3, 32, 32)
_PIXELS = 3072
_MOST = 512 << 20  # bytes of a file
_BATCH = re.compile(r"(data_batch_\d+|test_batch|train|test)(\.bin)?")
_NAMES = {"batches.meta": "label_names", "batches.meta.txt": "", "meta": "fine_label_names", "fine_label_names.txt": "",
          "coarse_label_names.txt": ""}  # fmt: skip
_TAR = (tarfile.TarError, *BROKEN)


class _Batch(NamedTuple):
    name: str
    fine: list[int]
    coarse: list[int]
    pictures: int


class Cifar(ArrayPile):
    """Batches of pictures of 32 x 32: data_batch_1 to 5 and test_batch, or train and test of CIFAR-100; as pickles,
    which are read without running them, or as binary files (.bin); in a folder, or in the tar that they come in.
    """

    kind = "CIFAR"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "label": "of CIFAR-100: fine (100 classes, the default), coarse (20), or both, as two targets",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        wanted = options.get("label", "fine")
        if wanted not in ("fine", "coarse", "both"):
            raise UsageError(f"label={wanted} is neither fine, coarse nor both")
        batches, names = self._examined()
        if not batches:
            raise DataError(
                f"{path} has no batches of CIFAR's", hint="data_batch_1 and test_batch are expected, or train and test"
            )
        if wanted != "fine" and not all(batch.coarse for batch in batches):
            raise UsageError(f"label={wanted}: CIFAR-10 has no coarse classes")
        pairs = []
        for batch in batches:
            stored = Unpacked(path, partial(_copy, path, batch.name))
            rows = Rows(stored, 0, (batch.pictures, *_SHAPE), np.dtype(np.uint8))
            pairs.append(ArrayPair(batch.name, _part(batch.name), rows, _labels(batch, wanted, names), (path,)))
        self._take(pairs, {"layout": "chw"}, colors="rgb")
        if wanted == "both":
            self.target_names = "fine", "coarse"

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there are files called as CIFAR's batches are."""
        try:
            if path.is_dir():
                names = {entry.name for folder in _folders(path) for entry in folder.iterdir()}
            elif path.is_file() and tarfile.is_tarfile(path):
                with regular.opened(path) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
                    names = {member.name.rpartition("/")[2] for member, _ in zip(archive, range(12), strict=False)}
            else:
                return False
        except _TAR:
            return False
        return bool(names & {"data_batch_1", "data_batch_1.bin"}) or bool(
            names & {"train", "train.bin"} and names & {"meta", "fine_label_names.txt"}
        )

    def _examined(self) -> tuple[list[_Batch], dict[str, tuple[str, ...]]]:
        """All batches by their names, without their pixels; the names of the classes: "fine", "coarse"."""
        found: list[_Batch] = []
        names: dict[str, tuple[str, ...]] = {}
        for name, data in _files(self.path):
            if _BATCH.fullmatch(name):
                pixels, fine, coarse = _read(data, f"{self.path}/{name}", name)
                found.append(_Batch(name, fine, coarse, len(pixels)))
            elif name.endswith(".txt"):
                kind = "coarse" if name.startswith("coarse") else "fine"
                names[kind] = tuple(
                    line.strip() for line in data.decode("utf-8", "replace").split("\n") if line.strip()
                )
            else:
                meta = unpickled(data, f"{self.path}/{name}")
                if isinstance(meta, dict):
                    for kind, key in (("fine", _NAMES[name]), ("coarse", "coarse_label_names")):
                        listed = _entry(meta, key)
                        if isinstance(listed, list):
                            names[kind] = tuple(_text(entry) for entry in listed)
        return sorted(found), names


def _labels(batch: _Batch, wanted: str, names: Mapping[str, tuple[str, ...]]) -> Labels:
    if wanted == "both":
        return Labels(None, np.array([batch.fine, batch.coarse], np.float32).T, (), None)
    classes = batch.coarse if wanted == "coarse" else batch.fine
    known = names.get(wanted, ())
    if known and classes and not 0 <= min(classes) <= max(classes) < len(known):
        raise DataError(f"{batch.name} has labels from {min(classes)} to {max(classes)}; there are {len(known)} names")
    return Labels(classes, None, known, None)


def _read(data: bytes, path: str, name: str) -> tuple[npt.NDArray[np.uint8], list[int], list[int]]:
    """The pixels (pictures, 3072) of a batch, its labels, and its coarse labels; DataError."""
    if name.endswith(".bin"):
        labels = 2 if name in ("train.bin", "test.bin") else 1
        if not data or len(data) % (_PIXELS + labels):
            raise DataError(f"{path} has {len(data)} bytes; records of {_PIXELS + labels} are expected")
        rows = np.frombuffer(data, np.uint8).reshape(-1, _PIXELS + labels)
        return rows[:, labels:], rows[:, labels - 1].tolist(), rows[:, 0].tolist() if labels == 2 else []
    content = unpickled(data, path)
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no mapping; data and labels are expected")
    pixels = _entry(content, "data")
    fine = _entry(content, "labels")
    fine = _entry(content, "fine_labels") if fine is None else fine
    coarse = _entry(content, "coarse_labels") or []
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise DataError(f'{path}: "data" is expected to be bytes of N x {_PIXELS}')
    for column in (fine, coarse) if coarse else (fine,):
        whole = isinstance(column, list) and all(isinstance(label, int) and 0 <= label < 1000 for label in column)
        if not whole or len(column) != len(pixels):
            raise DataError(f'{path}: "labels" is expected to be a list of {len(pixels)} small whole numbers')
    return pixels, fine, coarse


def _copy(path: Path, wanted: str, out: BinaryIO) -> None:
    """Write the pixels of a batch."""
    for name, data in _files(path, only=wanted):
        out.write(np.ascontiguousarray(_read(data, f"{path}/{name}", name)[0]).data)


def _files(path: Path, only: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that is CIFAR's; DataError."""

    def is_wanted(name: str) -> bool:
        return name == only if only else name in _NAMES or _BATCH.fullmatch(name) is not None

    try:
        if path.is_dir():
            for folder in _folders(path):
                there = sorted(entry.name for entry in folder.iterdir() if is_wanted(entry.name) and entry.is_file())
                yield from ((name, regular.read_bytes(folder / name, _MOST)) for name in there)
                if there:
                    return
            return
        with regular.opened(path) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if member.isreg() and is_wanted(name) and (content := archive.extractfile(member)) is not None:
                    if member.size > _MOST:
                        raise DataError(f"{path}/{member.name} has {member.size} bytes, up to {_MOST} are read")
                    yield name, content.read(member.size)
    except _TAR as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _folders(path: Path) -> list[Path]:
    return [path, *sorted(entry for entry in path.iterdir() if entry.name.startswith("cifar") and entry.is_dir())]


def _entry(content: Mapping[Any, Any], key: str) -> Any:
    """What stands under a key, which Python 2 wrote as bytes."""
    return content.get(key.encode(), content.get(key))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _part(name: str) -> Part:
    return "test" if name.startswith("test") else "train"
