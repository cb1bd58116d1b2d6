"""Poisoned memory is spoilt wherever a net begins on it: else the random nets would look for less than they seem to."""

from __future__ import annotations

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from differential.poison import poisoned, unwritten

NET = """
force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 8 dim: 4 dim: 4 } } }
layer { name: "a" type: "Sigmoid" bottom: "x" top: "a" }
layer { name: "n" type: "LRN" bottom: "a" top: "n" }
layer { name: "b" type: "Sigmoid" bottom: "n" top: "b" }
layer { name: "c" type: "Sigmoid" bottom: "b" top: "c" }
"""


@pytest.mark.parametrize("keep", [None, []])
def test_what_nobody_has_written_is_spoilt(keep: list[str] | None) -> None:
    with poisoned():
        net = Net(prototxt.parse(NET, NetParameter), brew.TRAIN, engine="caffe", keep=keep)
        unwritten(net)
        net.executor.reshape()
        lrn = net.executor.steps[2]
        lrn.leases = {}  # as if it had outgrown them: what it saves for backward, and its scratch, lie elsewhere
        lrn.unbind()
        spoilt = [*net.executor.refresh(2).work.values()]
    arena = net.executor.memory.arena
    spoilt += [arena.flat(dtype) for dtype in arena.sizes]
    spoilt += [net.blobs[name].data_memory.array(net.blobs[name].shape) for name in "abc"]
    spoilt += [net.blobs[name].diff_memory.array(net.blobs[name].shape) for name in "ab"]
    assert all(array.size and np.isnan(array).all() for array in spoilt)


def test_memory_is_as_it_comes_without() -> None:
    net = Net(prototxt.parse(NET, NetParameter), brew.TRAIN, engine="caffe")
    unwritten(net)
    net.executor.reshape()
    assert not net.blobs["c"].data_memory.array(net.blobs["c"].shape).any()
