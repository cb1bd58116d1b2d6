"""Exact resume: everything a training depends on, into a solver state and back (docs/decisions/0004).

Weights, history, iteration and current_step are stored as Caffe stores them. Our own field, ResumeState, has the seed,
the number of passes, the loss window, the position behind the *consumed* records of every data layer of every net, the
state that layers carry from batch to batch (LSTM), the ways that passes go where there are several, the state of
"plateau", the best test, counts of seconds and skipped updates, and the names and digests of the files beside it. What
is added to it is written in `noted` and put back in `restore`, and in `rewind` where a test changes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.errors import WeightsError
from brew.files.weights.stored import StoredState
from brew.layer import Array
from brew.layer.data_layer import DataLayer
from brew.net import weights
from brew.net.net import Net
from brew.net.weights import Misfit
from brew.proto.brew_pb2 import CarriedState, NamedChoice, ResumeState, SourceState
from brew.solver.training.divergence import check_loaded
from brew.solver.training.training import Training
from brew.solver.update.average import WeightAverage
from brew.version import __version__

from . import history, snapshot

log = logging.getLogger("brew")


def state_of(training: Training) -> ResumeState:
    """The present state, as far as Caffe's solver state lacks it."""
    return noted(training)()


def noted(training: Training) -> Callable[[], ResumeState]:
    """The present state, to be asked for later: what lies on a GPU is copied there, and the program does not wait."""
    state = ResumeState(
        random_seed=int(training.seed), passes=training.net.passes.begun,
        test_passes=[net.passes.begun for net in training.test_nets], seconds=training.seconds,
        choice=choices_of(training.net), brew_version=__version__, skipped=training.guard.skipped,
        solver_type=training.update.rule.type,
    )  # fmt: skip
    training.best.save(state)
    training.schedule.save(state)
    for number, net in enumerate([training.net, *training.test_nets], start=-1):
        for data_layer in net.data_layers:
            source = data_layer.state()
            source.layer, source.net = data_layer.name, number
            state.source.append(source)
    losses, carried = training.losses.noted(), _noted_carried(training)

    def read() -> ResumeState:
        state.losses[:] = losses()
        del state.carried[:]
        for number, layer, name, array in carried:
            host = array if isinstance(array, np.ndarray) else cuda.asnumpy(array)
            state.carried.append(_carried(host, number, layer, name))
        return state

    return read


def _noted_carried(training: Training) -> list[tuple[int, str, str, Array]]:
    """(net, layer, name, a copy) of all that layers carry from batch to batch."""
    copied = np.array if training.device == "cpu" else cuda.copied
    found: list[tuple[int, str, str, Array]] = []
    for number, net in enumerate([training.net, *training.test_nets], start=-1):
        for layer in net.layers:
            found += [(number, layer.name, name, np.array(own)) for name, own in layer.own_state().items()]
        for step in net.executor.steps:
            found += [(number, step.layer.name, name, copied(array)) for name, array in step.carried().items()]
    return found


def choices_of(net: Net) -> list[NamedChoice]:
    """The decided ways of the passes of `net`."""
    return [NamedChoice(name=key, value=way) for key, way in sorted(net.choices.decided.items())]


def _carried(array: npt.NDArray[Any], net: int, layer: str, name: str) -> CarriedState:
    little = array.astype(array.dtype.newbyteorder("<"))
    return CarriedState(
        net=net, layer=layer, name=name, shape=array.shape, dtype=little.dtype.str, data=little.tobytes()
    )


def restore(
    training: Training, path: str | Path, *, data_from_start: bool = False, reset_history: bool = False
) -> None:
    """Restore `training` from the snapshot `path`; data or history begin anew where the options say so.

    WeightsError when it belongs to another net or solver type.
    """
    state = snapshot.read_state(path)
    for name, number in (("iteration", state.iter), ("current_step", state.current_step)):
        if not 0 <= number < 1 << 31:
            raise WeightsError(f"{path}: its {name} is {number}; from 0 to {(1 << 31) - 1} is expected")
    files = snapshot.weights_of(state, path)
    if not reset_history:
        _check_history(training, state, path, files)
    if files is not None:
        _take_weights(training.net, files)
    if reset_history:
        history.reset(training)
    else:
        history.restore(training, state)
    check_loaded(training.net.parameters, str(path), training.update.history)
    if training.average is not None:
        _restore_average(training.average, snapshot.average_of(state, path), path)
    training.iter = state.iter
    training.schedule.restore(state.current_step, state.iter, state.resume)
    training.losses.clear()
    if state.resume is not None:
        _replay_choices(training.net, state.resume)
        _restore_run(training, state.resume, data_from_start)
    elif not data_from_start:
        _advance_sources(training)
    if state.iter >= training.param.max_iter:
        log.warning(
            "%s is of iteration %d and max_iter is %d: there is nothing left to train; a larger max_iter "
            "(--set max_iter=%d, say) goes on from here",
            path, state.iter, training.param.max_iter, max(2 * state.iter, 1),
        )  # fmt: skip


