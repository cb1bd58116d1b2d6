"""All findings of a net, and of a solver with its nets."""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from brew.errors import BrewError, NetError, Place, ResourceError, SolverError
from brew.files import paths
from brew.graph import foreign
from brew.graph.definition import NetDefinition, define
from brew.graph.states import exists, merged_state
from brew.layer import TEST, TRAIN, count
from brew.proto.brew_pb2 import NetParameter, NetState, SolverParameter
from brew.prototxt import Document
from brew.prototxt.placed import PlacedLayer
from brew.prototxt.upgrade import upgrade_solver_type
from brew.solver.scoring.names import among
from brew.solver.training import problems
from brew.solver.training.best import best_problem
from brew.solver.training.test_metrics import metrics_that_may_be

from .data_rules import PAIR_RULES
from .finding import Finding
from .label_rules import LABEL_RULES
from .net_rules import NET_RULES
from .parameter_rules import has_filler
from .solver_rules import SOLVER_RULES, SolverView
from .states import HEARD, NoData, Options, State, look, states_of
from .texts import Texts
from .view import EVERYTHING, View, facts
from .weights import fit_findings, layers_of

NO_DATA = "B224"
STATISTICS = "B225"
FOREIGN = "B226"
MEANINGS = {
    HEARD: "What Brew says in the log while it reads the file, and a field of the solver that is missing.",
    NO_DATA: "A net without data in one of the phases, in a file that no solver names.",
    STATISTICS: "lr_mult or decay_mult on a BatchNorm: its blobs are averages and not learned, and 0 is taken.",
    FOREIGN: "A field of one of Caffe's forks that does nothing here.",
}


def net_findings(document: Document[NetParameter], options: Options) -> Iterator[Finding]:
    """The findings of a net that no solver names, in each of its states."""
    try:
        definition = define(document)
    except BrewError as error:
        yield Finding.of(error, document.file)
        return
    if not definition.net.layers:
        yield Finding("error", NetError.code, "the net has no layers", Place(document.file), "is it the right file?")
        return
    yield from _statistics(document.message, document)
    yield from _foreign(document)
    states = states_of(definition, options)
    options = replace(options, loaded=_loaded(definition, options))
    looks = [(state, *look(definition, state, options)) for state in states]
    views = [view for _, view, _ in looks if view is not None]
    for state, view, errors in looks:
        if views:  # the net may be meant for the other phase alone
            absent = [Finding.of(e, document.file, state.name) for e in errors if isinstance(e, NoData)]
            yield from (replace(finding, severity="warning", code=NO_DATA) for finding in absent)
            errors = [e for e in errors if not isinstance(e, NoData)]
        yield from _of_state(view, errors, document.file, *([state.name] if len(states) > 1 else []))
    if _has_rules(definition):  # else it may be for one phase alone
        yield from PAIR_RULES.findings(views, document.file)
    yield from (f for file in options.weights for view in views for f in fit_findings(file, view))


def _loaded(definition: NetDefinition, options: Options) -> Container[str]:
    """The layers whose weights do not come from their fillers. If most layers with weights have no filler and no rule
    says that the net is for training, it is for use or for fine-tuning: then all layers."""
    layers = [source.param for source in definition.net.layers if facts(source.param).weights_in]
    filled = [has_filler(param) for param in layers if not (param.param and param.param[0].lr_mult == 0)]
    for_training = _has_rules(definition) or (any(filled) and 2 * sum(filled) >= len(filled))
    return layers_of(options.weights) if for_training else EVERYTHING


def _has_rules(definition: NetDefinition) -> bool:
    return any(source.param.include or source.param.exclude for source in definition.net.layers)


def _of_state(view: View | None, errors: Sequence[BrewError], file: str, *state: str) -> Iterator[Finding]:
    yield from (Finding.of(error, file, *state) for error in errors)
    if view is not None:
        yield from NET_RULES.findings(view, file, *state)
        yield from LABEL_RULES.findings(view, file, *state)


