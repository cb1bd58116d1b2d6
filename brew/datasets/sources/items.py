"""What a source holds before anything of it is read: an item for each record to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy.typing as npt

from brew.errors import Place

Part: TypeAlias = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a picture, in pixels of the picture as it is stored; `right` and `bottom` lie behind its last."""

    label: int
    left: float
    top: float
    right: float
    bottom: float
    difficult: bool = False


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
    """

    data: bytes | npt.NDArray[Any]
    mask: bytes | npt.NDArray[Any] | None = None


class Source(Protocol):
    """A pile of files, examined. It can be pickled, and `read` may be called from any thread or process.

    kind          in words, for messages: "class folders"
    labels        names of the classes by number; empty where they have none
    target_names  of the values in every item's `targets`
    items         in a stated order that does not depend on the machine
    """

    kind: str
    path: Path
    labels: tuple[str, ...]
    target_names: tuple[str, ...]
    items: Sequence[Item]

    def read(self, item: Item) -> Content:
        """The content of one of `items`; DataError, with its name and place, where it cannot be read."""

    def close(self) -> None:
        """Close what was opened."""
