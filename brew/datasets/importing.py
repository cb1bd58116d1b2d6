"""Imports: a source becomes databases, labels.txt and dataset.yaml in one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from brew.data import labels
from brew.data.databases.database import Record
from brew.data.databases.lmdb_writer import staged_lmdb
from brew.data.image import BadImage, decode_image
from brew.errors import DataError
from brew.files.atomic import replacing
from brew.files.overwriting import Kind
from brew.layer.random import Stream
from brew.proto.brew_pb2 import Datum

from .settings import ImportSettings
from .sources.items import Item, Part, Source

Progress: TypeAlias = Callable[[str, int, int | None], None]
_TEXT = Kind("labels", lambda path: True)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote: the databases, in the order train, val, test, and how many records each has."""

    databases: tuple[tuple[Path, int], ...]


def import_data(source: Source, out: Path, settings: ImportSettings, progress: Progress | None = None) -> Imported:
    """Write `source` into the folder `out`. DataError where items cannot be read."""
    parts: dict[Part, list[Item]] = {}
    for item in source.items:
        parts.setdefault(item.part or "train", []).append(item)
    written: list[tuple[Path, int]] = []
    with ExitStack() as stack:
        for part, items in parts.items():
            order = ordered(items, part, settings)
            folder = out / f"{part}_lmdb"
            records = _records(source, order, part, progress)
            written.append((folder, stack.enter_context(staged_lmdb(folder, records, overwrite=settings.overwrite))))
    for folder in (out, *(folder for folder, _ in written)) if source.labels else ():
        with replacing(folder / labels.FILE, _TEXT) as temporary:
            temporary.write_text(labels.as_text(source.labels), "utf-8")
    return Imported(tuple(written))


def ordered(items: Sequence[Item], part: Part, settings: ImportSettings) -> list[Item]:
    """The items of a part in the order of their records."""
    if part != "train" or not settings.shuffle:
        return list(items)
    return [items[i] for i in Stream(settings.seed, f"import/{part}").permutation(len(items))]


def _records(source: Source, items: Sequence[Item], part: str, progress: Progress | None) -> Iterator[Record]:
    for number, item in enumerate(items):
        data = source.read(item).data
        if not isinstance(data, bytes):
            raise DataError(f"{item.name} is no picture")
        try:
            channels, height, width = decode_image(data).shape
        except BadImage as error:
            raise DataError(f"{item.name} {error}") from None
        datum = Datum(channels=channels, height=height, width=width, data=data, encoded=True)
        if item.label is not None:
            datum.label = item.label
        yield b"%08d_%s" % (number, item.name.encode("utf-8", "surrogateescape")), datum.SerializeToString()
        if progress is not None:
            progress(part, number + 1, len(items))
