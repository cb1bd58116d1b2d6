"""Snapshots: `<prefix>_iter_<N>.caffemodel` and `.solverstate` (with .h5 for HDF5), whole or not at all, and back.

The solver state is written last: it is the record that the pair is complete, and holds the weights file's SHA-256.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from brew import hdf5_file, weights, wire
from brew.atomic import replacing
from brew.errors import WeightsError
from brew.net import Net
from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.wire import StoredState

log = logging.getLogger("brew")


@dataclass(frozen=True, slots=True)
class SnapshotPaths:
    weights: Path
    state: Path


def paths(prefix: str, iteration: int, snapshot_format: int) -> SnapshotPaths:
    """Caffe's names for the snapshot at `iteration`."""
    ending = ".h5" if snapshot_format == SolverParameter.HDF5 else ""
    stem = f"{prefix}_iter_{iteration}"
    return SnapshotPaths(Path(f"{stem}.caffemodel{ending}"), Path(f"{stem}.solverstate{ending}"))


def write(
    net: Net,
    param: SolverParameter,
    iteration: int,
    history: Sequence[npt.NDArray[Any]],
    current_step: int,
    resume: ResumeState,
) -> SnapshotPaths:
    """Write both files; ResourceError when that fails, with what was there before untouched."""
    files = paths(param.snapshot_prefix, iteration, param.snapshot_format)
    kind = "HDF5" if param.snapshot_format == SolverParameter.HDF5 else "binary proto"
    log.info("Snapshotting to %s file %s", kind, files.weights, extra={"glog": "solver.cpp:464"})
    weights.save(net, files.weights, diff=param.snapshot_diff)
    resume.weights_sha256 = _digest(files.weights)
    log.info("Snapshotting solver state to %s file %s", kind, files.state, extra={"glog": "sgd_solver.cpp:284"})
    with replacing(files.state) as temporary:
        if files.state.suffix == ".h5":
            hdf5_file.write_solver_state(temporary, iteration, str(files.weights), history, current_step, resume)
        else:
            with temporary.open("wb") as stream:
                wire.write_solver_state(stream, iteration, str(files.weights), history, current_step, resume)
    return files


def read_state(path: str | Path) -> StoredState:
    """A .solverstate or .solverstate.h5; WeightsError when it is something else."""
    if Path(path).name.endswith((".caffemodel", ".caffemodel.h5")):
        raise WeightsError(
            f"{path}: weights, not a solver state",
            hint="--snapshot takes the .solverstate beside it; to start a new training from weights use --weights",
        )
    if hdf5_file.is_hdf5(path):
        return hdf5_file.read_solver_state(path)
    return wire.read_solver_state(path)


def weights_of(state: StoredState, path: str | Path) -> Path | None:
    """The weights file a state names: as written, else beside the state; None when it names none."""
    if not state.learned_net:
        return None
    written = Path(state.learned_net.rstrip("\0"))
    beside = Path(path).parent / written.name
    found = next((p for p in (written, beside) if p.is_file()), None)
    if found is None:
        raise WeightsError(f"{path}: its weights {written} are gone, and there is no {beside}")
    if found is beside and beside != written:
        log.info("weights are taken from %s, beside the solver state", beside)
    if state.resume is not None and state.resume.weights_sha256 and _digest(found) != state.resume.weights_sha256:
        raise WeightsError(
            f"{found} is not the file that was written with {path}",
            hint="the pair of one snapshot belongs together; --weights starts from weights alone",
        )
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
