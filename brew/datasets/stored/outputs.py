"""Where copies of entries go: databases, HDF5 files, folders of pictures; all of a command whole, or none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from brew.data import labels
from brew.data.databases.leveldb_writer import write_leveldb
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.databases.new import check_target
from brew.data.hdf5.tables import TableWriter
from brew.data.hdf5.writer import BATCH_KIND
from brew.errors import DataError, ResourceError, UsageError
from brew.files import overwriting
from brew.files.atomic import folder_beside, reason

from .choosing import Progress
from .converting import as_row, as_value
from .entry import Entry
from .opening import Stored
from .picture_folder import write_pictures

Format: TypeAlias = Literal["lmdb", "leveldb", "hdf5", "images"]
FORMATS: tuple[Format, ...] = ("lmdb", "leveldb", "hdf5", "images")

_BY_ENDING: dict[str, Format] = {"lmdb": "lmdb", "leveldb": "leveldb", ".h5": "hdf5", ".hdf5": "hdf5"}
_OF_KIND: dict[str, Format] = {"LMDB": "lmdb", "LEVELDB": "leveldb", "HDF5": "hdf5"}
_STEP = 500  # entries between two calls of the progress
_REPLACE = "--overwrite replaces it (overwrite=True from Python)"


@dataclass(frozen=True, slots=True)
class Output:
    """A copy to be: its place, how many entries it gets, and a function that begins them."""

    out: Path
    count: int
    entries: Callable[[], Iterable[Entry]]


def format_of(out: Path, said: str | None, source: Stored | None = None) -> Format:
    """What is written to `out`: what is `said`, what its name says, or what `source` is. UsageError."""
    if said is not None:
        return next(known for known in FORMATS if known == said.lower())
    for ending, known in _BY_ENDING.items():
        if out.name.lower().endswith(ending):
            return known
    if source is not None and source.kind in _OF_KIND:
        return _OF_KIND[source.kind]
    raise UsageError(f"{out} does not tell what is to be written", hint=f"--to says it: {', '.join(FORMATS)}")


def place_in(folder: Path, part: str, format: Format) -> Path:
    """Where a part of a data set goes: train_lmdb, train.h5."""
    return folder / (f"{part}.h5" if format == "hdf5" else part if format == "images" else f"{part}_{format}")


def sibling(out: Path, name: str) -> Path:
    """The place of other values of the records at `out`: train_masks_lmdb beside train_lmdb."""
    stem, bar, ending = out.name.rpartition("_")
    return out.with_name(f"{stem}_{name}_{ending}" if bar else f"{out.name}_{name}")


def write_all(
    outputs: Sequence[Output], format: Format, names: Sequence[str], *, overwrite: bool, progress: Progress
) -> list[Path]:
    """Write all outputs; they appear when the last one is complete. Returns what there is now, lists for HDF5 too.

    DataError for what is in the way or cannot be converted, ResourceError where there is no room.
    """
    for output in outputs:
        _check(output.out, format, names, overwrite)
    with ExitStack() as stack:
        staged = [(output, _beside(output.out, stack)) for output in outputs]
        for output, temporary in staged:
            with _errors_of(output.out):
                _write(temporary / "whole", output, format, names, progress)
        for output, temporary in staged:
            with _errors_of(output.out):
                _check(output.out, format, names, overwrite)  # once more: writing took its time
                if output.out.is_dir():
                    output.out.replace(temporary / "before")
                (temporary / "whole").replace(output.out)
    return [path for output in outputs for path in (output.out, *_files_beside(output.out, format, names))]


@contextmanager
def _errors_of(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError(f"{out} cannot be written: {reason(error)}") from error


def _beside(out: Path, stack: ExitStack) -> Path:
    """A folder beside `out` that is gone when the stack ends."""
    with _errors_of(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(folder_beside(out))


def _check(out: Path, format: Format, names: Sequence[str], overwrite: bool) -> None:
    """DataError or ResourceError where something is in the way."""
    if not out.name:
        raise UsageError(f'"{out}" is no name for what is to be written')
    if format in ("lmdb", "leveldb"):
        check_target(out, overwrite=overwrite)
    elif format == "hdf5":
        if out.is_dir():
            raise DataError(f"{out} is a folder; an HDF5 file is to be written there")
        overwriting.check(out, BATCH_KIND, overwrite=overwrite)
        if out.exists() and not overwrite:
            raise DataError(f"{out} is already there", hint=_REPLACE)
        for path, text in _beside_texts(out, names).items():
            if path.exists() and path.read_bytes() != text.encode("utf-8", "backslashreplace"):
                raise DataError(
                    f"{path} is there, and belongs to other data: {out.name} would need another one",
                    hint="choose another folder",
                )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is already there", hint="choose another folder")


def _write(place: Path, output: Output, format: Format, names: Sequence[str], progress: Progress) -> None:
    entries = _counted(output, progress)
    if format == "lmdb":
        write_lmdb(place, ((entry.key, as_value(entry)) for entry in entries))
    elif format == "leveldb":
        write_leveldb(place, ((entry.key, as_value(entry)) for entry in entries))
    elif format == "images":
        write_pictures(place, entries, names)
    else:
        with closing(TableWriter(place, output.count)) as table:
            for entry in entries:
                table.put(as_row(entry), entry.name)
            table.finish()
    if names and place.is_dir():
        (place / labels.FILE).write_text(labels.as_text(names), "utf-8", errors="backslashreplace")


def _counted(output: Output, progress: Progress) -> Iterator[Entry]:
    for number, entry in enumerate(output.entries()):
        if number % _STEP == 0:
            progress(str(output.out), number, output.count)
        yield entry
    progress(str(output.out), output.count, output.count)


def _beside_texts(out: Path, names: Sequence[str]) -> Mapping[Path, str]:
    """What stands beside an HDF5 file: the list that HDF5Data reads, and the names of the classes."""
    texts = {out.with_name(f"{out.stem}_list.txt"): f"{out.name}\n"}
    return {**texts, out.with_name(labels.FILE): labels.as_text(names)} if names else texts


def _files_beside(out: Path, format: Format, names: Sequence[str]) -> Iterator[Path]:
    for path, text in _beside_texts(out, names).items() if format == "hdf5" else ():
        with _errors_of(path):
            path.write_text(text, "utf-8", errors="backslashreplace")
        yield path
