"""The settings of a solver's message: nets, their states, weights, seed."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from brew.data import bad_records
from brew.files import paths
from brew.graph import foreign
from brew.graph.definition import NetDefinition, define
from brew.layer.choices import Choices
from brew.layer.random import fresh_seed
from brew.net import engine, mode
from brew.proto.brew_pb2 import NetState, SolverParameter
from brew.prototxt import Document
from brew.prototxt.upgrade import upgrade_solver_type

from . import problems

log = logging.getLogger("brew")


@dataclass(frozen=True, slots=True)
class NetChoice:
    """One net of a solver: its definition, and the states that overlay its own."""

    definition: NetDefinition
    states: tuple[NetState, ...]


class Intervals(NamedTuple):
    """The intervals of displays, tests and snapshots in iterations, 0: never; and the passes of an iteration.

    Read once: reading a field of a message takes longer than a turn of the loop.
    """

    display: int
    test: int
    snapshot: int
    passes: int
    debug_info: bool

    @classmethod
    def of(cls, param: SolverParameter) -> Intervals:
        return cls(param.display, param.test_interval, param.snapshot, param.iter_size, param.debug_info)


class SolverConfig:
    """A SolverParameter with its document: the nets it names, and its checks.

    `max_bad_records`, where given, replaces that of every data layer.
    """

    def __init__(self, document: Document[SolverParameter], max_bad_records: int | None = None) -> None:
        self.document = document
        self.param = document.message
        self._max_bad_records = max_bad_records
        self._definitions: dict[tuple[str | int, ...], NetDefinition] = {}
        upgrade_solver_type(self.param, document.place("solver_type"))
        foreign.admit_solver(document)
        for problem in problems.problems(document):
            raise problem
        for remark in problems.remarks(document):
            log.warning("%s", remark)
        self.param.snapshot_prefix = snapshot_prefix(document)

    # --- nets -----------------------------------------------------------------------------------------------------

    def train_net(self) -> NetChoice:
        """The one train net."""
        field = next(f for f in problems.NET_FIELDS if self.param.HasField(f))
        return NetChoice(self._definition(field), (self.param.train_state,))

    def test_nets(self) -> list[NetChoice]:
        """The test nets: test_net_param, then test_net, then `net` for the remaining test_iter entries."""
        param = self.param
        own = [("test_net_param", i) for i in range(len(param.test_net_param))]
        own += [("test_net", i) for i in range(len(param.test_net))]
        shared = "net_param" if param.HasField("net_param") else "net" if param.HasField("net") else None
        definitions = [self._definition(*path) for path in own]
        if shared is not None:
            definitions += [self._definition(shared)] * (len(param.test_iter) - len(own))
        return [
            NetChoice(d, (param.test_state[i],) if i < len(param.test_state) else ()) for i, d in enumerate(definitions)
        ]

    def weights(self) -> list[Path]:
        """The files of `weights`, each of which may name several between commas."""
        return [
            paths.find(name.strip(), self.folder, what="solver: weights", place=self.document.place("weights", i))
            for i, names in enumerate(self.param.weights) for name in names.split(",")
        ]  # fmt: skip

    def _definition(self, field: str, index: int | None = None) -> NetDefinition:
        path = (field,) if index is None else (field, index)
        if path not in self._definitions:  # `net` serves training and tests, and is read and upgraded once
            value = getattr(self.param, field) if index is None else getattr(self.param, field)[index]
            if isinstance(value, str):
                value = paths.find(value, self.folder, what=f"solver: {field}", place=self.document.place(*path))
            self._definitions[path] = definition = define(value, self.document, path)
            if self._max_bad_records is not None:
                bad_records.set_most((source.param for source in definition.net.layers), self._max_bad_records)
        return self._definitions[path]

    @property
    def folder(self) -> Path:
        return Path(self.document.file).parent

    def choices(self) -> Choices:
        """How the train net decides where passes can go several ways: as `choose` says, else by timing, unless a seed
        asks for the same numbers every time."""
        measured = self.param.choose == SolverParameter.MEASURE
        if self.param.choose == SolverParameter.AS_SEEDED:
            measured = self.param.random_seed < 0 and mode.default_seed() is None
        return Choices(measured=measured, machine=engine.machine)

    def seed(self) -> int:
        """random_seed, else what set_random_seed said, else a fresh one."""
        if self.param.random_seed >= 0:
            return int(self.param.random_seed)
        default = mode.default_seed()
        return fresh_seed() if default is None else default


def snapshot_prefix(document: Document[SolverParameter]) -> str:
    """The beginning of the names of a solver's snapshots.

    Caffe's rule: where it is missing, the solver's path without its extension; a folder gets the solver's stem.
    """
    prefix, file = document.message.snapshot_prefix, Path(document.file)
    if not prefix:
        return str(file.with_suffix(""))
    with suppress(OSError):  # a name that no system takes: an error when it is written
        if Path(prefix).is_dir():
            return str(Path(prefix) / file.stem)
    return str(prefix)
