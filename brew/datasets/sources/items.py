"""What a source holds before anything of it is read: an item for each record to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

import numpy.typing as npt

from brew.errors import Place

Part: TypeAlias = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a picture, in pixels of the picture as it is stored; `right` and `bottom` lie behind its last.

    In shares of the picture's width and height where `in_shares` says so.
    """

    label: int
    left: float
    top: float
    right: float
    bottom: float
    difficult: bool = False
    in_shares: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One record to be.

    name     unique in its source, relative to it, with "/" between its parts; the end of the record's key
    label    the number of its class; None where the source gives none
    targets  several labels, or labels that are no integers, in the order of the source's `target_names`
    boxes    of objects in it; None where the source has none for any picture
    mask     the name of the picture beside it whose pixels are its labels
    group    items of one group (a speaker, a video) stay in one part
    part     where the source itself says so
    place    the line that names it, for messages
    """

    name: str
    label: int | None = None
    targets: tuple[float, ...] = ()
    boxes: tuple[Box, ...] | None = None
    mask: str | None = None
    group: str | None = None
    part: Part | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What an item holds.

    data  the bytes of an encoded picture as they are stored, or an array: pixels (channels, height, width) of uint8,
          BGR where there are three channels, or other values of any shape
    mask  the same of its mask: one channel, its pixels labels; an encoded one may have a palette
    more  other values of the same record by name ("cont"), each of one shape in all records: a dataset of that name
          in HDF5, a database beside that of the data in LMDB
    """

    data: bytes | npt.NDArray[Any]
    mask: bytes | npt.NDArray[Any] | None = None
    more: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


class Problem(NamedTuple):
    """Something in a pile that should be an item and can be none: a member of an archive that leads out of it."""

    name: str
    reason: str


class Source(Protocol):
    """A pile of files, examined. It can be pickled, and `read` may be called from any thread or process.

    kind          in words, for messages: "class folders"
    labels        names of the classes by number; empty where they have none
    target_names  of the values in every item's `targets`
    items         in a stated order that does not depend on the machine
    problems      each counts as an item that cannot be read
    notes         sentences for the user: what was left out, which number a name became
    preparation   what was done to the values, in terms that a predictor applies (dataset.yaml); None for pictures
    """

    kind: str
    path: Path
    labels: tuple[str, ...]
    target_names: tuple[str, ...]
    items: Sequence[Item]
    problems: Sequence[Problem]

    @property
    def notes(self) -> Sequence[str]: ...

    @property
    def preparation(self) -> Mapping[str, Any] | None: ...

    def fit(self, items: Sequence[Item]) -> None:
        """Measure what `preparation` needs (a mean, a vocabulary) on the items of the part train, before any is read.

        The same items give the same result: an import that goes on after a kill does it again.
        """

    def expect(self, items: Sequence[Item]) -> None:
        """Told before items are read: which, and in which order, for what cannot be read in any order."""

    def stamp(self, item: Item) -> str:
        """A short text that is another one when the content is another: size and time of its file; "" if unknown.

        OSError where the file is not there.
        """

    def size(self, item: Item) -> int | None:
        """The bytes that the item takes where it lies, for the prediction of the room needed; None if unknown."""

    def read(self, item: Item) -> Content:
        """The content of one of `items`; DataError, with its name and place, where it cannot be read.

        Here, and where else an item is given, its label and its boxes may be others (`Renumbered`).
        """

    def close(self) -> None:
        """Close what was opened."""


class Pile:
    """A source's beginning: what most kinds have none of. A kind derives from it and has a constructor and `read`.

    Every kind is made by `Kind(path, options)`, has `recognises(path)`, which looks at the content and is cheap, and
    says in OPTIONS the options it takes: what each is, by name. DataError for a pile that cannot be used.
    """

    OPTIONS: ClassVar[Mapping[str, str]] = {}

    kind: str
    path: Path
    labels: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    items: Sequence[Item] = ()
    problems: Sequence[Problem] = ()
    notes: Sequence[str] = ()
    preparation: Mapping[str, Any] | None = None

    def fit(self, items: Sequence[Item]) -> None:
        """Nothing is measured."""

    def expect(self, items: Sequence[Item]) -> None:
        """Any order is as good."""

    def stamp(self, item: Item) -> str:
        """That of the pile's file: right for all that is one file."""
        return file_stamp(self.path)

    def size(self, item: Item) -> int | None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def file_stamp(path: Path) -> str:
    """Size and time of a file; OSError where it is not there."""
    facts = path.stat()
    return f"{facts.st_size}.{facts.st_mtime_ns}"
