"""The states that a net is used in, and the mistakes in each."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from brew.errors import BrewError, NetError, Place
from brew.graph.definition import NetDefinition, replace_data
from brew.graph.splits import Absent, insert_splits
from brew.graph.states import exists, merged_state
from brew.layer import TEST, TRAIN, Context, Shape
from brew.proto.brew_pb2 import NetState
from brew.prototxt.placed import PlacedLayer

from .finding import Finding
from .trial import Trial
from .view import View, is_loss

_PLACED = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)", re.DOTALL)
_NAMES = {TRAIN: "TRAIN", TEST: "TEST"}
HEARD = "B200"


@dataclass(frozen=True, slots=True)
class Options:
    """How to check.

    `shapes` are of blobs that data layers make; `data` says whether the files of data layers are opened; `level` and
    `stages` select layers in training and in nets that no solver names; `weights` are files to start from. `shaped`
    takes the blobs whose shapes were put to use.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    data: bool = True
    level: int | None = None
    stages: Sequence[str] = ()
    weights: tuple[str, ...] = ()
    broken: frozenset[Place] = frozenset()  # layers of which the text could not be read in full
    shaped: set[str] = field(default_factory=set)
    decay: float = 0.0  # the solver's weight_decay
    loaded: Container[str] = frozenset()  # layers whose weights are there to start from, in these or a solver's own


@dataclass(frozen=True, slots=True)
class State:
    """A net's state by name, with the states that overlay the net's own."""

    name: str
    phase: int
    overlays: tuple[NetState, ...] = ()


class NoData(NetError):
    """The error of a net without layers that bring data."""


def states_of(definition: NetDefinition, options: Options) -> list[State]:
    """The states in which a net that no solver names is checked.

    TRAIN only where the net has a loss; where rules ask for stages, once with the stages of each rule.
    """
    layers = [source.param for source in definition.net.layers]
    phases = [TRAIN, TEST] if any(is_loss(param) or param.loss_weight for param in layers) else [TEST]
    if definition.net.shell.state.HasField("phase"):
        phases = [definition.net.shell.state.phase]
    states = []
    for phase in phases:
        rules = [r for p in layers for r in p.include if r.stage and (not r.HasField("phase") or r.phase == phase)]
        wanted = dict.fromkeys(tuple(r.stage) for r in rules)
        if options.stages or options.level is not None or not wanted:
            overlay = merged_state(phase, level=options.level, stages=options.stages)
            states.append(State(_NAMES[phase], phase, (overlay,)))
            continue
        for stages in wanted:
            name = f"{_NAMES[phase]} {' '.join(stages)}"
            states.append(State(name, phase, (merged_state(phase, stages=stages),)))
    return states


def look(definition: NetDefinition, state: State, options: Options) -> tuple[View | None, list[BrewError]]:
    """The net in a state, built as far as it goes, and the errors.

    There is no view of a state without any data: NoData is among its errors then, in place of one for each bottom.
    """
    shell = definition.net.shell
    merged = merged_state(state.phase, shell.state, *state.overlays)
    errors: list[BrewError] = []
    layers = list(_existing(definition.net.layers, merged, errors))
    tops = {top for source in layers if not source.param.bottom for top in source.param.top}
    view = View(state.name, merged.phase, layers, options.loaded, decay=options.decay)
    shapes = {name: shape for name, shape in options.shapes.items() if name in tops}
    options.shaped.update(shapes)
    unknown: list[NetError] = []
    trial = Trial(shell.force_backward, options.data, options.broken)
    absent = Absent.of(merged, definition.net.layers, layers)
    for number, source in enumerate(insert_splits(replace_data(layers, shapes), unknown, absent)):
        phase = source.param.phase if source.param.HasField("phase") else merged.phase
        trial.add(number, source, Context(phase, place=source.place, folder=definition.folder))
    trial.plan_backward()
    trial.pair_data()
    trial.graph.outputs = list(trial.unread)
    view.graph = trial.graph
    if layers and not tops:
        return None, [_no_data(layers[0], state), *errors, *trial.errors]
    return view, [*errors, *unknown, *trial.errors]


def _existing(layers: Sequence[PlacedLayer], state: NetState, errors: list[BrewError]) -> Iterator[PlacedLayer]:
    for source in layers:
        try:
            if exists(source, state):
                yield source
        except NetError as error:
            errors.append(error)
            yield source


def _no_data(first: PlacedLayer, state: State) -> NoData:
    return NoData(
        f"no layer makes data in {state.name}: every layer that is there reads another one's tops",
        place=first.place(),
        hint=f"a data layer with include {{ phase: {_NAMES[state.phase]} }}, or Input layers",
    )


@contextmanager
def heard(file: str) -> Iterator[list[Finding]]:
    """A context that catches Brew's log: warnings become findings about `file`, nothing is shown."""
    said: list[Finding] = []

    def hear(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            text = record.getMessage()
            match = _PLACED.fullmatch(text)
            place = Place(match["file"], int(match["line"]), int(match["column"])) if match else Place(file)
            said.append(Finding("warning", HEARD, match["text"] if match else text, place))
        return False

    log = logging.getLogger("brew")
    log.addFilter(hear)
    try:
        yield said
    finally:
        log.removeFilter(hear)
