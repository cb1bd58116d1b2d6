"""Copies of entries, all or some, with what stands beside them: databases become datasets of a file, and back."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import compress, islice
from pathlib import Path

import numpy as np

from brew.errors import DataError

from .converting import as_row, beside
from .dividing import Numbers
from .entry import Entry, look
from .opening import Stored, open_stored, paired
from .outputs import Format, Output, sibling

log = logging.getLogger("brew")


def outputs_of(
    stored: Stored, out: Path, format: Format, numbers: Numbers | None = None, relabel: dict[int, int] | None = None
) -> list[Output]:
    """The copy of the entries `numbers` (None: all), and those of other values of the same records.

    These are databases beside `stored`, or further datasets of its rows: each becomes a database beside `out`, or a
    dataset of the HDF5 file. What is left out (a folder of pictures holds no other values) gets a warning.
    """
    count = stored.length if numbers is None else len(numbers)
    entries = partial(_selected, stored, numbers, relabel or {})
    others = _databases_beside(stored)
    if format == "hdf5":
        return [Output(out, count, partial(_joined, stored, others, entries))]
    found = [Output(out, count, entries)]
    names = [*others, *_datasets_beside(stored)]
    if format == "images":
        for name in names:
            log.warning("%s of %s is left out: a folder of pictures holds no values beside them", name, stored.path)
        return found
    for name in names:
        copied = partial(_of_path, others[name], numbers) if name in others else partial(_apart, name, entries)
        found.append(Output(sibling(out, name), count, copied))
    return found


def names_beside(stored: Stored) -> Sequence[str]:
    """What other values of its records are called: masks, targets."""
    return [*paired(stored.path), *_datasets_beside(stored)]


def _databases_beside(stored: Stored) -> dict[str, Path]:
    """The databases beside a source that have the same records, by name; others get a warning."""
    found = {}
    for name, path in paired(stored.path).items():
        if _same_records(stored, path):
            found[name] = path
        else:
            log.warning("%s is left out: its records are not those of %s", path, stored.path)
    return found


def _datasets_beside(stored: Stored) -> list[str]:
    """The datasets of an HDF5 file that become databases of their own."""
    return [name for entry in islice(stored.scan(), 1) for name in beside(entry)] if stored.kind == "HDF5" else []


def _same_records(stored: Stored, path: Path) -> bool:
    """Whether the first and the last key are the same, and the number of records."""
    with open_stored(path) as other:
        if other.length != stored.length:
            return False
        ends = sorted({0, stored.length - 1})
        return [entry.key for entry in stored.pick(ends)] == [entry.key for entry in other.pick(ends)]


def _of_path(path: Path, numbers: Numbers | None) -> Iterator[Entry]:
    with open_stored(path) as stored:
        yield from _selected(stored, numbers, {})


def _selected(stored: Stored, numbers: Numbers | None, relabel: dict[int, int]) -> Iterator[Entry]:
    """The entries of these numbers in their order, read front to back."""
    entries: Iterator[Entry] = stored.scan()
    if numbers is not None:
        wanted = np.zeros(stored.length, np.bool_)
        wanted[numbers] = True
        entries = compress(entries, wanted.tolist())
    return (entry.relabelled(relabel) for entry in entries) if relabel else entries


def _apart(name: str, entries: partial[Iterator[Entry]]) -> Iterator[Entry]:
    """One of the other datasets of rows, as records under the same keys."""
    for entry in entries():
        yield Entry(entry.key, beside(entry)[name])


def _joined(stored: Stored, databases: dict[str, Path], entries: partial[Iterator[Entry]]) -> Iterator[Entry]:
    """Records as rows, with the values of the databases beside theirs under the names of these."""
    others = {name: open_stored(path) for name, path in databases.items()}
    try:
        for entry in entries():
            if not others:
                yield entry
                continue
            row = as_row(entry)
            for name, other in others.items():
                found = other.find(entry.key)
                if found is None:
                    raise DataError(f"{other.path} has no record {entry.name!r}, which {stored.path} has")
                row[name] = look(found).values
            yield Entry(entry.key, None, row)
    finally:
        for other in others.values():
            other.close()