def _foreign(document: Document[Any]) -> Iterator[Finding]:
    """Fields of Caffe's forks that would change the results, or do nothing here."""
    for verdict in foreign.judge(document):
        if verdict.level == "error":
            yield Finding("error", NetError.code, verdict.message, verdict.place, verdict.hint)
        elif verdict.level == "warning":
            yield Finding("warning", FOREIGN, verdict.message, verdict.place, verdict.hint or "it can be left out")


def _statistics(net: NetParameter, document: Document[Any], *prefix: str | int) -> Iterator[Finding]:
    """BatchNorm's lr_mult and decay_mult, as they are written: a net that is read has zeros there already."""
    for number, param in enumerate(net.layer):
        if param.type != "BatchNorm" or len(param.param) != 3:
            continue
        written = [(i, n) for i, spec in enumerate(param.param) for n in ("lr_mult", "decay_mult") if getattr(spec, n)]
        given = [(i, n) for i, n in written if param.param[i].HasField(n)]
        if given:
            what = f'layer "{param.name}" (BatchNorm): {given[0][1]} is not 0 as written, and is read as 0'
            place = document.place(*prefix, "layer", number, "param", *given[0])
            hint = "its blobs are averages and not learned: leave out all three param { }"
            yield Finding("warning", STATISTICS, what, place, hint)


def solver_findings(document: Document[SolverParameter], options: Options, texts: Texts) -> Iterator[Finding]:
    """The findings of a solver, and of its nets in the states it uses them in, which are read through `texts`."""
    file = document.file
    try:
        upgrade_solver_type(document.message, document.place("solver_type"))
    except BrewError as error:
        yield Finding.of(error, file)
    yield from (Finding.of(error, file) for error in problems.problems(document))
    for remark in problems.remarks(document):
        yield Finding("warning", HEARD, remark.message, remark.place, remark.hint)
    yield from _foreign(document)
    yield from _files(document)
    loaded = layers_of([*options.weights, *_own_weights(document)])
    nets = _Nets(document, replace(options, loaded=loaded, decay=document.message.weight_decay), texts)
    yield from nets.findings()
    yield from _best(document, nets.solver_view())
    yield from SOLVER_RULES.findings(nets.solver_view(), file)
    views = list(nets.views.values())
    yield from PAIR_RULES.findings(views, file)
    yield from (f for path in options.weights for view in views for f in fit_findings(path, view))


def _best(document: Document[SolverParameter], solver: SolverView) -> Iterator[Finding]:
    """Whether the test nets have the output to watch."""
    views = list(solver.tests.values())
    if views and all(view.whole for view in views):
        outputs = [{name: count(shape) for name, shape in view.outputs.items()} for view in views]
        for own in outputs:
            own.update({among(own, name): 1 for name in metrics_that_may_be(document.message)})
        if problem := best_problem(document.message.best, outputs):
            place = document.place(*problem.path)
            yield Finding("error", SolverError.code, f"solver: {problem.message}", place, problem.hint)


def _own_weights(document: Document[SolverParameter], missing: list[BrewError] | None = None) -> Iterator[str]:
    """The files that a solver starts from; the names of those that are not there, and their errors in `missing`."""
    folder = Path(document.file).parent
    for i, names in enumerate(document.message.weights):
        for name in names.split(","):
            try:
                place = document.place("weights", i)
                yield str(paths.find(name.strip(), folder, what="solver: weights", place=place))
            except BrewError as error:
                yield name.strip()
                if missing is not None:
                    missing.append(error)


def _files(document: Document[SolverParameter]) -> Iterator[Finding]:
    """Files that must be there, and the folder that must take snapshots."""
    param, missing = document.message, list[BrewError]()
    list(_own_weights(document, missing))
    yield from (Finding.of(error, document.file) for error in missing)
    target = Path(param.snapshot_prefix or document.file).parent
    wanted = param.snapshot or param.snapshot_epochs or param.snapshot_after_train
    if wanted and not target.is_dir():
        what = f'solver: snapshots go to "{param.snapshot_prefix}", and there is no folder {target}'
        place, hint = (
            document.place("snapshot_prefix"),
            f"mkdir -p {shlex.quote(str(target))}, or change snapshot_prefix",
        )
        yield Finding("error", ResourceError.code, what, place, hint)


