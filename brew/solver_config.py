"""What a solver's message says, checked before anything is built: nets, test nets, rates, snapshots (FIELD 3.4)."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brew import mode
from brew.data import paths
from brew.errors import SolverError, did_you_mean
from brew.learning_rate import POLICIES
from brew.net_source import NetDefinition, define
from brew.proto.brew_pb2 import NetState, SolverParameter
from brew.prototxt import Document
from brew.random import fresh_seed
from brew.update import rule_class, rule_names
from brew.upgrade import upgrade_solver_type

log = logging.getLogger("brew")

_NET_FIELDS = ("net", "net_param", "train_net", "train_net_param")
_NEEDS = {  # what a policy reads besides base_lr, and must therefore be given
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power",),
    "sigmoid": ("gamma", "stepsize"),
}
_NOT_BUILT = ("debug_info",)


@dataclass(frozen=True, slots=True)
class NetChoice:
    """One net of a solver: its definition, and the states that overlay its own."""

    definition: NetDefinition
    states: tuple[NetState, ...]


class SolverConfig:
    """A SolverParameter with its document: the nets it names, and its checks."""

    def __init__(self, document: Document[SolverParameter]) -> None:
        self.document = document
        self.param = document.message
        self._definitions: dict[tuple[str | int, ...], NetDefinition] = {}
        self._check_type()
        self._check_numbers()
        self._check_rate()
        self._default_prefix()

    def error(self, message: str, *path: str | int, hint: str | None = None) -> SolverError:
        """A SolverError placed at a field of the solver."""
        return SolverError(f"solver: {message}", place=self.document.place(*path), hint=hint)

    # --- nets -----------------------------------------------------------------------------------------------------

    def train_net(self) -> NetChoice:
        """The one train net."""
        given = [f for f in _NET_FIELDS if self.param.HasField(f)]
        if len(given) != 1:
            what = f"{' and '.join(given)} are given" if given else "no net is given"
            raise self.error(
                f"{what}; exactly one of {', '.join(_NET_FIELDS)} says what to train", *given[1:2],
                hint=None if given else 'add a line net: "train_val.prototxt"',
            )  # fmt: skip
        return NetChoice(self._definition(given[0]), (self.param.train_state,))

    def test_nets(self) -> list[NetChoice]:
        """The test nets: test_net_param, then test_net, then `net` for the remaining test_iter entries."""
        param = self.param
        own = [("test_net_param", i) for i in range(len(param.test_net_param))]
        own += [("test_net", i) for i in range(len(param.test_net))]
        shared = "net_param" if param.HasField("net_param") else "net" if param.HasField("net") else None
        wanted = len(param.test_iter)
        if wanted < len(own) or (wanted > len(own) and shared is None):
            raise self.error(
                f"test_iter is given {wanted} times for {len(own)} test nets", "test_iter",
                hint="one test_iter for each test net",
            )  # fmt: skip
        definitions = [self._definition(*path) for path in own]
        if shared is not None:
            definitions += [self._definition(shared)] * (wanted - len(own))
        if definitions and param.test_state and len(param.test_state) != len(definitions):
            raise self.error(
                f"test_state is given {len(param.test_state)} times for {len(definitions)} test nets", "test_state"
            )
        if definitions and param.test_interval <= 0:
            raise self.error("there is a test net, but no test_interval", "test_iter", hint="test_interval: 500, say")
        for i, count in enumerate(param.test_iter):
            if count <= 0:
                raise self.error(f"test_iter must be at least 1, not {count}", "test_iter", i)
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
            self._definitions[path] = define(value, self.document, path)
        return self._definitions[path]

    @property
    def folder(self) -> Path:
        return Path(self.document.file).parent

    def seed(self) -> int:
        """random_seed, else what set_random_seed said, else a fresh one."""
        if self.param.random_seed >= 0:
            return int(self.param.random_seed)
        default = mode.default_seed()
        return fresh_seed() if default is None else default

    # --- checks ---------------------------------------------------------------------------------------------------

    def _check_type(self) -> None:
        param = self.param
        upgrade_solver_type(param, self.document.place("solver_type"))
        if rule_class(param.type) is None:
            known = rule_names()
            near = did_you_mean(param.type, known)
            raise self.error(
                f'unknown type "{param.type}"', "type", hint=f"{near or ''} known types: {', '.join(known)}".strip()
            )
        rule = rule_class(param.type)
        if rule is not None and not rule.takes_momentum and param.momentum:
            raise self.error(f"{rule.type} takes no momentum, it is {param.momentum:g}", "momentum")
        for field in _NOT_BUILT:
            if getattr(param, field):
                log.warning("%s: %s is not available yet and does nothing", self.document.place(field), field)

    def _check_numbers(self) -> None:
        param = self.param
        if not param.HasField("max_iter"):
            raise self.error("max_iter is missing", hint="max_iter: 10000, say")
        for field in ("max_iter", "test_interval", "display", "snapshot", "stepsize"):
            if getattr(param, field) < 0:
                raise self.error(f"{field} must not be negative, it is {getattr(param, field)}", field)
        for field in ("iter_size", "average_loss"):
            if getattr(param, field) < 1:
                raise self.error(f"{field} must be at least 1, it is {getattr(param, field)}", field)
        for field in ("base_lr", "momentum", "weight_decay", "gamma", "power", "clip_gradients"):
            if not math.isfinite(getattr(param, field)):
                raise self.error(f"{field} must be finite, it is {getattr(param, field)}", field)
        for field in ("base_lr", "momentum", "weight_decay"):
            if getattr(param, field) < 0:
                raise self.error(f"{field} must not be negative, it is {getattr(param, field):g}", field)
        if param.regularization_type not in ("L1", "L2"):
            raise self.error(
                f'unknown regularization_type "{param.regularization_type}"', "regularization_type", hint="L1 or L2"
            )
        if not param.HasField("base_lr"):
            log.warning("%s: no base_lr: the rate is 0 and nothing is learned", self.document.file)

    def _check_rate(self) -> None:
        param = self.param
        if param.lr_policy not in POLICIES:
            what = f'unknown lr_policy "{param.lr_policy}"' if param.lr_policy else "lr_policy is missing"
            near = did_you_mean(param.lr_policy, POLICIES)
            raise self.error(what, "lr_policy", hint=f"{near or ''} policies: {', '.join(POLICIES)}".strip())
        for field in _NEEDS.get(param.lr_policy, ()):
            value = getattr(param, field)
            given = bool(value) if field == "stepvalue" else param.HasField(field)
            if not given:
                place = self.document.place("lr_policy")
                log.warning('%s: lr_policy "%s" reads %s, which is missing', place, param.lr_policy, field)
        if param.lr_policy == "step" and param.stepsize <= 0:
            raise self.error(f"stepsize must be at least 1, it is {param.stepsize}", "stepsize")
        _check_rising(self, param.stepvalue)

    def _default_prefix(self) -> None:
        """Caffe's rule: a missing prefix is the solver's path without extension, a folder gets the solver's stem."""
        param, file = self.param, Path(self.document.file)
        if not param.snapshot_prefix:
            param.snapshot_prefix = str(file.with_suffix(""))
        elif Path(param.snapshot_prefix).is_dir():
            param.snapshot_prefix = str(Path(param.snapshot_prefix) / file.stem)


def _check_rising(config: SolverConfig, values: Sequence[int]) -> None:
    for i in range(1, len(values)):
        if values[i] < values[i - 1]:
            raise config.error(
                f"stepvalue must rise: {values[i]} comes after {values[i - 1]}", "stepvalue", i,
                hint="write them in rising order",
            )  # fmt: skip
