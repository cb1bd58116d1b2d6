"""WebDataset: tar archives (shards) in which files of one name but for their endings are a sample."""

from __future__ import annotations

import gzip
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeAlias

from brew.data.labels import read_labels
from brew.datasets.sources.items import Content, Item, Part, Pile, Problem, file_stamp
from brew.datasets.sources.trees import PARTS, PICTURES, class_order, in_bytes_order, left_out
from brew.errors import DataError
from brew.files import regular

from .gzipped import BROKEN, is_gzipped
from .stored import PIECE, Stored, Unpacked
from .tars import members, refusal

_TAR = (tarfile.TarError, *BROKEN, ValueError)
_MOST_LABEL = 1 << 20
_UNPACKED = 200  # times the size of a compressed shard, and as many bytes more as _SPARE, that it may unpack to
_SPARE = 16 << 20
_LOOKED_AT = 200  # members, to recognise a shard
_ENDINGS = (".tar", ".tar.gz", ".tgz")
_CLASS = ("cls", "cls.txt", "label", "label.txt", "class", "class.txt")
_JSON = ("json", "label.json", "cls.json")
_KEYS = ("label", "cls", "class", "class_id", "target", "category", "category_id", "y")
_MASK = ("seg.png", "mask.png", "segmentation.png", "labels.png")
_PICTURE = frozenset(ending.removeprefix(".") for ending in PICTURES)
_HERE: TypeAlias = tuple[int, int]  # offset and size of a member


@dataclass(slots=True)
class _Sample:
    name: str
    shard: int
    part: Part | None
    files: dict[str, _HERE] = field(default_factory=dict)

    def first(self, endings: Sequence[str]) -> str | None:
        return next((ending for ending in endings if ending in self.files), None)

    def picture(self) -> str | None:
        plain = (ending for ending in self.files if ending not in _MASK)
        return next((ending for ending in plain if ending.rpartition(".")[2] in _PICTURE), None)


class WebDataset(Pile):
    """A shard or a folder of shards: of each sample a picture, a class (.cls, or a number or name in .json under label,
    cls or class), and perhaps a mask (.seg.png, .mask.png). The names of shards may say the part.
    """

    kind = "WebDataset"
    OPTIONS: ClassVar[Mapping[str, str]] = {"classes": "a file with the names of the classes, one a line"}

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        self._paths = _shards(path)
        if not self._paths:
            raise DataError(f"{path} has no tar archives")
        self._shards = [_stored(shard) for shard in self._paths]
        problems: list[Problem] = []
        self._samples: dict[str, _Sample] = {}
        labels: dict[str, int | str | None] = {}
        without: list[str] = []
        for number, shard in enumerate(self._paths):
            for sample in self._indexed(number, shard, problems):
                if sample.picture() is None:
                    without.append(sample.name)
                    continue
                try:
                    if sample.name in self._samples:
                        raise DataError(f"two shards have it, {shard.name} is the second")
                    labels[sample.name] = self._label(sample)
                    self._samples[sample.name] = sample
                except DataError as error:
                    problems.append(Problem(sample.name, str(error)))
        if not self._samples and not problems:
            raise DataError(f"{path} has no samples with pictures")
        given = read_labels(Path(options["classes"])) if "classes" in options else None
        self.labels, numbers = _numbers(labels.values(), given)
        self.items = self._items(labels, numbers, problems)
        self.problems = problems
        labelled = any(label is not None for label in labels.values())
        self.notes = [*([] if labelled else ["there are no labels (.cls or .json)"])]
        self.notes += [left_out(without, "without a picture", "sample")] if without else []

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether its first members, or those of a folder's first archive, are a picture and a label of one name."""
        try:
            shards = _shards(path)
            if not shards:
                return False
            with regular.opened(shards[0]) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
                keys: dict[str, set[str]] = {}
                for member in islice(archive, _LOOKED_AT):
                    key, ending = _key(member.name)
                    keys.setdefault(key, set()).add(ending)
        except (*_TAR, DataError):
            return False
        known = {*_CLASS, *_JSON}
        return any(
            endings & known and any(e.rpartition(".")[2] in _PICTURE for e in endings) for endings in keys.values()
        )

    def stamp(self, item: Item) -> str:
        return file_stamp(self._paths[self._samples[item.name].shard])

    def size(self, item: Item) -> int | None:
        sample = self._samples[item.name]
        return sample.files[sample.picture() or ""][1]

    def read(self, item: Item) -> Content:
        sample = self._samples[item.name]
        picture, mask = sample.picture(), sample.first(_MASK)
        assert picture is not None
        return Content(self._member(sample, picture), None if mask is None else self._member(sample, mask))

    def close(self) -> None:
        for shard in self._shards:
            shard.close()

    def _items(
        self, labels: Mapping[str, int | str | None], numbers: Mapping[int | str, int], problems: list[Problem]
    ) -> list[Item]:
        items = []
        labelled = any(label is not None for label in labels.values())
        for name, sample in self._samples.items():
            label, mask = labels[name], sample.first(_MASK)
            if label is None and labelled:
                problems.append(Problem(name, "it has no label, which others have"))
            elif label is not None and label not in numbers:
                problems.append(Problem(name, f'it is of "{label}", which is not in the list of classes'))
            else:
                number = None if label is None else numbers[label]
                items.append(
                    Item(name, label=number, mask=None if mask is None else f"{name}.{mask}", part=sample.part)
                )
        return items

    def _indexed(self, number: int, shard: Path, problems: list[Problem]) -> Iterator[_Sample]:
        """The samples of a shard, in its order."""
        part = _part(shard)
        prefix = shard.name[: -len(next(ending for ending in _ENDINGS if shard.name.endswith(ending)))]
        samples: dict[str, _Sample] = {}
        end = self._shards[number].length()
        for member in members(self._shards[number], shard, problems):
            key, ending = _key(member.name)
            if not ending or member.isdir():
                continue
            name = f"{prefix}/{key}"
            sample = samples.setdefault(name, _Sample(name, number, part))
            reason = refusal(member, end)
            if reason is None and ending in sample.files:
                reason = "there are several of this name"
            if reason is not None:
                problems.append(Problem(f"{prefix}/{member.name}", reason))
            else:
                sample.files[ending] = member.offset_data, member.size
        yield from samples.values()

    def _label(self, sample: _Sample) -> int | str | None:
        """The class that a sample says, as a number or a name; DataError."""
        ending = sample.first(_CLASS) or sample.first(_JSON)
        if ending is None:
            return None
        what = f"{self._paths[sample.shard]}: {sample.name}.{ending}"
        if sample.files[ending][1] > _MOST_LABEL:
            raise DataError(f"{what} has {sample.files[ending][1]} bytes; up to {_MOST_LABEL} are read")
        data = self._member(sample, ending)
        try:
            value: Any = data.decode("utf-8-sig").strip()
            if ending in _JSON:
                value = json.loads(value)
                if isinstance(value, dict):
                    value = next((value[key] for key in _KEYS if key in value), None)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{what} cannot be read: {error}") from None
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | str | None) or value == "":
            raise DataError(f"{what} is no class: a number or a name is expected")
        return value

    def _member(self, sample: _Sample, ending: str) -> bytes:
        offset, size = sample.files[ending]
        return self._shards[sample.shard].read(offset, size, f"{sample.name}.{ending}")


