"""What a user wants of an import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Format: TypeAlias = Literal["lmdb", "hdf5"]
Resize: TypeAlias = Literal["warp", "fit", "pad", "shorter", "crop"]


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How piles become databases.

    format     of what is written
    size       (height, width) that pictures are brought to; None leaves them as they are
    resize     how: `warp` to exactly this size; `fit` inside it; `pad`, as fit with black around it; `shorter`, both
               sides at least as long as it; `crop`, as shorter, and the middle cut out
    encoded    the bytes of pictures' files are stored, or pixels; None: the files' bytes where nothing is resized
    gray       one channel (True) or three; None: one where all pictures have one
    upright    pictures are turned as the mark of their camera says; else they are as they are stored
    val, test  shares of what the source puts in no part
    compare    pictures that are nearly the same are not divided
    seed       of the division and the order
    shuffle    the records of train stand in an order by `seed`, not in the source's
    max_bad    items that may be left out because they cannot be read
    overwrite  databases that are there may be replaced
    workers    threads that read and decode; None: one for each core
    """

    format: Format = "lmdb"
    size: tuple[int, int] | None = None
    resize: Resize = "warp"
    encoded: bool | None = None
    gray: bool | None = None
    upright: bool = False
    val: float = 0.0
    test: float = 0.0
    compare: bool = True
    seed: int = 1701
    shuffle: bool = True
    max_bad: int = 0
    overwrite: bool = False
    workers: int | None = None

    @property
    def as_files(self) -> bool:
        """Whether the bytes of pictures' files are stored."""
        if self.format == "hdf5":
            return False
        return self.encoded if self.encoded is not None else self.size is None

    def problem(self) -> str | None:
        """Why these settings are none, in a sentence; else None."""
        if not (0 <= self.val < 1 and 0 <= self.test < 1 and self.val + self.test < 1):
            return f"--val {self.val:g} and --test {self.test:g} must be at least 0, and less than 1 together"
        if self.format == "hdf5" and self.encoded:
            return "HDF5 holds pixels, and no files: --encoded is for LMDB"
        return None
