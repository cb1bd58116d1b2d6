"""The moving average of weights: its formula, its place in the net and out of it, its files; on both devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brew
from brew import cuda
from brew.cpu import workers
from brew.net.net import Net
from brew.solver.update.average import WeightAverage

NET = """
name: "averaged"
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 2 dim: 2 } } }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "bn" batch_norm_param { moving_average_fraction: 0.5 } }
layer { name: "ip" type: "InnerProduct" bottom: "bn" top: "ip" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.5 } } }
"""
Values = dict[tuple[str, int], np.ndarray[Any, Any]]


def make(folder: Path, device: str) -> Net:
    (folder / "net.prototxt").write_text(NET)
    return Net(folder / "net.prototxt", brew.TRAIN, device=device, seed=3, history_slots=2)


def values(net: Net) -> Values:
    """Copies of all parameters, without exposing them."""
    return {
        (name, i): np.array(blob.data_memory.host(blob.shape))
        for name, blobs in net.params.items() for i, blob in enumerate(blobs)
    }  # fmt: skip


def move(net: Net, number: int) -> None:
    """Weights change, as by an update."""
    rng = np.random.default_rng(number)
    for blobs in net.params.values():
        for blob in blobs:
            net.parameters.write(blob, rng.normal(size=blob.shape).astype(np.float32))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PIECE", 5)


def assert_equal(got: Values, expected: Values) -> None:
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value, err_msg=str(key))


def test_the_average_is_its_formula_and_statistics_are_in_it(tmp_path: Path, device: str) -> None:
    net = make(tmp_path, device)
    kept = WeightAverage(net.parameters, 0.4)
    expected = {key: value.astype(np.float64) for key, value in values(net).items()}
    for t, decay in enumerate([0.1, 2 / 11, 3 / 12, 4 / 13, 5 / 14, 0.4, 0.4]):  # (1 + t) / (10 + t), then 0.4
        move(net, t)
        kept.update(t)
        expected = {key: decay * expected[key] + (1 - decay) * value for key, value in values(net).items()}
    with kept.averaged():
        for key, value in values(net).items():
            np.testing.assert_allclose(value, expected[key], rtol=1e-5, atol=1e-6, err_msg=str(key))
    assert ("bn", 2) in expected


def test_the_net_gets_its_own_weights_back_bit_for_bit(tmp_path: Path, device: str) -> None:
    net = make(tmp_path, device)
    test_net = Net(tmp_path / "net.prototxt", brew.TEST, device=device, seed=3, share=net)
    view = net.params["ip"][0].data  # a host view, which has to follow
    kept = WeightAverage(net.parameters, 0.9)
    move(net, 1)
    kept.update(0)
    trained = values(net)
    with kept.averaged():
        inside = values(net)
        assert not np.array_equal(inside["ip", 0], trained["ip", 0])
        np.testing.assert_array_equal(view, inside["ip", 0])
        assert_equal(values(test_net), inside)
        with kept.trained():
            assert_equal(values(net), trained)
        with kept.averaged():
            assert_equal(values(net), inside)
        with pytest.raises(RuntimeError, match="nothing to take in"):
            kept.update(1)
    assert_equal(values(net), trained)
    np.testing.assert_array_equal(view, trained["ip", 0])
    with pytest.raises(KeyError), kept.averaged():
        raise KeyError
    assert_equal(values(net), trained)


def test_what_is_written_to_a_host_view_is_not_lost(tmp_path: Path, device: str) -> None:
    net = make(tmp_path, device)
    net.params["ip"][1].data[...] = 7
    kept = WeightAverage(net.parameters, 0.9)
    net.params["ip"][1].data[...] = 9
    with kept.averaged():
        np.testing.assert_array_equal(net.params["ip"][1].data, 7)
    np.testing.assert_array_equal(net.params["ip"][1].data, 9)
    kept.reset()
    with kept.averaged():
        np.testing.assert_array_equal(net.params["ip"][1].data, 9)


@pytest.mark.parametrize("ending", [".caffemodel", ".caffemodel.h5"])
def test_a_file_brings_the_average_back(ending: str, tmp_path: Path, device: str) -> None:
    net = make(tmp_path, device)
    kept = WeightAverage(net.parameters, 0.9)
    move(net, 1)
    kept.update(0)
    trained, path = values(net), tmp_path / f"average{ending}"
    with kept.averaged():
        inside = values(net)
        net.save(path)
    assert_equal(values(net), trained)

    other = make(tmp_path, device)
    before = values(other)
    restored = WeightAverage(other.parameters, 0.9)
    restored.restore(path)
    assert_equal(values(other), before)
    with restored.averaged():
        assert_equal(values(other), inside)


def test_an_update_allocates_nothing_of_the_nets_size(
    tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = WeightAverage(make(tmp_path, device).parameters, 0.9)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("allocated or copied")

    for name in ("empty", "zeros", "asarray", "asnumpy"):
        monkeypatch.setattr(cuda, name, refuse)
    kept.update(0)  # makes the scratch of a piece
    monkeypatch.setattr(workers.np, "empty", refuse)
    address = kept.values.ctypes.data if device == "cpu" else kept.values.data.ptr  # type: ignore[attr-defined]
    kept.update(0)
    with kept.averaged():
        pass
    assert address == (kept.values.ctypes.data if device == "cpu" else kept.values.data.ptr)  # type: ignore[attr-defined]
