"""Snapshots: `<prefix>_iter_<N>.caffemodel` and `.solverstate` (with .h5 for HDF5), whole or not at all, and back.

The solver state is put in place last: it is the record that the pair is complete, and holds the SHA-256 of the
weights (docs/decisions/0004).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from brew.errors import WeightsError
from brew.files.atomic import check_space, old_name, put_back, replacing_all
from brew.files.overwriting import Kind, check, is_of
from brew.files.weights import caffemodel, hdf5, reading
from brew.files.weights.stored import StoredState
from brew.net import weights
from brew.net.net import Net
from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.solver.update.average import WeightAverage

log = logging.getLogger("brew")


def _is_state(path: Path) -> bool:
    return hdf5.holds_state(path) if hdf5.is_hdf5(path) else caffemodel.begins_as_state(path)


STATE = Kind("a solver state", _is_state)


@dataclass(frozen=True, slots=True)
class SnapshotPaths:
    """The files of one snapshot: weights and state always, the weights' moving average where there is one."""

    weights: Path
    state: Path

    @property
    def average(self) -> Path:
        return self.weights.with_name(self.weights.name.replace(".caffemodel", "_average.caffemodel"))


def paths(prefix: str, iteration: int, snapshot_format: int) -> SnapshotPaths:
    """Caffe's names for the snapshot at `iteration`."""
    ending = ".h5" if snapshot_format == SolverParameter.HDF5 else ""
    stem = f"{prefix}_iter_{iteration}"
    return SnapshotPaths(Path(f"{stem}.caffemodel{ending}"), Path(f"{stem}.solverstate{ending}"))


def of_state(state: Path) -> SnapshotPaths:
    """The snapshot that a state is part of, by Caffe's names."""
    return SnapshotPaths(state.with_name(state.name.replace(".solverstate", ".caffemodel")), state)


def check_names(param: SolverParameter) -> None:
    """ResourceError where a file of another kind has a name that one of the training's snapshots would take."""
    first = Path(f"{param.snapshot_prefix}_")
    taken = re.compile(re.escape(first.name) + r"(iter_\d+|best)(_average)?\.(?P<kind>caffemodel|solverstate)(\.h5)?")
    for path in first.parent.iterdir() if first.parent.is_dir() else ():
        if match := taken.fullmatch(path.name):
            check(path, STATE if match["kind"] == "solverstate" else reading.WEIGHTS_KIND)


def write(
    net: Net,
    param: SolverParameter,
    iteration: int,
    history: Sequence[npt.NDArray[Any]],
    current_step: int,
    resume: ResumeState,
    average: WeightAverage | None = None,
) -> SnapshotPaths:
    """Write all files; ResourceError when that fails: the files of before are untouched then.

    Files of the same names are replaced together: at every instant all old or all new ones are there.
    """
    files = paths(param.snapshot_prefix, iteration, param.snapshot_format)
    check_space(files.state.parent, _size(net, history, resume, param.snapshot_diff, average))
    repair(files)
    kind = "HDF5" if param.snapshot_format == SolverParameter.HDF5 else "binary proto"
    wanted = [files.weights, files.state] if average is None else [files.weights, files.average, files.state]
    with replacing_all([*((path, reading.WEIGHTS_KIND) for path in wanted[:-1]), (files.state, STATE)]) as [
        new_weights,
        *between,
        new_state,
    ]:
        log.info("Snapshotting to %s file %s", kind, files.weights, extra={"glog": "solver.cpp:464"})
        ending = files.weights.suffix
        resume.weights_sha256 = weights.write(
            net.parameters, new_weights, ending, net.name, net.phase, diff=param.snapshot_diff, digest=True
        )
        if average is not None:
            resume.average = str(files.average)
            with average.averaged():
                resume.average_sha256 = weights.write(
                    net.parameters, between[0], ending, net.name, net.phase, digest=True
                )
        log.info("Snapshotting solver state to %s file %s", kind, files.state, extra={"glog": "sgd_solver.cpp:284"})
        if ending == ".h5":
            hdf5.write_solver_state(new_state, iteration, str(files.weights), history, current_step, resume)
        else:
            with new_state.open("wb") as stream:
                caffemodel.write_solver_state(stream, iteration, str(files.weights), history, current_step, resume)
    return files


def _size(
    net: Net, history: Sequence[npt.NDArray[Any]], resume: ResumeState, diff: bool, average: WeightAverage | None
) -> int:
    """An estimate of the bytes of the files; shared parameters are stored with each of their layers."""
    values = sum(net.parameters.slots[p].count for node in net.graph.nodes for p in node.params) * net.dtype.itemsize
    copies = 1 + diff + (average is not None)
    return values * copies + sum(h.nbytes for h in history) + resume.ByteSize()


def repair(files: SnapshotPaths) -> None:
    """Finish or undo the renames that a crash cut short: afterwards the weights are those that the state names."""
    for path, record in ((files.weights, "weights_sha256"), (files.average, "average_sha256")):
        old = old_name(path)
        if not old.exists() or not is_of(old, reading.WEIGHTS_KIND):
            continue
        try:
            complete = _digest(read_state(files.state), record) == _sha256(path)
        except WeightsError:
            complete = False  # no state, or no file: the new ones are not complete
        if complete:
            old.unlink()
        else:
            put_back(path)


def read_state(path: str | Path) -> StoredState:
    """A .solverstate or .solverstate.h5; WeightsError when it is something else."""
    if hdf5.is_hdf5(path):
        return hdf5.read_solver_state(path)
    return caffemodel.read_solver_state(path)


def weights_of(state: StoredState, path: str | Path) -> Path | None:
    """The weights file of a state: the path that it names, else beside it; None where it names none.

    Where a crash came between the renames of a pair that replaces another, they are found under their old name.
    WeightsError when they are gone, or not those that were written with the state.
    """
    return _belonging(state.learned_net.rstrip("\0"), _digest(state, "weights_sha256"), path)


def average_of(state: StoredState, path: str | Path) -> Path | None:
    """The file of averaged weights that belongs to a state, as `weights_of`; None where there is none."""
    return _belonging(state.resume.average if state.resume else "", _digest(state, "average_sha256"), path)


def _belonging(name: str, digest: str, state: str | Path) -> Path | None:
    if not name:
        return None
    written = Path(name)
    beside = Path(state).parent / written.name
    places = [place for path in dict.fromkeys((written, beside)) for place in (path, old_name(path)) if place.is_file()]
    if not places:
        raise WeightsError(f"{state}: its weights {written} are gone, and there is no {beside}")
    if digest:
        found = next((place for place in places if _sha256(place) == digest), None)
    else:  # Caffe's: weights under their second name were replaced for a pair that is not complete
        found = next((place for place in places if old_name(places[0]) == place), places[0])
    if found is None:
        raise WeightsError(
            f"{places[0]} is not the file that was written with {state}",
            hint="the pair of one snapshot belongs together; --weights starts from weights alone",
        )
    if found != written:
        log.info("weights are taken from %s, beside the solver state", found)
    return found


def _digest(state: StoredState, record: str) -> str:
    """The SHA-256 of a file of the state; "" where the state has none."""
    return str(getattr(state.resume, record)) if state.resume is not None else ""


def _sha256(path: Path) -> str:
    try:
        return caffemodel.sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