class _Nets:
    """The nets of a solver, each file read once and seen in every state the solver asks for."""

    def __init__(self, document: Document[SolverParameter], options: Options, texts: Texts) -> None:
        self.document = document
        self.options = options
        self.texts = texts
        self.views: dict[tuple[int, int], View] = {}  # by phase and number
        self._definitions: dict[tuple[str | int, ...], NetDefinition] = {}
        self._used: list[tuple[NetDefinition, State]] = []

    def findings(self) -> Iterator[Finding]:
        failed: set[tuple[str | int, ...]] = set()
        for phase, number, path, state in self._uses():
            if path not in self._definitions and path not in failed:
                try:
                    self._definitions[path] = self._define(path)
                    yield from self._written(path, self._definitions[path])
                except BrewError as error:
                    failed.add(path)
                    yield Finding.of(error, self.document.file)
            definition = self._definitions.get(path)
            if definition is None:
                continue
            self._used.append((definition, state))
            options = replace(self.options, broken=frozenset(self.texts.broken))
            view, errors = look(definition, state, options)
            if view is not None:
                view.used = True
                self.views[phase, number] = view
            yield from _of_state(view, errors, self.document.file, state.name)

    def _written(self, path: Sequence[str | int], definition: NetDefinition) -> Iterator[Finding]:
        """The findings that do not depend on states."""
        document = definition.document
        if document is None or document is self.document:
            value = getattr(self.document.message, str(path[0]))
            yield from _statistics(value[path[1]] if len(path) > 1 else value, self.document, *path)
        else:
            yield from _statistics(document.message, document)
            yield from _foreign(document)

    def solver_view(self) -> SolverView:
        tests = {number: view for (phase, number), view in self.views.items() if phase == TEST}
        return SolverView(self.document, self.views.get((TRAIN, 0)), tests, self._idle())

    def _idle(self) -> list[PlacedLayer]:
        there: set[int] = set()
        for definition, state in self._used:
            merged = merged_state(state.phase, definition.net.shell.state, *state.overlays)
            there.update(id(s) for s in definition.net.layers if _is_there(s, merged))
        used = {id(definition): definition for definition, _ in self._used}
        return [s for definition in used.values() for s in definition.net.layers if id(s) not in there]

    def _define(self, path: tuple[str | int, ...]) -> NetDefinition:
        value = getattr(self.document.message, str(path[0]))
        value = value[path[1]] if len(path) > 1 else value
        if isinstance(value, str):
            folder = Path(self.document.file).parent
            file = paths.find(value, folder, what=f"solver: {path[0]}", place=self.document.place(*path))
            return define(self.texts.read(file, NetParameter))
        return define(value, self.document, path)

    def _uses(self) -> Iterator[tuple[int, int, tuple[str | int, ...], State]]:
        """(phase, number, field of the net, state) of the training and of each test, as far as the fields go."""
        param = self.document.message
        given = [(field,) for field in problems.NET_FIELDS if param.HasField(field)]
        if len(given) == 1:
            overlay = merged_state(TRAIN, param.train_state, level=self.options.level, stages=self.options.stages)
            yield TRAIN, 0, given[0], State("TRAIN", TRAIN, (overlay,))
        tests: list[tuple[str | int, ...]] = [("test_net_param", i) for i in range(len(param.test_net_param))]
        tests += [("test_net", i) for i in range(len(param.test_net))]
        shared = next(((field,) for field in ("net_param", "net") if param.HasField(field)), None)
        tests += [shared] * (len(param.test_iter) - len(tests)) if shared else []
        for number, path in enumerate(tests):
            overlay = merged_state(TEST, *param.test_state[number : number + 1])
            name = "TEST" if len(tests) == 1 else f"test net {number}"
            yield TEST, number, path, State(name, TEST, (overlay,))


def _is_there(source: PlacedLayer, state: NetState) -> bool:
    try:
        return exists(source, state)
    except BrewError:
        return True
