"""A training that stops and resumes ends bit for bit where an undisturbed one does."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.layers.onednn._filters import FiltersOneDNN
from brew.net import engine
from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.solver.snapshots import history, resume, snapshot
from brew.solver.solver import Solver

LMDB = Path(__file__).parents[1] / "fixtures" / "conformance" / "data" / "raw_lmdb"

NET = """
name: "everything random"
layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }}
  transform_param {{ crop_size: 6 mirror: true scale: 0.01 mean_value: 100 }}
  data_param {{ source: "{lmdb}" backend: LMDB batch_size: 3 prefetch: 4 }} }}
layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TEST }}
  transform_param {{ crop_size: 6 mirror: true scale: 0.01 mean_value: 100 }}
  data_param {{ source: "{lmdb}" backend: LMDB batch_size: 4 }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "drop" type: "Dropout" bottom: "conv" top: "conv" }}
layer {{ name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
"""
SOLVER = """
net: "{net}" base_lr: 0.05 momentum: 0.9 weight_decay: 0.001 lr_policy: "inv" gamma: 0.01 power: 0.75
max_iter: 100 iter_size: 2 average_loss: 7 display: 20 test_iter: 3 test_interval: 7 snapshot: 50
snapshot_prefix: "{prefix}" snapshot_format: {format} snapshot_after_train: true
"""

PASSING_ON = """
from brew.python_layer import PythonLayer

class PassingOn(PythonLayer):
    def setup(self, bottom, top):
        pass
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff
"""


def _solver(folder: Path, snapshot_format: str, **options: object) -> Solver:
    (folder / "net.prototxt").write_text(NET.format(lmdb=LMDB))
    text = SOLVER.format(net=folder / "net.prototxt", prefix=folder / "run", format=snapshot_format)
    return Solver(prototxt.parse(text, SolverParameter), **options)  # type: ignore[arg-type]


def _weights(solver: Solver) -> list[np.ndarray]:
    arrays = [b.data.copy() for blobs in solver.net.params.values() for b in blobs]
    solver.close()
    arenas = [*solver.update.history, *([solver.average.values] if solver.average else [])]
    return arrays + [a.get() if solver.device == "cuda" else a.copy() for a in arenas]


@pytest.mark.parametrize("snapshot_format", ["BINARYPROTO", "HDF5"])
def test_resume_is_bit_identical(
    tmp_path: Path, snapshot_format: str, monkeypatch: pytest.MonkeyPatch, device: str = "cpu"
):
    monkeypatch.setattr("brew.files.weights.stored.PIECE", 7)  # blobs are of several pieces
    brew.set_random_seed(1701)
    ending = ".h5" if snapshot_format == "HDF5" else ""
    straight = _solver(tmp_path, snapshot_format, device=device)
    tested: list[object] = []
    straight.watch(tested.append)
    straight.solve()
    state = tmp_path / f"run_iter_50.solverstate{ending}"

    brew.set_random_seed(-1)  # the resumed run has to find the seed in the state
    resumed = _solver(tmp_path, snapshot_format, device=device)
    again: list[object] = []
    resumed.watch(again.append)
    resumed.solve(state)
    assert resumed.iter == 100
    for a, b in zip(_weights(straight), _weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    scores = [e.scores for e in tested if hasattr(e, "scores") and e.iteration > 50]
    assert scores == [e.scores for e in again if hasattr(e, "scores")]
    assert scores


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cuda"], indirect=True)
@pytest.mark.parametrize("snapshot_format", ["BINARYPROTO", "HDF5"])
def test_resume_on_cuda_is_bit_identical(
    tmp_path: Path, snapshot_format: str, monkeypatch: pytest.MonkeyPatch, device: str
):
    test_resume_is_bit_identical(tmp_path, snapshot_format, monkeypatch, device)


def test_without_the_cursor_the_result_differs(tmp_path: Path):
    """The control: what makes the resume exact is really needed."""
    brew.set_random_seed(1701)
    straight = _solver(tmp_path, "BINARYPROTO")
    straight.solve()
    careless = _solver(tmp_path, "BINARYPROTO", data_from_start=True)
    careless.solve(tmp_path / "run_iter_50.solverstate")
    brew.set_random_seed(-1)
    pairs = zip(_weights(straight), _weights(careless), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


def test_a_python_layer_is_said_to_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "passing_on.py").write_text(PASSING_ON)
    monkeypatch.chdir(tmp_path)
    module = 'python_param { module: "passing_on" layer: "PassingOn" }'
    text = NET.format(lmdb=LMDB) + f'layer {{ name: "pass" type: "Python" bottom: "ip" top: "passed" {module} }}'
    (tmp_path / "net.prototxt").write_text(text)
    settings = SOLVER.format(net=tmp_path / "net.prototxt", prefix=tmp_path / "run", format="BINARYPROTO")
    solver = Solver(prototxt.parse(settings, SolverParameter))
    with caplog.at_level("INFO", "brew"):
        solver.restore(solver.snapshot().state)
    solver.close()
    assert (
        "layer pass (Python) begins anew: what its class keeps on itself is not part of a snapshot without "
        "state() and restore(state)" in caplog.messages
    )


def test_a_moved_snapshot_finds_its_weights_beside_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    solver = _solver(tmp_path, "BINARYPROTO")
    solver.step(3)
    files = solver.snapshot()
    weights = _weights(solver)
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    for path in (files.weights, files.state):
        shutil.move(path, elsewhere / path.name)
    resumed = _solver(tmp_path, "BINARYPROTO")
    with caplog.at_level("INFO", "brew"):
        resumed.restore(elsewhere / files.state.name)
    assert any("beside the solver state" in m for m in caplog.messages)
    for a, b in zip(weights, _weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_commas_in_a_path_are_part_of_it(tmp_path: Path):
    folder = tmp_path / "a,b"
    folder.mkdir()
    solver = _solver(folder, "BINARYPROTO")
    solver.restore(solver.snapshot().state)
    solver.net.copy_from([folder / "run_iter_0.caffemodel"])
    solver.close()


def test_every_source_of_a_caffe_state_goes_on_by_its_own_batch(tmp_path: Path):
    text = (
        NET
        + """
layer {{ name: "more" type: "Data" top: "more" include {{ phase: TRAIN }}
  data_param {{ source: "{lmdb}" backend: LMDB batch_size: 2 }} }}
"""
    )
    (tmp_path / "net.prototxt").write_text(text.format(lmdb=LMDB))
    solver_text = SOLVER.format(net=tmp_path / "net.prototxt", prefix=tmp_path / "run", format="BINARYPROTO")
    solver = Solver(prototxt.parse(solver_text, SolverParameter))
    solver.iter = 5
    resume._advance_sources(solver)
    assert {layer.name: layer.state().record for layer in solver.net.data_layers} == {"data": 30, "more": 20}
    solver.close()


def test_a_pair_that_does_not_belong_together_is_refused(tmp_path: Path):
    solver = _solver(tmp_path, "BINARYPROTO")
    solver.step(1)
    first = solver.snapshot()
    solver.step(1)
    second = solver.snapshot()
    shutil.copy(second.weights, first.weights)
    with pytest.raises(brew.BrewError, match="not the file that was written with"):
        solver.restore(first.state)
    solver.close()


def test_history_of_another_net_is_refused(tmp_path: Path):
    solver = _solver(tmp_path, "BINARYPROTO")
    stored = snapshot.read_state(
        Path(__file__).parents[1] / "fixtures/conformance/solvers/sgd_plain/out_iter_12.solverstate"
    )
    with pytest.raises(brew.BrewError, match="history blob 0 is 8 x 6"):
        history.check(solver, stored, "x.solverstate")
    solver.close()


def test_the_state_names_every_source(tmp_path: Path):
    solver = _solver(tmp_path, "BINARYPROTO")
    solver.step(5)
    state = resume.state_of(solver)
    solver.close()
    assert {(s.net, s.layer): s.record for s in state.source} == {(-1, "data"): 30, (0, "data"): 12}
    assert (state.passes, list(state.test_passes)) == (10, [3])
    assert state.losses == pytest.approx(solver.losses.losses())


RECURRENT = """
net_param {{
  layer {{ name: "x" type: "DummyData" top: "x" dummy_data_param {{ shape {{ dim: 3 dim: 2 dim: 5 }} data_filler {{ type: "gaussian" }} }} }}
  layer {{ name: "cont" type: "DummyData" top: "cont" dummy_data_param {{ shape {{ dim: 3 dim: 2 }} data_filler {{ type: "constant" value: 1 }} }} }}
  layer {{ name: "memory" type: "{type}" bottom: "x" bottom: "cont" top: "y"
    recurrent_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
  layer {{ name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 reduction_param {{ operation: SUMSQ }} }}
}}
test_iter: 2 test_interval: 5 test_initialization: true
base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 20 snapshot: 10 snapshot_prefix: "{prefix}" random_seed: 4
ema_decay: 0.9 snapshot_format: {format}
"""


def _recurrent(folder: Path, layer: str, device: str, snapshot_format: str = "BINARYPROTO") -> Solver:
    text = RECURRENT.format(type=layer, prefix=folder / "run", format=snapshot_format)
    return Solver(prototxt.parse(text, SolverParameter), device=device)


@pytest.mark.parametrize("layer", ["LSTM", "RNN"])
def test_a_state_that_goes_from_batch_to_batch_goes_over_the_seam(tmp_path: Path, layer: str, device: str):
    straight = _recurrent(tmp_path, layer, device)
    tested: list[object] = []
    straight.watch(tested.append)
    straight.solve()
    resumed = _recurrent(tmp_path, layer, device)
    again: list[object] = []
    resumed.watch(again.append)
    resumed.solve(tmp_path / "run_iter_10.solverstate")
    scores = [e.scores for e in again if hasattr(e, "scores")]
    assert scores and scores == [e.scores for e in tested if hasattr(e, "scores")][-len(scores) :]
    for a, b in zip(_weights(straight), _weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_the_carried_state_the_result_differs(tmp_path: Path):
    straight = _recurrent(tmp_path, "LSTM", "cpu")
    straight.solve()
    forgetful = _recurrent(tmp_path, "LSTM", "cpu", "HDF5")
    forgetful.restore(tmp_path / "run_iter_10.solverstate")
    for step in forgetful.net.executor.steps:
        step.carry({})
    forgetful.solve()
    pairs = zip(_weights(straight), _weights(forgetful), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


def test_a_carried_state_goes_from_one_device_to_the_other(tmp_path: Path, device: str):
    solver = _recurrent(tmp_path, "LSTM", "cpu")
    solver.step(10)
    there = _recurrent(tmp_path, "LSTM", device)
    there.restore(tmp_path / "run_iter_10.solverstate")
    carried = {(c.net, c.name): c.data for c in resume.state_of(solver).carried}
    assert set(carried) == {(n, name) for n in (-1, 0) for name in ("carried h", "carried c")}
    assert carried == {(c.net, c.name): c.data for c in resume.state_of(there).carried}
    for a in (solver, there):
        a.step(1)
    np.testing.assert_allclose(*(a.net.blobs["y"].data for a in (solver, there)), rtol=1e-5)


def test_a_damaged_carried_state_is_refused(tmp_path: Path):
    solver = _recurrent(tmp_path, "LSTM", "cpu")
    solver.step(1)
    state = resume.state_of(solver)
    state.carried[0].data = state.carried[0].data[:-1]
    with pytest.raises(brew.BrewError, match="carried h of layer memory is damaged"):
        resume.rewind(solver, state)


TWO_WAYS = """
net_param {{
  layer {{ name: "x" type: "DummyData" top: "x" dummy_data_param {{ shape {{ dim: 2 dim: 16 dim: 9 dim: 8 }} data_filler {{ type: "gaussian" }} }} }}
  layer {{ name: "a" type: "Convolution" bottom: "x" top: "a"
    convolution_param {{ num_output: 16 kernel_size: 3 pad: 1 weight_filler {{ type: "msra" }} }} }}
  layer {{ name: "relu" type: "ReLU" bottom: "a" top: "a" }}
  layer {{ name: "b" type: "Convolution" bottom: "a" top: "b"
    convolution_param {{ num_output: 32 kernel_size: 5 pad: 2 weight_filler {{ type: "msra" }} }} }}
  layer {{ name: "loss" type: "Reduction" bottom: "b" top: "loss" loss_weight: 0.001 reduction_param {{ operation: SUMSQ }} }}
}}
base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 24 snapshot: {snapshot} snapshot_prefix: "{prefix}"
test_iter: 1 test_interval: 4 snapshot_format: {format} {more}
"""


def _two_ways(folder: Path, snapshot_format: str = "BINARYPROTO", *, every: int = 12, more: str = "") -> Solver:
    text = TWO_WAYS.format(prefix=folder / "run", format=snapshot_format, snapshot=every, more=more)
    return Solver(prototxt.parse(text, SolverParameter), device="cpu")


@pytest.fixture
def contrary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds for a run of each class of passes, on a clock of their own: the rule's are slow. The machine knows nothing."""
    from brew.layer.choices import Choices
    from brew.layers.onednn._passes import Pass

    costs, now, run = {"Direct": 2.0, "Winograd": 1.0}, [0.0], Pass.run

    def timed(self: Pass, io: object) -> None:
        run(self, io)  # type: ignore[arg-type]
        now[0] += next(cost for name, cost in costs.items() if type(self).__name__.startswith(name))

    monkeypatch.setattr(Pass, "run", timed)
    defaults: dict[str, object] = Choices.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "clock", lambda: now[0])
    monkeypatch.setenv("BREW_CACHE", str(tmp_path / "machine"))
    return costs


@pytest.mark.onednn
@pytest.mark.native
@pytest.mark.parametrize("every", [12, 5])
@pytest.mark.parametrize("snapshot_format", ["BINARYPROTO", "HDF5"])
def test_ways_chosen_by_timing_are_replayed(
    tmp_path: Path, contrary: dict[str, float], snapshot_format: str, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed training goes the ways of the one before, though now the others are faster; also where the snapshot
    came before all had been timed."""
    straight = _two_ways(tmp_path, snapshot_format, every=every)
    assert straight.net.choices.measured
    straight.solve()
    ways = straight.net.choices.decided
    assert len(ways) == 5 and all(how.ways() for how in _convolutions(straight))
    learned = tmp_path / "machine" / "choices" / f"{engine.machine()}.json"
    assert learned.is_file() == (every == 12), "by the fifth iteration no way has been timed often enough"

    shutil.rmtree(tmp_path / "machine", ignore_errors=True)
    contrary |= {"Direct": 1.0, "Winograd": 2.0}
    ending = ".h5" if snapshot_format == "HDF5" else ""
    resumed = _two_ways(tmp_path, snapshot_format, every=every)
    resumed.solve(tmp_path / f"run_iter_{every}.solverstate{ending}")
    assert resumed.net.choices.decided == ways
    for a, b in zip(_weights(straight), _weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)

    monkeypatch.setattr("brew.layer.choices.Choices.replay", lambda *_: None)  # the control: replaying is really needed
    careless = _two_ways(tmp_path, snapshot_format, every=every, more="choose: MEASURE")
    careless.restore(tmp_path / f"run_iter_{every}.solverstate{ending}")
    careless.net.choices.decided.update(dict.fromkeys(ways, "direct" if every == 12 else "Winograd"))
    careless.net.executor.prepare_again()
    careless.solve()
    pairs = zip(_weights(straight), _weights(careless), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


def _convolutions(solver: Solver) -> list[FiltersOneDNN]:
    groups = [getattr(group.step.how, "filters", None) for group in solver.net.executor.fused.groups]
    alone = [step.implementation for step in solver.net.executor.steps]
    return [how for how in (*groups, *alone) if isinstance(how, FiltersOneDNN)]


@pytest.mark.onednn
@pytest.mark.native
def test_with_a_seed_the_rule_chooses_unless_the_solver_asks(tmp_path: Path, contrary: dict[str, float]) -> None:
    seeded = _two_ways(tmp_path, more="random_seed: 3")
    ruled = dict(seeded.net.choices.decided)
    seeded.step(1)
    assert len(ruled) == 5 and seeded.net.choices.decided == ruled
    assert [c.value for c in resume.state_of(seeded).choice] == [ruled[key] for key in sorted(ruled)]
    measured = _two_ways(tmp_path, more="random_seed: 3 choose: MEASURE")
    assert measured.net.choices.decided == {}
    assert not _two_ways(tmp_path, more="choose: RULE").net.choices.measured
    brew.set_random_seed(3)
    assert not _two_ways(tmp_path).net.choices.measured, "a seed from Python is one too"
    brew.set_random_seed(-1)


@pytest.mark.onednn
@pytest.mark.native
def test_a_state_from_before_there_were_choices_leaves_them_to_the_solver(
    tmp_path: Path, contrary: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = _two_ways(tmp_path)
    monkeypatch.setattr("brew.solver.snapshots.saver.resume.state_of", lambda solver: ResumeState(passes=3))
    state = solver.snapshot().state
    resumed = _two_ways(tmp_path)
    resumed.restore(state)
    resumed.step(9)
    assert set(resumed.net.choices.decided.values()) == {"Winograd"}