def _numbers(
    labels: Iterable[int | str | None], given: tuple[str, ...] | None
) -> tuple[tuple[str, ...], dict[int | str, int]]:
    """The names of the classes, () where they have none; the number of each label that can be."""
    unique = {label for label in labels if label is not None}
    if all(isinstance(label, int) for label in unique):
        most = len(given) if given is not None else 1 << 31
        return given or (), {label: label for label in unique if isinstance(label, int) and 0 <= label < most}
    names = given if given is not None else class_order(map(str, unique))
    numbers = {name: number for number, name in enumerate(names)}
    return names, {label: numbers[str(label)] for label in unique if str(label) in numbers}


def _shards(path: Path) -> list[Path]:
    """The archive, or those in the folder; DataError."""
    if path.is_dir():
        try:
            names = in_bytes_order(entry.name for entry in path.iterdir() if entry.name.endswith(_ENDINGS))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        return [path / name for name in names]
    return [path] if path.name.endswith(_ENDINGS) and path.exists() else []


def _stored(shard: Path) -> Stored:
    try:
        regular.check(shard)
        return Unpacked(shard, partial(_unpack, shard)) if is_gzipped(shard) else Stored(shard)
    except OSError as error:
        raise DataError(f"{shard} cannot be read: {error.strerror or error}") from None


def _unpack(shard: Path, out: BinaryIO) -> None:
    try:
        with regular.opened(shard) as packed, gzip.open(packed) as file:
            left = _UNPACKED * os.fstat(packed.fileno()).st_size + _SPARE
            while piece := file.read(PIECE):
                left -= len(piece)
                if left < 0:
                    raise DataError(f"{shard} unpacks to more than {_UNPACKED} times its size: it is taken for a bomb")
                out.write(piece)
    except BROKEN as error:
        raise DataError(f"{shard} cannot be unpacked: {error}") from None


def _key(name: str) -> tuple[str, str]:
    """What the files of a sample have in common, and the ending: all behind the first dot of the last part."""
    folder, slash, file = name.removeprefix("./").rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _part(shard: Path) -> Part | None:
    words = re.split(r"[^a-z]+", shard.name.lower())
    return next((PARTS[word] for word in words if word in PARTS), None)
