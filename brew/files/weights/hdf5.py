"""HDF5 files of weights and solver states, in Caffe's layout; links and storage outside the file are refused.

Weights: /data/<layer>/<index>, and /diff/... when gradients are stored. State: /iter, /learned_net, /current_step,
/history/<index>; Brew's own record of the run in /brew_resume, which Caffe ignores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from brew.errors import BrewError, WeightsError
from brew.files import regular
from brew.proto.brew_pb2 import ResumeState

from .recognising import recognise
from .stored import LayerBlobs, StoredBlob, StoredState, Values, mapped

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_DECLARED = 4 << 30  # bytes; larger datasets must not be mostly holes


def is_hdf5(path: str | Path) -> bool:
    """Whether the file begins as HDF5 does."""
    try:
        return regular.head(path, len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def holds_state(path: str | Path) -> bool:
    """Whether the HDF5 file at `path` is a solver state rather than weights."""
    with _opened(path) as file:
        return "iter" in file and "history" in file


def holds_weights(path: str | Path) -> bool:
    """Whether the HDF5 file at `path` is one of weights: a group /data, and no dataset right in it."""
    import h5py

    with _opened(path) as file:
        if file.get("data", getclass=True) is not h5py.Group:
            return False
        return not any(file["data"].get(name, getclass=True) is h5py.Dataset for name in file["data"])


def read_weights(path: str | Path) -> list[LayerBlobs]:
    """The layers of an HDF5 weights file, by name. WeightsError names the object that cannot be used.

    Contiguous values, as Caffe and Brew write them, are views of the mapped file; chunked or compressed ones are read
    whole.
    """
    buffer = mapped(path, "weights (HDF5)")
    with _opened(path) as file:
        if "data" not in file or not hasattr(file["data"], "keys"):
            raise _other(path, 'no group "/data"; this HDF5 file holds no Caffe weights', "weights")
        found: dict[str, dict[int, StoredBlob]] = {}
        for name, dataset in _datasets(path, file["data"]):
            layer, _, index = name.rpartition("/")
            if not layer or not index.isdecimal():
                raise WeightsError(f"{path}: dataset /data/{name} is not named /data/<layer>/<index>")
            found.setdefault(layer, {})[int(index)] = _stored(path, dataset, buffer)
        return [
            LayerBlobs(layer, "", [blobs[i] for i in sorted(blobs)], sorted(blobs)) for layer, blobs in found.items()
        ]


def write_weights(path: Path, layers: Values, diffs: Values | None, net: str) -> None:
    """Write (layer, [(index, values)]) in Caffe's layout, readable by HDF5 1.8; `diffs` likewise to /diff.

    The name of the net, `net`, has no place in it.

    WeightsError for names that cannot be paths in HDF5 or could not be told from another layer's blobs.
    """
    _check_names(layers)
    with created(path) as file:
        for group, items in (("data", layers), ("diff", diffs)):
            if items is None:
                continue
            file.create_group(group)
            for layer, blobs in items:
                file.require_group(f"{group}/{layer}")
                for index, values in blobs:
                    file.create_dataset(f"{group}/{layer}/{index}", data=values)


def _check_names(layers: Values) -> None:
    datasets = {f"{layer}/{index}" for layer, blobs in layers for index, _ in blobs}
    for layer, _ in layers:
        parts = layer.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
        if "\0" in layer or not {"", "."}.isdisjoint(parts) or not datasets.isdisjoint(above):
            raise WeightsError(
                f'HDF5 cannot hold a layer named "{layer}" as Caffe lays it out',
                hint="the binary format takes any name",
            )


def read_solver_state(path: str | Path) -> StoredState:
    """An HDF5 solver state, Caffe's or ours; its history like the values of `read_weights`."""
    buffer = mapped(path, "a solver state (HDF5)")
    with _opened(path) as file:
        for needed in ("iter", "history"):
            if needed not in file:
                raise _other(path, f'no "/{needed}"; this HDF5 file is not a solver state', "a solver state")
        history = {int(name): dataset for name, dataset in _datasets(path, file["history"])}
        blobs = [_stored(path, history[i], buffer) for i in sorted(history)]
        resume = ResumeState.FromString(file["brew_resume"][()].tobytes()) if "brew_resume" in file else None
        learned = file["learned_net"][()] if "learned_net" in file else b""
        current = int(np.ravel(file["current_step"][()])[0]) if "current_step" in file else 0
        iteration = int(np.ravel(file["iter"][()])[0])
        return StoredState(
            iteration, learned.decode() if isinstance(learned, bytes) else str(learned), blobs, current, resume
        )


