"""debug_info: Caffe's lines, word for word, with numbers computed here; and the callbacks it stands on."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

# One fully connected layer, weights shared with a second one, and a loss.
TEXT = """
name: "tiny" force_backward: true
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 2 } shape { dim: 2 dim: 2 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } inner_product_param {
  num_output: 2 bias_term: true weight_filler { type: "constant" value: -0.5 } bias_filler { type: "constant" value: 3 } } }
layer { name: "ip2" type: "InnerProduct" bottom: "a" top: "y" param { name: "w" }
  inner_product_param { num_output: 2 bias_term: false } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
X, T = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32), np.array([[0.5, 1.0], [-1.0, 2.0]], np.float32)


def tiny(text: str = TEXT, device: str = "cpu") -> Net:
    net = Net(prototxt.parse(text, NetParameter, "net.prototxt"), brew.TRAIN, seed=3, device=device)
    net.blobs["x"].data[...], net.blobs["t"].data[...] = X, T
    return net


def mean(x: object) -> str:
    return f"{np.abs(np.asarray(x, np.float64)).mean():g}"


def expected() -> tuple[list[str], list[str]]:
    """The lines of a forward and of a backward pass of the tiny net."""
    w, b = np.full((2, 2), -0.5), np.full(2, 3.0)
    a = X @ w.T + b
    y = a @ w.T
    loss = ((y - T) ** 2).sum() / 4
    dy = (y - T) / 2
    da, dw2 = dy @ w, dy.T @ a
    dx, dw1, db = da @ w, da.T @ X, da.sum(0)
    data, diff = np.concatenate([w.ravel(), b]), np.concatenate([(dw1 + dw2).ravel(), db])
    forward = [
        f"    [Forward] Layer in, top blob x data: {mean(X)}",
        f"    [Forward] Layer in, top blob t data: {mean(T)}",
        f"    [Forward] Layer ip1, top blob a data: {mean(a)}",
        "    [Forward] Layer ip1, param blob w data: 0.5",
        "    [Forward] Layer ip1, param blob 1 data: 3",
        f"    [Forward] Layer ip2, top blob y data: {mean(y)}",
        "    [Forward] Layer ip2, param blob w data: 0.5",
        f"    [Forward] Layer loss, top blob loss data: {loss:g}",
    ]
    backward = [
        f"    [Backward] Layer loss, bottom blob y diff: {mean(dy)}",
        f"    [Backward] Layer loss, bottom blob t diff: {mean(dy)}",
        f"    [Backward] Layer ip2, bottom blob a diff: {mean(da)}",
        f"    [Backward] Layer ip2, param blob 0 diff: {mean(dw2)}",
        f"    [Backward] Layer ip1, bottom blob x diff: {mean(dx)}",
        f"    [Backward] Layer ip1, param blob 0 diff: {mean(dw1 + dw2)}",
        f"    [Backward] Layer ip1, param blob 1 diff: {mean(db)}",
        "    [Backward] All net params (data, diff): "
        f"L1 norm = ({np.abs(data).sum():g}, {np.abs(diff).sum():g}); "
        f"L2 norm = ({np.linalg.norm(data):g}, {np.linalg.norm(diff):g})",
    ]
    return forward, backward


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "brew")
    return caplog


def test_a_pass_says_caffes_lines(device: str, said: pytest.LogCaptureFixture):
    net = tiny("debug_info: true " + TEXT, device)
    forward, backward = expected()
    said.clear()
    net.forward()
    assert said.messages == forward
    said.clear()
    net.backward()
    assert said.messages == backward
    assert [record.glog for record in said.records] == [  # type: ignore[attr-defined]
        f"net.cpp:{line}" for line in (619, 619, 619, 630, 619, 630, 630, 719)
    ]


def test_part_of_a_backward_pass_says_no_totals(said: pytest.LogCaptureFixture):
    net = tiny("debug_info: true " + TEXT)
    net.forward()
    said.clear()
    net.run_backward(2, 0)
    assert said.messages and not any("All net params" in message for message in said.messages)


def test_an_update_says_weights_before_and_steps(device: str, said: pytest.LogCaptureFixture):
    net = tiny(device=device)
    net.debug_info.on = True
    weights, bias = net.params["ip1"]
    said.clear()
    with net.debug_info.updating():
        weights.diff[...], bias.diff[...] = 0.25, [-1.0, 2.0]
        for blob in (weights, bias):
            blob.data[...] -= blob.diff
            blob.data_memory.upload()
            blob.diff_memory.upload()
    assert said.messages == [
        "    [Update] Layer ip2, param blob w (owned by layer ip1, param w) diff: 0.25",
        "    [Update] Layer ip1, param w data: 0.5; diff: 0.25",
        "    [Update] Layer ip1, param 1 data: 3; diff: 1.5",
    ]


def test_it_is_off_until_it_is_asked_for_and_again_after(said: pytest.LogCaptureFixture):
    net = tiny()
    net.debug_info.on = True
    net.debug_info.on = False
    said.clear()
    net.forward()
    net.backward()
    with net.debug_info.updating():
        pass
    assert not said.messages
    assert not net.debug_info.on


def test_numbers_that_are_none_and_blobs_of_nothing(device: str, said: pytest.LogCaptureFixture):
    text = 'debug_info: true layer { name: "in" type: "Input" top: "x" top: "e" input_param { shape { dim: 2 } shape { dim: 0 } } }'
    net = Net(prototxt.parse(text, NetParameter, "net.prototxt"), brew.TEST, device=device)
    net.blobs["x"].data[...] = [np.inf, 1]
    said.clear()
    net.forward()
    assert [message[-3:] for message in said.messages] == ["inf", "nan"]


def test_old_nets_keep_the_flag(tmp_path: Path):
    (tmp_path / "v1.prototxt").write_text(
        'debug_info: true layers { name: "in" type: DUMMY_DATA top: "x" dummy_data_param { shape { dim: 1 } } }'
    )
    assert Net(tmp_path / "v1.prototxt", brew.TEST).debug_info.on


def test_callbacks_stand_around_every_layer(device: str):
    net, seen = tiny(device=device), []
    net.before_forward(lambda number: seen.append(("before", number, float(net.blobs["loss"].data))))
    net.after_forward(lambda number: seen.append(("after", number, float(net.blobs["loss"].data))))
    loss = float(net.forward()["loss"])
    assert [entry[:2] for entry in seen] == [(when, number) for number in range(4) for when in ("before", "after")]
    assert [entry[2] for entry in seen] == [0] * 7 + [loss]  # the views of the host keep in step within the pass
    seen.clear()
    net.before_backward(lambda number: seen.append(("before", number)))
    net.after_backward(lambda number: seen.append(("after", number)))
    net.backward()
    assert seen == [(when, number) for number in (3, 2, 1, 0) for when in ("before", "after")]


def test_what_a_callback_writes_is_what_the_next_layer_reads(device: str):
    net = tiny(device=device)

    def silence(number: int) -> None:
        if number == 1:
            net.blobs["a"].data[...] = 0

    net.after_forward(silence)
    net.run_forward()
    assert not net.blobs["y"].data.any()
