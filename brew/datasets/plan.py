"""What an import is going to do: its source as it is now, the form of its pictures, its parts, the room it needs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from brew.data.images.decoding import BadImage, decode_image
from brew.errors import DataError, ResourceError
from brew.units import mib
from brew.version import __version__

from .likeness import SIZE, pairs, signature
from .pictures import Form
from .reading import in_order
from .records import is_pixels
from .settings import ImportSettings
from .sources.items import Item, Source

Progress: TypeAlias = Callable[[str, int, int | None], None]

_LOOKED_AT = 64  # pictures, to guess the form
_BESIDE = 256  # bytes that a record takes beside its data, generously
_SPARE = 16 << 20  # bytes that stay free
_LARGE = 2000  # bytes of a record that takes whole pages
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Sample:
    """What a few of the items hold: bytes of a record as files and as pixels, and whether a picture has colours."""

    coloured: bool
    pictures: int
    pixels: float  # mean bytes

    @classmethod
    def of(cls, source: Source) -> Sample:
        """Of items spread over the source; those that cannot be read are passed over."""
        count = len(source.items)
        numbers = sorted({i * (count - 1) // max(1, _LOOKED_AT - 1) for i in range(min(count, _LOOKED_AT))})
        coloured, sizes = False, []
        source.expect([source.items[number] for number in numbers])
        for number in numbers:
            try:
                data = source.read(source.items[number]).data
                pixels = decode_image(data) if isinstance(data, bytes) else data
            except (DataError, BadImage, OSError):
                continue
            sizes.append(pixels.nbytes)
            coloured |= isinstance(data, bytes) and len(pixels) > 1
        return cls(coloured, len(sizes), float(np.mean(sizes)) if sizes else 0.0)


def form_of(settings: ImportSettings, sample: Sample) -> Form:
    """The form of all pictures: as settings say, else gray where every picture looked at is."""
    if settings.gray is not None:
        return Form(settings, settings.gray, guessed=False)
    gray = not sample.coloured and sample.pictures > 0
    return Form(settings, gray, guessed=gray)


def stamps_of(source: Source) -> list[str]:
    """A stamp for every item, "" where it is not there: reading it tells."""
    known: dict[str, str] = {}  # one string for all items of one file

    def stamp(item: Item) -> str:
        try:
            text = source.stamp(item)
        except OSError:
            return ""
        return known.setdefault(text, text)

    return [stamp(item) for item in source.items]


def fingerprints(source: Source, settings: ImportSettings, options: Any, stamps: Sequence[str]) -> tuple[str, str]:
    """Of what is wanted, and of what is there: an import goes on only where both are as they were."""
    wanted = {k: v for k, v in asdict(settings).items() if k not in ("max_bad", "overwrite", "workers")}
    head = json.dumps([__version__, str(source.path.resolve()), source.kind, wanted, options], default=str)
    there = hashlib.sha256(repr((source.labels, source.target_names)).encode("utf-8", "surrogatepass"))
    for item, stamp in zip(source.items, stamps, strict=True):
        there.update(repr((item, stamp)).encode("utf-8", "surrogatepass"))
    return hashlib.sha256(head.encode()).hexdigest(), there.hexdigest()


def alike(
    source: Source, numbers: Sequence[int], file: Path, workers: int, progress: Progress
) -> list[tuple[int, int]]:
    """Pairs of the items `numbers` that are nearly the same pictures. Signatures are kept in `file`; OSError.

    Of a picture that cannot be read, and of what is no picture, the signature is of noise.
    """

    def sign(number: int) -> bytes:
        item = source.items[number]
        try:
            data = source.read(item).data
            pixels = decode_image(data) if isinstance(data, bytes) else data
        except (DataError, BadImage, OSError, MemoryError):
            return _noise(item.name.encode("utf-8", "surrogatepass"))
        return signature(pixels).tobytes() if is_pixels(pixels) else _noise(pixels.tobytes())

    done = file.stat().st_size // SIZE if file.exists() else 0
    source.expect([source.items[number] for number in numbers[done:]])
    with file.open("ab") as out:
        out.truncate(done * SIZE)
        for row in in_order(sign, numbers[done:], workers=workers, piece=32):
            out.write(row)
            done += 1
            progress("comparing", done, len(numbers))
    signatures = np.memmap(file, np.uint8, "r", shape=(len(numbers), SIZE))
    return [(numbers[one], numbers[other]) for one, other in pairs(signatures)]


def _noise(content: bytes) -> bytes:
    """A signature that only the same content has."""
    return hashlib.shake_128(content).digest(SIZE)


def check_room(folder: Path, source: Source, settings: ImportSettings, sample: Sample, left: int) -> None:
    """ResourceError where `folder` has not got the room that the `left` items are predicted to need."""
    needed = predicted(source, settings, sample, left)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # where the system does not tell, writing shows it
    if needed + _SPARE > free:
        raise ResourceError(
            f"{folder} has {mib(free)} free; about {mib(needed)} are needed for {left} records",
            hint="free some space, or import less: --size makes pictures smaller, and files take less than pixels",
        )


def predicted(source: Source, settings: ImportSettings, sample: Sample, left: int) -> int:
    """The bytes on disk that `left` of the items are going to need."""
    if settings.as_files:
        sizes = [size for item in source.items[:: max(1, len(source.items) // 10_000)] if (size := _size(source, item))]
        record = float(np.mean(sizes)) if sizes else sample.pixels
    elif settings.size is not None:
        record = settings.size[0] * settings.size[1] * (1.0 if settings.gray else 3.0)
    else:
        record = sample.pixels
    record += _BESIDE if record < _LARGE else _PAGE / 2 + _BESIDE
    return int(record * left * (2 if settings.format == "hdf5" else 1))


def _size(source: Source, item: Item) -> int | None:
    try:
        return source.size(item)
    except OSError:
        return None