def write_solver_state(
    path: Path, iteration: int, learned_net: str, history: Sequence[npt.NDArray[Any]], step: int, resume: ResumeState
) -> None:
    """Write a solver state in Caffe's layout, with our record beside it."""
    with created(path) as file:
        file.create_dataset("iter", data=np.array([iteration], np.int32))
        file.create_dataset("learned_net", data=np.bytes_(learned_net.encode() + b"\0"))
        file.create_dataset("current_step", data=np.array([step], np.int32))
        file.create_dataset("brew_resume", data=np.frombuffer(resume.SerializeToString(), np.uint8))
        file.create_group("history")
        for index, values in enumerate(history):
            file.create_dataset(f"history/{index}", data=values)


def _other(path: str | Path, missing: str, wanted: str) -> WeightsError:
    """The error for an HDF5 file of another kind than `wanted`; of an unknown kind, it says what is missing."""
    known = recognise(path)
    if known is None or known.use is None:
        return WeightsError(f"{path}: {missing}")
    return WeightsError(f"{path}: this is {known.noun}, not {wanted}", hint=known.use)


@contextmanager
def created(path: Path) -> Iterator[Any]:
    """A new HDF5 file, readable by HDF5 1.8, to fill and close; OSError when it cannot be written whole."""
    import h5py

    with path.open("wb+") as stream:
        spared = _Spared(stream)
        with h5py.File(spared, "w", libver="earliest") as file:
            yield file
        if spared.error is not None:
            raise spared.error


class _Spared:
    """A file that never fails, but remembers the first error: after one, HDF5 1.14 crashes when a file is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, piece: bytes | memoryview) -> int:
        self._attempt(self._stream.write, piece)
        return len(piece)

    def read(self, size: int = -1) -> bytes:
        """Only by having this is a file known to h5py; it calls `readinto`."""
        return self._stream.read(size)

    def readinto(self, buffer: memoryview) -> int:
        return self._attempt(self._stream.readinto, buffer)  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._attempt(self._stream.seek, offset, whence)

    def tell(self) -> int:
        return self._attempt(self._stream.tell)

    def truncate(self, size: int) -> int:
        return self._attempt(self._stream.truncate, size)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, call: Callable[..., int | None], *arguments: Any) -> int:
        if self.error is None:
            try:
                return call(*arguments) or 0
            except OSError as error:
                self.error = error
        return 0


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    import h5py

    try:
        regular.check(path)
        file = h5py.File(path, "r")
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read as HDF5 ({error})") from error
    with file:
        try:
            yield file
        except BrewError:
            raise
        except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, DecodeError) as error:
            raise WeightsError(f"{path}: damaged HDF5 file ({error})") from error


def _datasets(
    path: str | Path, group: Any, prefix: str = "", entered: set[int] | None = None
) -> Iterator[tuple[str, Any]]:
    """Every dataset below `group`, by relative name; groups nest where a layer's name holds a slash.

    A group that can be `entered` twice is refused: forty of them linked in a chain have 2**40 paths.
    """
    import h5py

    entered = set() if entered is None else entered
    if not isinstance(group, h5py.Group):
        raise WeightsError(f"{path}: {getattr(group, 'name', '?')} is a dataset where a group belongs")
    for name in group:
        where = f"{group.name}/{name}"
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"{path}: {where} is a link ({type(link).__name__}); links are refused")
        item = group[name]
        if isinstance(item, h5py.Group):
            address = h5py.h5o.get_info(item.id).addr
            if address in entered:
                raise WeightsError(f"{path}: the group {where} is linked more than once; that is refused")
            entered.add(address)
            yield from _datasets(path, item, f"{prefix}{name}/", entered)
            continue
        if item.external or item.is_virtual:
            raise WeightsError(f"{path}: {where} keeps its values outside of this file; that is refused")
        yield f"{prefix}{name}", item


def _stored(path: str | Path, dataset: Any, buffer: memoryview) -> StoredBlob:
    """The values of `dataset`, in the mapped file where they are there as NumPy would lay them out."""
    import h5py

    if dataset.dtype.kind != "f":
        raise WeightsError(f"{path}: {dataset.name} holds {dataset.dtype}, floating point numbers are expected")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > _MAX_DECLARED and dataset.nbytes > 1000 * max(stored, 1):
        raise WeightsError(f"{path}: {dataset.name} declares {dataset.nbytes} bytes but stores {stored}")
    offset = dataset.id.get_offset()  # None unless the values lie in one piece
    plain = h5py.h5t.py_create(dataset.dtype) == dataset.id.get_type() and dataset.dtype.itemsize <= 8
    if offset is None or not plain or offset + dataset.nbytes > len(buffer):
        values: npt.NDArray[Any] = np.ascontiguousarray(dataset[()]).reshape(-1)
    else:
        values = np.frombuffer(buffer, dataset.dtype, dataset.size, offset)
    return StoredBlob(tuple(dataset.shape), False, values)
