"""Memory used in turns: nothing that is still needed is overwritten, and no more is taken than that asks for."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net.memory_report import MemoryReport
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter


def chain(sizes: list[int], kind: str = "InnerProduct") -> str:
    """An input of 8 rows and a row of layers, blobs b0, b1 ..., each so many elements wide."""
    layers = [f'layer {{ name: "in" type: "Input" top: "b0" input_param {{ shape {{ dim: 8 dim: {sizes[0]} }} }} }}']
    for i, size in enumerate(sizes[1:], 1):
        param = f'inner_product_param {{ num_output: {size} weight_filler {{ type: "xavier" }} }}'
        layers.append(f'layer {{ name: "l{i}" type: "{kind}" bottom: "b{i - 1}" top: "b{i}" {param} }}')
    return "\n".join(layers)


def net_of(text: str, phase: int = brew.TEST, **options: object) -> Net:
    return Net(prototxt.parse(text, NetParameter), phase, seed=1, **options)  # type: ignore[arg-type]


def test_inference_needs_the_two_largest_neighbours(device: str) -> None:
    net = net_of(chain([16, 4096, 2048, 1024, 64, 16]), device=device, keep=[], engine="caffe")
    net.forward()
    assert 8 * 4 * (4096 + 2048) <= net.memory.arena < 1.1 * 8 * 4 * (4096 + 2048)
    assert net.memory.data == 8 * 4 * (16 + 16)  # input and output


@pytest.mark.parametrize("options", [{}, {"keep": []}, {"keep": [], "forward_only": True}])
def test_what_is_predicted_is_what_is_taken(options: dict[str, object]) -> None:
    text = chain([100_000] * 6, "Sigmoid")
    net_of(chain([4, 4, 4], "Sigmoid"), engine="caffe").forward()  # what is loaded once is there
    tracemalloc.start()
    net = net_of("force_backward: true\n" + text, engine="caffe", **options)
    net.run_forward()
    if "forward_only" not in options:
        net.run_backward()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken == pytest.approx(net.memory.total, rel=0.02)


@pytest.mark.parametrize("seed", range(12))
def test_any_graph_gives_what_it_gives_with_everything_kept(
    seed: int, device: str, poisoned: Callable[[Net], Net]
) -> None:
    text = _any_graph(np.random.default_rng(seed))
    everything, planned = (net_of(text, brew.TRAIN, device=device, keep=keep) for keep in (None, ["b0"]))
    again = net_of(text, brew.TRAIN, device=device, keep=["b0"], recompute=True)
    for net in (planned, again):
        poisoned(net)
    for rows in (4, 9, 2, 9):  # grows, shrinks, and grows again
        found = []
        for net in (everything, planned, again):
            net.blobs["b0"].reshape(rows, 3, 6, 6)
            net.blobs["b0"].data[...] = np.random.default_rng(rows).normal(size=(rows, 3, 6, 6))
            net.clear_param_diffs()
            if rows == 9 and net is not everything:
                net.executor.plan_shapes()  # the plan is another now
                poisoned(net)
            net.forward()
            for name in net.outputs:
                net.blobs[name].diff[...] = np.random.default_rng(1).normal(size=net.blobs[name].shape)
            net.backward()
            arrays = [net.blobs[name].data for name in net.outputs] + [net.blobs["b0"].diff]
            arrays += [blob.diff for blobs in net.params.values() for blob in blobs]
            found.append([np.array(a) for a in arrays])
        for a, b, c in zip(*found, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)


_ELTWISE = ["operation: PROD", "operation: MAX", "operation: SUM", "coeff: 1 coeff: -2", "coeff: 0.5 coeff: 1"]


def _any_graph(rng: np.random.Generator) -> str:
    """Layers of one blob or two over images of 6 x 6, some in place, read once or often."""
    lines = ["force_backward: true", 'layer { name: "in" type: "Input" top: "b0" input_param '
             "{ shape { dim: 4 dim: 3 dim: 6 dim: 6 } } }"]  # fmt: skip
    blobs = ["b0"]
    for i in range(1, 16):
        kind = rng.choice(
            ["ReLU", "Sigmoid", "Power", "Convolution", "Eltwise", "BatchNorm", "Scale", "LRN", "Dropout"]
        )
        bottoms = rng.choice(blobs[-4:], 2 if kind == "Eltwise" else 1)
        top = f"b{i}"
        param = {
            "Convolution": 'convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }',
            "Eltwise": f"eltwise_param {{ {rng.choice(_ELTWISE)} }}",
            "Power": "power_param { power: 2 }",
        }.get(str(kind), "")
        names = " ".join(f'bottom: "{b}"' for b in bottoms)
        lines.append(f'layer {{ name: "l{i}" type: "{kind}" {names} top: "{top}" {param} }}')
        if rng.random() < 0.4:
            lines.append(f'layer {{ name: "r{i}" type: "ReLU" bottom: "{top}" top: "{top}" }}')
        blobs.append(top)
    return "\n".join(lines)


def test_a_blob_that_is_looked_at_has_its_own_memory_from_the_next_pass_on(
    device: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = chain([4, 6, 6, 6, 6, 5])
    everything, net = net_of(text, device=device), net_of(text, device=device, keep=["b2"])
    for each in (everything, net):
        each.blobs["b0"].data[...] = 1
        each.forward()
    np.testing.assert_array_equal(net.blobs["b2"].data, everything.blobs["b2"].data)
    assert not caplog.records
    with caplog.at_level(logging.WARNING, "brew"):
        view = net.blobs["b1"].data
    assert '"b1" is not in keep=[...]' in caplog.text and not view.any()
    for _ in range(2):
        net.forward()
        np.testing.assert_array_equal(view, everything.blobs["b1"].data)


def test_a_gradient_looked_at_between_forward_and_backward_is_right_after_it(device: str) -> None:
    text = "force_backward: true\n" + chain([4, 6, 6, 6, 5])
    nets = [net_of(text, device=device, keep=keep) for keep in (None, [])]
    for net in nets:
        net.blobs["b0"].data[...] = 1
        net.forward()
        assert net.blobs["b2"].diff.shape == (8, 6)
        net.backward(b4=np.ones((8, 5)))
    np.testing.assert_array_equal(*(net.blobs["b2"].diff for net in nets))


def test_what_needs_values_that_are_gone_is_an_error() -> None:
    text = chain([4, 6, 6, 6, 6, 5])
    net = net_of(text, keep=[], forward_only=True)
    net.forward()
    with pytest.raises(brew.BrewError, match=r'needs "b2", whose memory others have used'):
        net.forward(start="l3")
    net = net_of("force_backward: true\n" + text, keep=[])
    net.forward()
    net.backward()
    with pytest.raises(brew.BrewError, match="backward runs once after each forward"):
        net.backward()
    with pytest.raises(brew.BrewError, match="it has no gradients"):
        net_of(chain([4, 5]), forward_only=True).backward()


def test_the_largest_batch_that_fits_leaves_the_parameters_their_room() -> None:
    report = MemoryReport(
        data=60, gradients=20, params=100, param_gradients=100, history=100, workspace=10, arena=10, batch=10
    )
    assert report.largest_batch(400) == 10 and report.largest_batch(800) == 50 and report.largest_batch(200) == 0


RESIDUAL = """
force_backward: true
layer { name: "in" type: "Input" top: "b0" input_param { shape { dim: 4 dim: 16 dim: 6 dim: 6 } } }
layer { name: "a" type: "Convolution" bottom: "b0" top: "a"
  convolution_param { num_output: 16 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b"
  convolution_param { num_output: 16 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "b/bn" type: "BatchNorm" bottom: "b" top: "b" }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
layer { name: "relu" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "c" type: "Convolution" bottom: "sum" top: "c"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
"""


def _trained(net: Net) -> Net:
    net.blobs["b0"].data[...] = np.random.default_rng(0).normal(size=net.blobs["b0"].shape)
    net.clear_param_diffs()
    net.forward()
    net.blobs["c"].diff[...] = np.random.default_rng(1).normal(size=net.blobs["c"].shape)
    net.backward()
    return net


@pytest.mark.onednn
def test_a_sum_leaves_its_gradient_where_a_summand_finds_it() -> None:
    net = _trained(net_of(RESIDUAL, brew.TRAIN, keep=[]))
    gradients = {name: blob.diff_memory.array(blob.shape) for name, blob in net.blobs.items()}
    summand = next(name for name in gradients if name.startswith("a_"))
    other = next(name for name in reversed(gradients) if name.startswith("a_"))
    assert summand != other
    shared = [name for name in (summand, other) if np.shares_memory(gradients[name], gradients["sum"])]
    assert len(shared) == 1  # the other is a convolution's
    assert np.shares_memory(gradients[shared[0]], gradients["a"])  # and both are added up there
    assert not np.shares_memory(gradients["b"], gradients["sum"])  # BatchNorm writes over it


@pytest.mark.onednn
@pytest.mark.parametrize("looked_at", ["sum", "a", "b", "split"])
def test_gradients_in_one_place_are_apart_for_who_looks_at_one(looked_at: str) -> None:
    everything, net = net_of(RESIDUAL, brew.TRAIN), net_of(RESIDUAL, brew.TRAIN, keep=[])
    names = [name for name in net.blobs if name.startswith("a_")] if looked_at == "split" else [looked_at]
    _trained(net)
    views = [net.blobs[name].diff for name in names]
    for _ in range(2):
        for each in (everything, net):
            _trained(each)
        for name, view in zip(names, views, strict=True):
            np.testing.assert_array_equal(view, everything.blobs[name].diff)
        for layer, blobs in net.params.items():
            for mine, theirs in zip(blobs, everything.params[layer], strict=True):
                np.testing.assert_array_equal(mine.diff, theirs.diff)


@pytest.mark.onednn
@pytest.mark.parametrize("layer", ["Threshold", "ReLU"])
@pytest.mark.parametrize("coefficients", [(-1.0, -1.0, 0.5), (1.0, 2.0, 1.0)])
def test_a_sum_in_place_lends_its_gradient_to_no_other_summand(
    layer: str, coefficients: tuple[float, float, float]
) -> None:
    """Nobody wants the gradient of the first summand behind a Threshold, but it is written over that of the sum."""
    coeff = "".join(f"coeff: {c} " for c in coefficients)
    text = f"""force_backward: true
        layer {{ name: "x" type: "Input" top: "x" top: "other"
          input_param {{ shape {{ dim: 2 dim: 16 }} shape {{ dim: 2 dim: 16 }} }} }}
        layer {{ name: "sharp" type: "{layer}" bottom: "x" top: "y" }}
        layer {{ name: "sum" type: "Eltwise" bottom: "y" bottom: "other" bottom: "x" top: "y" eltwise_param {{ {coeff} }} }}
        layer {{ name: "exp" type: "Exp" bottom: "y" top: "z" }}"""
    found = []
    for options in ({"engine": "caffe"}, {}, {"keep": ["x", "other"]}):
        net = net_of(text, **options)
        rng = np.random.default_rng(3)
        for name in ("x", "other"):
            net.blobs[name].data[...] = rng.normal(size=(2, 16))
        net.forward()
        net.blobs["z"].diff[...] = rng.normal(size=(2, 16))
        net.backward()
        found.append([net.blobs[name].diff.copy() for name in ("x", "other")])
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-5)
