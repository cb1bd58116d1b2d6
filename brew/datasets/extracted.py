"""Values of blobs as files: records of floats in a database, as Caffe's extract_features writes them, or HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from brew.data.databases.new import NewDatabase, check_target, new_database
from brew.data.hdf5.tables import TableWriter
from brew.data.hdf5.writer import BATCH_KIND
from brew.errors import DataError, ResourceError
from brew.files.atomic import reason, replacing
from brew.files.overwriting import check
from brew.layer import shape_text
from brew.proto.brew_pb2 import Datum


class Extracted(Protocol):
    """What is written of one blob."""

    count: int  # records

    def put(self, values: npt.NDArray[np.float32], batches: int) -> None:
        """Append a record for each item of a batch, (n, ...), one of `batches` in all. DataError, ResourceError."""


def check_out(out: Path, kind: str, *, overwrite: bool = False) -> None:
    """DataError or ResourceError where `extracted` could not write `out`: asked before the work is done."""
    if kind != "hdf5":
        check_target(out, overwrite=overwrite)
        return
    check(out, BATCH_KIND, overwrite=overwrite)
    if not out.parent.is_dir():
        raise ResourceError(f"cannot write {out}: there is no folder {out.parent}")


@contextmanager
def extracted(out: Path, kind: str, blob: str, *, overwrite: bool = False) -> Iterator[Extracted]:
    """A new place for the values of `blob`: `kind` is lmdb, leveldb or hdf5. It appears when the block ends well.

    The dataset of an HDF5 file has the blob's name, "_" for "/" in it. Raises DataError, ResourceError.
    """
    if kind != "hdf5":
        with new_database(out, kind.upper(), overwrite=overwrite) as database:
            yield _Records(database, blob)
        return
    with replacing(out, BATCH_KIND, overwrite=overwrite) as temporary:
        rows = _Rows(temporary, out, blob.replace("/", "_"))
        with closing(rows):
            yield rows


class _Records:
    """Datums of floats by 10-digit keys; their shape is that of an item, axes that it lacks are 1."""

    def __init__(self, database: NewDatabase, blob: str) -> None:
        self._database, self._blob = database, blob
        self.count = 0

    def put(self, values: npt.NDArray[np.float32], batches: int) -> None:
        if values.ndim > 4:
            raise DataError(
                f'the blob "{self._blob}" is {shape_text(values.shape)}; a record has three axes',
                hint="hdf5 in place of a database takes all",
            )
        channels, height, width = (*values.shape[1:], 1, 1, 1)[:3]
        for item in values.reshape(len(values) if values.ndim else 1, -1):
            datum = Datum(channels=channels, height=height, width=width)
            datum.float_data.extend(item.tolist())
            self._database.put(b"%010d" % self.count, datum.SerializeToString())
            self.count += 1


class _Rows:
    """Rows of one dataset. Its length is known once there is a batch."""

    def __init__(self, path: Path, out: Path, name: str) -> None:
        self._path, self._out, self._name = path, out, name
        self._table: TableWriter | None = None
        self._room = self.count = 0

    def put(self, values: npt.NDArray[np.float32], batches: int) -> None:
        rows: npt.NDArray[Any] = values if values.ndim else values.reshape(1)
        try:
            if self._table is None:
                self._room = len(rows) * batches
                self._table = TableWriter(self._path, self._room)
            if self.count + len(rows) > self._room:
                raise DataError(f"the batches are of several sizes: {self._room} rows were expected in all")
            for row in rows:
                self._table.put({self._name: np.array(row)}, f"record {self.count}")
                self.count += 1
            if self.count == self._room:
                self._table.finish()
        except OSError as error:
            raise ResourceError(f"cannot write {self._out}: {reason(error)}") from error

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
