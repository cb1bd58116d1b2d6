"""Entries of one kind as those of another: rows as Datums, Datums as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from brew.datasets.records import datum
from brew.errors import DataError

from .entry import DATA, LABEL, Entry, look

_ONLY_HDF5 = "only HDF5 holds more axes than three"


def as_value(entry: Entry) -> bytes:
    """The bytes that a database holds: those there are, or a Datum of the row's main dataset. DataError."""
    if entry.value is not None:
        return entry.value
    seen = look(entry)
    try:
        made = datum(seen.values)
    except DataError as error:
        raise DataError(f"row {entry.name}: {error.message}", hint=_ONLY_HDF5) from None
    if seen.label is not None:
        made.label = seen.label
    return made.SerializeToString()


def beside(entry: Entry) -> dict[str, bytes]:
    """What stands in databases of their own: other datasets of a row, and labels that are several or no integers."""
    if entry.value is not None:
        return {}
    try:
        return {name: datum(values).SerializeToString() for name, values in look(entry).more.items()}
    except DataError as error:
        raise DataError(f"row {entry.name}: {error.message}", hint=_ONLY_HDF5) from None


def as_row(entry: Entry) -> dict[str, npt.NDArray[Any]]:
    """The row that HDF5 holds: the values, and the label where there is one. DataError for boxes."""
    if entry.value is None:
        return dict(entry.row)
    if entry.annotated:
        raise DataError(f"record {entry.name!r} has boxes, which are no rows of one shape: HDF5 does not hold them")
    seen = look(entry)
    row: dict[str, npt.NDArray[Any]] = {DATA: seen.values}
    if seen.label is not None:
        row[LABEL] = np.array(seen.label, np.int32)
    return row
