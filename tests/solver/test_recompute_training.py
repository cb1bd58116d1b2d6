"""Recomputation in trainings, and among layers whose forward must not run twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from recompute_nets import HEAD, NETS, TAIL, assert_equal, gradients, held, make, residual, separate

from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver

DATA = """
layer { name: "x" type: "DummyData" top: "data" dummy_data_param { shape { dim: 4 dim: 16 dim: 6 dim: 6 }
  data_filler { type: "gaussian" } } }
layer { name: "y" type: "DummyData" top: "label" dummy_data_param { shape { dim: 4 } data_filler { value: 2 } } }
"""


def trained(text: str, folder: Path, recompute: str, device: str, engine: str) -> bytes:
    """All that a solver has after ten iterations, with tests and snapshots between."""
    net = text.replace(HEAD, DATA)
    document = prototxt.parse(
        f'net_param {{ engine: "{engine}" {net} }} base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 10 iter_size: 2 '
        f'test_iter: 2 test_interval: 4 random_seed: 5 debug_info: true display: 5 snapshot_prefix: "{folder}/s" {recompute}',
        SolverParameter,
    )
    solver = Solver(document, device=device, keep=[])
    assert bool(solver.net.executor.memory.schedule.again) == bool(recompute)
    solver.solve()
    tested = repr(solver.test_all())
    solver.close()
    return b"".join(array.tobytes() for array in held(solver.net)) + tested.encode()


@pytest.mark.onednn
@pytest.mark.parametrize("name", NETS)
def test_ten_iterations_are_the_same(name: str, tmp_path: Path) -> None:
    plain, again = (trained(NETS[name], tmp_path, field, "cpu", "ONEDNN") for field in ("", "recompute: true"))
    assert plain == again


def test_ten_iterations_on_every_device(device: str, tmp_path: Path) -> None:
    text = residual(2)
    plain, again = (trained(text, tmp_path, field, device, "CAFFE") for field in ("", "recompute: true"))
    assert plain == again


# --- layers that run once ---------------------------------------------------------------------------------------------

COUNTING = """
from brew.python_layer import PythonLayer

class Counting(PythonLayer):
    def setup(self, bottom, top):
        self.calls = 0
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top):
        self.calls += 1
        top[0].data[...] = bottom[0].data * self.calls
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff * bottom[0].data
"""


def with_once(layer: str, top: str) -> str:
    """`layer` reads b4, and in place of it `top` is read: in the middle of a net that is recomputed."""
    before, after = separate().split('layer { name: "c4"')
    return before + layer + 'layer { name: "c4"' + after.replace('bottom: "b4"', f'bottom: "{top}"', 1)


def test_layers_that_say_so_run_once(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    def again(net: Net) -> list[str]:
        return [net.layers[number].name for number in net.executor.memory.schedule.again]

    before = again(make(separate(), recompute=True, engine="caffe", device=device))
    monkeypatch.setattr("brew.layers.batch_norm.BatchNorm.once", True)
    plain, net = (make(separate(), recompute=recompute, engine="caffe", device=device) for recompute in (False, True))
    assert "l5" in before and "l5" not in again(net) and "c5" in again(net)
    assert_equal(*map(gradients, (plain, net)))


def test_a_python_layer_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting_calls.py").write_text(COUNTING)
    monkeypatch.chdir(tmp_path)
    param = 'python_param { module: "counting_calls" layer: "Counting" }'
    for top in ("counted", "b4"):
        text = with_once(f'layer {{ name: "count" type: "Python" bottom: "b4" top: "{top}" {param} }} ', top)
        plain, again = (make(text, recompute=recompute) for recompute in (False, True))
        number = list(again.layer_dict).index("count")
        assert (
            again.executor.memory.schedule.again_before(number) and number not in again.executor.memory.schedule.again
        )
        assert_equal(*map(gradients, (plain, again)))
        assert again.layer_dict["count"].instance.calls == 2  # type: ignore[attr-defined]


def test_carried_state_goes_on_once_in_a_pass(device: str) -> None:
    """An LSTM's hidden state, from batch to batch; HDF5Output, which writes a file, reads beside it."""
    text = HEAD.replace("shape { dim: 4 }", "shape { dim: 4 } shape { dim: 4 dim: 16 }").replace(
        'top: "label"', 'top: "label" top: "cont"'
    )
    text += 'layer { name: "ip0" type: "InnerProduct" bottom: "data" top: "s0" inner_product_param { num_output: 16 axis: 2 '
    text += 'weight_filler { type: "xavier" } } }'
    for i in range(8):
        kind = "Sigmoid" if i % 2 else "TanH"
        text += f'layer {{ name: "ip{i + 1}" type: "InnerProduct" bottom: "s{i}" top: "i{i}" inner_product_param '
        text += '{ num_output: 16 axis: 2 weight_filler { type: "xavier" } } }'
        if i == 3:
            text += 'layer { name: "lstm" type: "LSTM" bottom: "i3" bottom: "cont" top: "s4" recurrent_param '
            text += '{ num_output: 16 weight_filler { type: "uniform" } bias_filler { type: "constant" } } } '
        else:
            text += f'layer {{ name: "l{i}" type: "{kind}" bottom: "i{i}" top: "s{i + 1}" }} '
    nets = [make(text + TAIL.replace("LAST", "s8"), device=device, engine="caffe", recompute=r) for r in (False, True)]
    for net in nets:
        net.blobs["cont"].data[...] = 1
    number = list(nets[1].layer_dict).index("lstm")
    schedule = nets[1].executor.memory.schedule
    assert schedule.again_before(number) and number not in schedule.again
    assert_equal(*map(gradients, nets))


def test_a_file_is_written_once_in_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr("brew.layers.hdf5_output.write_datasets", lambda path, data: written.append(len(data)))
    output = 'layer { name: "out" type: "HDF5Output" bottom: "b4" bottom: "label" hdf5_output_param { file_name: "%s/f.h5" } } '
    net = make(with_once(output % tmp_path, "b4"), recompute=True)
    net.run_forward()
    net.run_backward()
    assert written == [2] and net.executor.memory.schedule.again