def _check_history(training: Training, state: StoredState, path: str | Path, files: Path | None) -> None:
    """WeightsError where the history does not fit, before anything is changed; about the weights where these do not."""
    history.check_type(training, state, path)
    try:
        history.check(training, state, path)
    except WeightsError:
        if files is not None:
            with _hint_at_weights(files):
                weights.check(training.net.parameters, files)
        raise


def _take_weights(net: Net, files: Path) -> None:
    with _hint_at_weights(files):
        net.copy_from(files)


@contextmanager
def _hint_at_weights(files: Path) -> Iterator[None]:
    try:
        yield
    except Misfit as error:
        error.hint = (
            f"the net has changed since the snapshot; --weights {files} --ignore-mismatched takes over what fits"
        )
        raise


def _restore_average(average: WeightAverage, stored: Path | None, state: str | Path) -> None:
    if stored is None:
        log.warning("%s has no averaged weights: the average begins again, at the weights of the snapshot", state)
        average.reset()
    else:
        average.restore(stored)


def _replay_choices(net: Net, state: ResumeState) -> None:
    """Let the train net go the stored ways; states of older Brews have none."""
    decided = {choice.name: choice.value for choice in state.choice}
    if decided and decided != net.choices.decided:
        net.choices.replay(decided)
        net.executor.prepare_again()


def _restore_run(training: Training, state: ResumeState, data_from_start: bool) -> None:
    training.seed.value = state.random_seed
    training.seconds = state.seconds
    training.guard.skipped = state.skipped
    _restore_counts(training, state)
    if data_from_start:
        return
    _restore_data(training, state)
    for layer in (layer for net in [training.net, *training.test_nets] for layer in net.layers):
        if layer.keeps_to_itself:
            what = "what its class keeps on itself is not part of a snapshot without state() and restore(state)"
            log.info("layer %s (%s) begins anew: %s", layer.name, layer.type, what)


def rewind(training: Training, state: ResumeState) -> None:
    """Go back to `state`, an earlier one of this training in the same iteration: whatever tests change."""
    _restore_counts(training, state)
    _restore_data(training, state)


def _restore_counts(training: Training, state: ResumeState) -> None:
    training.net.passes.set(state.passes)
    for net, passes in zip(training.test_nets, state.test_passes, strict=False):
        net.passes.set(passes)
    training.losses.restore(list(state.losses))
    training.best.restore(state)


def _restore_data(training: Training, state: ResumeState) -> None:
    stored = {(source.net, source.layer): source for source in state.source}
    for number, net in enumerate([training.net, *training.test_nets], start=-1):
        for layer in net.data_layers:
            _restore_source(layer, stored.get((number, layer.name)))
        _restore_carried(net, [carried for carried in state.carried if carried.net == number])


def _restore_source(layer: DataLayer, source: SourceState | None) -> None:
    if source is None:
        log.warning("the solver state knows no data layer %s: it begins at its start", layer.name)
    else:
        layer.restore(source)


def _restore_carried(net: Net, stored: Sequence[CarriedState]) -> None:
    values: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for carried in stored:
        try:
            array = np.frombuffer(carried.data, np.dtype(carried.dtype)).reshape(tuple(carried.shape))
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"the solver state's {carried.name} of layer {carried.layer} is damaged: {error}"
            ) from error
        values.setdefault(carried.layer, {})[carried.name] = array.astype(array.dtype.newbyteorder("="))
    for step in net.executor.steps:
        mine = values.pop(step.layer.name, {})
        if not step.layer.has_own_state:
            step.carry(mine)
        elif mine:
            step.layer.restore_own_state(mine)
        else:
            log.warning("the solver state holds no state of layer %s: it begins anew", step.layer.name)
    for layer in values:
        log.warning("the solver state holds what layer %s carried from batch to batch; the net has none such", layer)


def _advance_sources(training: Training) -> None:
    """Caffe's state has no positions of data: go on where an uninterrupted run would be."""
    passes = training.iter * training.param.iter_size
    for layer in training.net.data_layers:
        first = training.net.top_names[layer.name][0]
        record = passes * training.net.blobs[first].shape[0]
        log.info("%s goes on at record %d; --data-from-start begins at the first", layer.name, record)
        layer.skip_to(record)
    training.net.passes.set(passes)
