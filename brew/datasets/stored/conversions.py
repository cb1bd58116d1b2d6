"""A whole source in another format, with what stands beside it: databases become datasets of a file, and back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from brew.errors import DataError

from .converting import as_row, beside
from .dividing import outputs_of
from .entry import Entry, look
from .opening import Stored, open_stored, paired
from .outputs import Format, Output, sibling


def conversions(stored: Stored, out: Path, format: Format) -> list[Output]:
    """What is written of `stored`, and where."""
    if format == "images":
        return outputs_of(stored, out, None, beside=False)
    if format == "hdf5":
        return [Output(out, stored.length, partial(_joined, stored))]
    if stored.kind != "HDF5":
        return outputs_of(stored, out, None)
    found = [Output(out, stored.length, stored.scan)]
    for name in beside(next(islice(stored.scan(), 1))):
        found.append(Output(sibling(out, name), stored.length, partial(_apart, stored, name)))
    return found


def _apart(stored: Stored, name: str) -> Iterator[Entry]:
    """One of the other datasets of the rows, as records under the same keys."""
    for entry in stored.scan():
        yield Entry(entry.key, beside(entry)[name])


def _joined(stored: Stored) -> Iterator[Entry]:
    """Records as rows, with the values of the databases beside theirs under the names of these."""
    others = {name: open_stored(path) for name, path in paired(stored.path).items()}
    try:
        for entry in stored.scan():
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
