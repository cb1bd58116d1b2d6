"""The choice of the CPU's engine."""

from __future__ import annotations

import pytest

from brew import prototxt
from brew.cpu import onednn
from brew.cpu.llvm import compiler
from brew.errors import DeviceError, NetError
from brew.graph.definition import Wish
from brew.net import engine
from brew.net.engine import chosen
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter


@pytest.mark.parametrize(
    ("order", "wish", "with_library", "without"),
    [
        ("default", "", "onednn", "caffe"),
        ("default", "CAFFE", "caffe", "caffe"),
        ("default", "CUDNN", "onednn", "caffe"),
        ("default", "ONEDNN", "onednn", "caffe"),
        ("default", "MKLDNN", "onednn", "caffe"),
        ("default", "MKL2017", "onednn", "caffe"),
        ("caffe", "ONEDNN", "caffe", "caffe"),
        ("onednn", "CAFFE", "onednn", None),
    ],
)
def test_an_order_goes_before_a_wish(
    monkeypatch: pytest.MonkeyPatch, order: str, wish: str, with_library: str, without: str | None
):
    monkeypatch.setattr(onednn, "why_not", lambda: None)
    assert chosen(order, Wish(wish)) == with_library
    monkeypatch.setattr(onednn, "why_not", lambda: "no libdnnl is installed")
    if without is None:
        with pytest.raises(DeviceError, match="no libdnnl is installed"):
            chosen(order, Wish(wish))
    else:
        assert chosen(order, Wish(wish)) == without


def test_a_wish_that_cannot_be_met_is_a_warning_at_its_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(onednn, "why_not", lambda: "no libdnnl is installed")
    text = 'engine: "MKLDNN"\nlayer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
    net = Net(prototxt.parse(text, NetParameter, "net.prototxt"), engine="default")
    assert net.engine == "caffe"
    assert "net.prototxt:1:1: engine ONEDNN is not here (no libdnnl is installed): NumPy computes" in caplog.messages


def test_names_that_are_none(monkeypatch: pytest.MonkeyPatch):
    text = 'engine: "ONEDN"'
    with pytest.raises(NetError, match=r'net.prototxt:1:1: engine "onedn" is none of .*did you mean "onednn"'):
        Net(prototxt.parse(text, NetParameter, "net.prototxt"))
    with pytest.raises(DeviceError, match="is none of default, caffe, onednn"):
        Net(prototxt.parse("", NetParameter), engine="fast")
    assert engine.NAMES == ("default", "caffe", "onednn")


def test_a_machine_is_another_one_with_another_library_or_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {engine.machine()}
    monkeypatch.setattr(onednn, "why_not", lambda: None)
    monkeypatch.setattr(onednn, "version", lambda: "4.0.0")
    names.add(engine.machine())
    monkeypatch.setattr(compiler, "why_not", lambda: None)
    monkeypatch.setattr(compiler, "origin", lambda: b"after an edit")
    names.add(engine.machine())
    assert len(names) == 3
