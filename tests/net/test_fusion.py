"""Layers that run together give what they give by themselves, whatever is read, changed or run in between."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import brew
from brew import prototxt
from brew.layer.fused import Fused
from brew.layers.onednn import ENGINE
from brew.net import mode
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.reports.plan_lines import PlanLine, plan_lines
from brew.solver.solver import Solver

pytestmark = pytest.mark.onednn


def convolution(name: str, bottom: str, top: str, outputs: int, rest: str = "kernel_size: 3 pad: 1") -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top}" convolution_param {{ '
        f'num_output: {outputs} bias_term: false weight_filler {{ type: "msra" }} {rest} }} }}\n'
    )


def normalised(top: str, *, relu: bool = True) -> str:
    text = f"""
    layer {{ name: "{top}/bn" type: "BatchNorm" bottom: "{top}" top: "{top}"
      batch_norm_param {{ moving_average_fraction: 0.9 }} }}
    layer {{ name: "{top}/scale" type: "Scale" bottom: "{top}" top: "{top}" scale_param {{ bias_term: true
      filler {{ type: "gaussian" mean: 1 std: 0.2 }} bias_filler {{ type: "gaussian" std: 0.2 }} }} }}
    """
    return text + relu * f'layer {{ name: "{top}/relu" type: "ReLU" bottom: "{top}" top: "{top}" }}\n'


def start(channels: int = 3, batch: int = 4) -> str:
    return f"""
    layer {{ name: "in" type: "Input" top: "data" top: "label" input_param {{
      shape {{ dim: {batch} dim: {channels} dim: 12 dim: 12 }} shape {{ dim: {batch} }} }} }}
    """


def end(bottom: str) -> str:
    return f"""
    layer {{ name: "pool" type: "Pooling" bottom: "{bottom}" top: "pool"
      pooling_param {{ pool: AVE global_pooling: true }} }}
    layer {{ name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
      inner_product_param {{ num_output: 5 weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
    """


RESIDUAL = (
    start()
    + convolution("a", "data", "a", 27)
    + normalised("a")
    + convolution("b", "a", "b", 27)
    + normalised("b")
    + convolution("c", "b", "c", 27, "kernel_size: 1")
    + normalised("c", relu=False)
    + 'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "c" top: "sum" }\n'
    + 'layer { name: "sum/relu" type: "ReLU" bottom: "sum" top: "sum" }\n'
    + end("sum")
)
SEPARABLE = (
    start()
    + convolution("a", "data", "a", 16, "kernel_size: 3 stride: 2")
    + normalised("a")
    + convolution("dw", "a", "dw", 16, "kernel_size: 3 pad: 1 group: 16")
    + normalised("dw")
    + convolution("sep", "dw", "sep", 24, "kernel_size: 1")
    + normalised("sep")
    + end("sep")
)
RECTIFIED = (
    start()
    + convolution("a", "data", "a", 20)
    + 'layer { name: "a/relu" type: "ReLU" bottom: "a" top: "a" relu_param { negative_slope: 0.1 } }\n'
    + convolution("b", "a", "b", 8)
    + 'layer { name: "b/relu" type: "ReLU" bottom: "b" top: "b" }\n'
    + end("b")
)
MULTIPLIED = (
    start(batch=40)
    + 'layer { name: "b" type: "InnerProduct" bottom: "data" top: "b"'
    + ' inner_product_param { num_output: 30 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.2 } } }'
    + 'layer { name: "b/relu" type: "ReLU" bottom: "b" top: "b" relu_param { negative_slope: 0.1 } }\n'
    + end("b").replace("global_pooling: true", "kernel_size: 1").replace('bottom: "b"', 'bottom: "planes"').replace(
        "layer {", 'layer { name: "planes" type: "Reshape" bottom: "b" top: "planes"'
        " reshape_param { shape { dim: 0 dim: 30 dim: 1 dim: 1 } } } layer {", 1,
    )
)  # fmt: skip


def net_of(text: str, *, phase: int = brew.TRAIN, fuse: bool = True, keep: Sequence[str] | None = None,
           forward_only: bool = False) -> Net:  # fmt: skip
    param = prototxt.parse(text, NetParameter)
    return Net(param, phase=phase, seed=5, engine="onednn", fuse=fuse, keep=keep, forward_only=forward_only)


def pair(text: str, *, phase: int = brew.TRAIN, forward_only: bool = False) -> list[Net]:
    """The same net with fusion and without, on the same data."""
    nets = [net_of(text, phase=phase, fuse=fuse, forward_only=forward_only) for fuse in (True, False)]
    for net in nets:
        feed(net)
        if phase == brew.TEST:
            statistics(net)
    return nets


def feed(net: Net, seed: int = 0) -> None:
    random, data = np.random.default_rng(seed), net.blobs["data"]
    data.data[...] = random.normal(size=data.shape)
    net.blobs["label"].data[...] = random.integers(5, size=net.blobs["label"].shape)


def statistics(net: Net) -> None:
    """Averages as after some training."""
    random = np.random.default_rng(1)
    for name, blobs in net.params.items():
        if net.layer_dict[name].type == "BatchNorm":
            blobs[0].data[...] = random.normal(size=blobs[0].shape)
            blobs[1].data[...] = random.uniform(1, 3, size=blobs[1].shape)
            blobs[2].data[...] = 2


def groups(net: Net) -> list[str]:
    """Which layers run together, by the first letters of their types."""
    return ["".join(m.layer.type[0] for m in g.step.members) for g in net.executor.fused.groups]


def close(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32], what: str, loose: float = 1) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=loose * 1e-5 * max(abs(other).max(), 1e-2), err_msg=what)


def same(one: Net, other: Net) -> None:
    """Every value and every gradient there is. Those of scales are sums of what nearly cancels out: norms follow."""
    for name in one.blobs:
        close(one.blobs[name].data, other.blobs[name].data, f"{name}.data")
        close(one.blobs[name].diff, other.blobs[name].diff, f"{name}.diff", 5)
    for name in one.params:
        for i, (a, b) in enumerate(zip(one.params[name], other.params[name], strict=True)):
            close(a.data, b.data, f"{name}[{i}].data")
            close(a.diff, b.diff, f"{name}[{i}].diff", 20)


NETS = pytest.mark.parametrize("text", [RESIDUAL, SEPARABLE, RECTIFIED, MULTIPLIED],
                               ids=["residual", "separable", "rectified", "multiplied"])  # fmt: skip
PHASES = pytest.mark.parametrize("phase", [brew.TRAIN, brew.TEST], ids=["train", "test"])


def test_what_runs_together():
    assert groups(net_of(RESIDUAL)) == ["BSR", "BSR", "BSER"]
    assert groups(net_of(_not_in_place(RESIDUAL))) == ["BSR", "BSR", "BS", "ER"]
    assert groups(net_of(RESIDUAL, phase=brew.TEST, forward_only=True)) == ["CBSR", "CBSR", "CBS", "ER"]
    assert groups(net_of(RESIDUAL, phase=brew.TEST)) == ["BSR", "BSR", "BSER"]  # its layers have gradients
    assert groups(net_of(RECTIFIED)) == ["CR", "CR"]
    assert groups(net_of(MULTIPLIED)) == ["IR"]
    assert groups(net_of(MULTIPLIED.replace("40", "4"))) == []  # a small batch is not one product
    assert groups(net_of(RESIDUAL, fuse=False)) == []


@PHASES
@NETS
def test_values_and_gradients_are_those_of_the_single_layers(text: str, phase: int):
    nets = pair(text, phase=phase)
    for _ in range(2):
        for net in nets:
            net.forward()
            net.backward()
    same(*nets)


@NETS
def test_training_takes_the_same_course(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "net.prototxt").write_text(text)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.05 lr_policy: "fixed" momentum: 0.9 max_iter: 20 random_seed: 3'
    )
    losses: list[list[float]] = []
    monkeypatch.setattr(mode._mode, "engine", "onednn")
    for fuse in (True, False):
        monkeypatch.setattr(mode._mode, "fuse", fuse)
        solver = Solver(tmp_path / "solver.prototxt")
        feed(solver.net)
        losses.append([])
        for _ in range(20):
            solver.step(1)
            losses[-1].append(solver.net.loss())
    np.testing.assert_allclose(*losses, rtol=1e-4, atol=1e-5)
    assert losses[0][-1] < losses[0][0]


@PHASES
@NETS
def test_runs_of_parts(text: str, phase: int):
    nets = pair(text, phase=phase)
    middle = "b/relu" if "b/relu" in nets[0].layer_dict else "dw/scale"
    for net in nets:
        net.forward()
        net.forward(start=middle)
        net.backward(end=middle)
        net.backward()
        net.forward(end=middle)
        net.backward(start=middle)
    same(*nets)


@NETS
def test_parts_in_every_order(text: str):
    nets = pair(text)
    random = np.random.default_rng(2)
    cuts = random.integers(len(nets[0].layers), size=(8, 2))
    for net in nets:
        net.forward()
        net.backward()
        for first, last in np.sort(cuts, axis=1):
            net.run_forward(int(first), int(last))
            net.run_backward(int(last), int(first))
        net.clear_param_diffs()
        net.forward()
        net.backward()
    same(*nets)


@pytest.mark.parametrize("when", ["before_forward", "after_forward", "before_backward", "after_backward"])
def test_callbacks_see_every_layer(when: str):
    nets, seen = pair(RESIDUAL), ([], [])
    for net, values in zip(nets, seen, strict=True):
        net.forward()
        net.backward()

        def look(number: int, net: Net = net, values: list[float] = values) -> None:
            blob = net.blobs[net.top_names[net.layers[number].name][0]]
            values.append(float(abs(blob.data).mean() + abs(blob.diff).mean()))

        getattr(net, when)(look)
        net.forward()
        net.backward()
    assert len(seen[0]) == len(nets[0].layers)
    np.testing.assert_allclose(*seen, rtol=1e-5)
    same(*nets)


def test_what_is_written_into_a_blob_between_two_parts_counts():
    nets = pair(RESIDUAL)
    for net in nets:
        net.forward()
        net.blobs["b"].data[...] += 1
        net.forward(start="b/scale")
        net.backward()
    same(*nets)


@PHASES
def test_shapes_change_at_run_time(phase: int):
    nets = pair(RESIDUAL, phase=phase)
    for shape in ((2, 3, 12, 12), (4, 3, 9, 10), (6, 3, 12, 12)):
        for net in nets:
            net.blobs["data"].reshape(*shape)
            net.blobs["label"].reshape(shape[0])
            feed(net, shape[0])
            net.forward()
            net.backward()
        same(*nets)


def _write(net: Net) -> None:
    for blobs in net.params.values():
        blobs[0].data[...] *= 1.5


def _share(net: Net) -> None:
    """Written to by another net that shares the parameters."""
    other = Net(prototxt.parse(RESIDUAL, NetParameter), phase=brew.TRAIN, seed=5, share=net, engine="onednn")
    _write(other)


@pytest.mark.parametrize("change", [_write, _share])
def test_folded_weights_follow_what_they_are_made_of(change: Callable[[Net], None]):
    nets = pair(RESIDUAL, phase=brew.TEST, forward_only=True)
    before = [net.forward()["loss"].copy() for net in nets]
    for net in nets:
        change(net)
    after = [net.forward()["loss"].copy() for net in nets]
    close(*after, "loss")
    assert abs(after[0] - before[0]) > 1e-2


DEPLOY = (
    RESIDUAL[: RESIDUAL.index('layer { name: "loss"')].replace('top: "label" ', "").replace(" shape { dim: 4 }", "")
)


def test_a_blob_nobody_keeps_is_skipped():
    every, some, none = (net_of(DEPLOY, phase=brew.TEST, keep=keep) for keep in (None, ["c"], []))
    assert groups(every) == groups(some) == ["CBSR", "CBSR", "CBS", "ER"]
    assert groups(none) == ["CBSR", "CBSR", "CBSER"]
    values = []
    for net in (every, some, none):
        statistics(net)
        net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=net.blobs["data"].shape)
        values.append(net.forward()["ip"].copy())
    close(values[1], values[0], "ip")
    close(values[2], values[0], "ip")
    close(some.blobs["c"].data, every.blobs["c"].data, "c")


def test_a_blob_that_was_looked_at_is_skipped_no_more():
    every, none = (net_of(DEPLOY, phase=brew.TEST, keep=keep) for keep in (None, []))
    for net in (every, none):
        statistics(net)
        net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=net.blobs["data"].shape)
    view = none.blobs["c"].data
    every.forward()
    none.forward()
    close(view, every.blobs["c"].data, "c")
    close(none.blobs["ip"].data, every.blobs["ip"].data, "ip")


def test_keep_names_blobs_there_are():
    with pytest.raises(brew.BrewError, match=r'no blob "summ" \(did you mean "sum"'):
        net_of(RESIDUAL, keep=["summ"])


def test_the_plan_can_be_read():
    lines = {line.name: line for line in plan_lines(net_of(RESIDUAL).executor)}
    assert lines["b/bn"] == PlanLine("b/bn", "BatchNorm", "oneDNN", lines["b"].layout, "b/bn", "", (), {})
    assert lines["b"].layout.startswith("blocks of")
    assert lines["b/relu"].together == "b/bn"
    assert lines["b"].writes_into == "b/bn"
    assert lines["b"].together == lines["loss"].together == ""
    assert any(line.conversions for line in lines.values())
    assert not any(line.together for line in plan_lines(net_of(RESIDUAL, fuse=False).executor))


def test_every_group_of_the_table_is_computed_by_a_class_of_the_engine():
    assert ENGINE.groups
    for types in ENGINE.groups:
        assert issubclass(ENGINE.fused_class(types), Fused)
    modules = {ENGINE.fused_class(types).__module__ for types in ENGINE.groups}
    offered = {cls for module in modules for cls in vars(sys.modules[module]).values() if concrete(cls, module)}
    assert offered == {ENGINE.fused_class(types) for types in ENGINE.groups}


def concrete(cls: object, module: str) -> bool:
    return isinstance(cls, type) and issubclass(cls, Fused) and cls.__module__ == module and cls.__name__[0] != "_"


def test_a_value_that_no_backward_reads_is_not_kept_for_it():
    net = net_of(RESIDUAL, keep=[])
    net.forward()
    forward_ends = len(net.layers)
    last = {name: net.blobs[name].data_memory.lease.piece.spans[0][1] for name in ("b", "c", "sum")}  # type: ignore[union-attr]
    assert last["c"] < forward_ends  # the sum's backward reads nothing, and BatchNorm's its own copy of what it read
    assert last["b"] >= forward_ends  # a convolution reads it


def _not_in_place(text: str) -> str:
    """Without a ReLU: BatchNorm of c gives a blob of its own."""
    for line in ('type: "BatchNorm" bottom: "c" top: ', 'type: "Scale" bottom: ', 'bottom: "a" bottom: '):
        text = text.replace(f'{line}"c"', f'{line}"n"')
    return text.replace('type: "Scale" bottom: "n" top: "c"', 'type: "Scale" bottom: "n" top: "n"')


@pytest.mark.parametrize("text", [RESIDUAL, _not_in_place(RESIDUAL)], ids=["in place", "not in place"])
@pytest.mark.parametrize("cut", ["c/scale", "b/relu", "b/scale"])
def test_a_row_that_is_cut_in_backward_spoils_nothing(text: str, cut: str, poisoned: Callable[[Net], Net]):
    """Its members compute again what they need, in memory that may be others' by then."""
    every, none = net_of(text, fuse=False), poisoned(net_of(text, keep=["data", "label"]))
    for net in (every, none):
        feed(net)
        net.forward()
        net.run_backward(end=list(net.layer_dict).index(cut))
        net.run_backward(list(net.layer_dict).index(cut) - 1)
    for name in every.params:
        for i, (a, b) in enumerate(zip(none.params[name], every.params[name], strict=True)):
            close(a.diff, b.diff, f"{name}[{i}].diff", 20)


def test_the_trunk_of_a_residual_net_keeps_its_gradient_in_one_place():
    net = net_of(RESIDUAL, keep=["data", "label"])
    feed(net)
    net.forward()
    net.backward()
    end = next(group.step for group in net.executor.fused.groups if len(group.step.members) == 4)
    assert end.io is not None
    branch, trunk = end.io.dx
    assert trunk is not None and np.shares_memory(trunk, end.io.dy[0]) and not np.shares_memory(branch, trunk)


def test_a_scale_over_further_axes_of_size_1_is_folded() -> None:
    text = (
        'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 8 dim: 1 dim: 1 } } }\n'
        + convolution("c", "data", "c", 24, "kernel_size: 1")
        + 'layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { num_axes: -1 bias_term: true'
        ' filler { type: "uniform" min: 1 max: 2 } bias_filler { type: "uniform" min: -1 } } }\n'
    )
    found = []
    for fuse in (True, False):
        net = net_of(text, phase=brew.TEST, fuse=fuse, forward_only=True)
        assert groups(net) == (["CS"] if fuse else [])
        found.append(net.forward(data=np.random.default_rng(0).normal(size=(2, 8, 1, 1)))["c"].copy())
    close(*found, "c")
