from __future__ import annotations

import numpy as np
import pytest

from brew.errors import BrewError
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import parse
from brew.testing import run_layer


def dummy(fields, tops=1):
    names = " ".join(f'top: "t{i}"' for i in range(tops))
    return f'name: "d" type: "DummyData" {names} dummy_data_param {{ {fields} }}'


GAUSSIAN = 'data_filler { type: "gaussian" }'


@pytest.mark.parametrize(
    ("fields", "tops", "shapes"),
    [
        ("shape { dim: 2 dim: 3 }", 1, [(2, 3)]),
        ("shape { dim: 2 dim: 3 }", 2, [(2, 3), (2, 3)]),
        ("shape { dim: 2 } shape { dim: 3 dim: 0 }", 2, [(2,), (3, 0)]),
        ("shape { }", 1, [()]),
        ("num: 2 channels: 3 height: 4 width: 5", 2, [(2, 3, 4, 5), (2, 3, 4, 5)]),
        ("num: 2 num: 1 channels: 3 height: 4 width: 5 width: 6", 2, [(2, 3, 4, 5), (1, 3, 4, 6)]),
    ],
)
def test_shapes(fields, tops, shapes, device):
    run = run_layer(dummy(fields, tops), [], device=device)
    assert [top.shape for top in run.tops] == shapes
    assert all((top == 0).all() for top in run.tops)  # without a filler


def test_one_filler_for_all_or_one_each(device):
    one = run_layer(dummy("shape { dim: 2 } data_filler { value: 3 }", 2), [], device=device)
    assert [top.tolist() for top in one.tops] == [[3, 3], [3, 3]]
    fields = "shape { dim: 2 } data_filler { value: 3 } data_filler { value: 4 }"
    each = run_layer(dummy(fields, 2), [], device=device)
    assert [top.tolist() for top in each.tops] == [[3, 3], [4, 4]]


def test_draws_anew_in_every_pass_the_same_everywhere(device):
    def draw(passes, where=device, seed=1):
        fields = f"shape {{ dim: 500 }} {GAUSSIAN}"
        return run_layer(dummy(fields, 2), [], device=where, passes=passes, seed=seed).tops

    first, other = draw(0)
    assert abs(first.mean()) < 0.2 and 0.8 < first.std() < 1.2
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, draw(1)[0])
    assert not np.array_equal(first, draw(0, seed=2)[0])
    assert np.array_equal(draw(3)[0], draw(3, "cpu")[0])


def test_a_constant_is_written_once(device):
    net = Net(
        parse(f"layer {{ {dummy('shape { dim: 2 } data_filler { value: 3 }')} }}", NetParameter).message, device=device
    )
    net.forward()
    assert net.blobs["t0"].data.tolist() == [3, 3]
    net.blobs["t0"].data[...] = 5
    net.forward()
    assert net.blobs["t0"].data.tolist() == [5, 5]


@pytest.mark.parametrize(
    ("fields", "tops", "what"),
    [
        ("", 1, "0 num for 1 tops"),
        ("shape { dim: 1 } num: 1", 1, "both shape and num are given"),
        ("shape { dim: 1 } shape { dim: 1 }", 3, "2 shape for 3 tops"),
        ("shape { dim: -1 }", 1, "negative size"),
        ("shape { dim: 1 } data_filler { } data_filler { }", 3, "2 data_filler for 3 tops"),
        ('shape { dim: 1 } data_filler { type: "gausian" }', 1, 'unknown filler "gausian"'),
        ('shape { dim: 1 } data_filler { type: "bilinear" }', 1, "4 axes"),
    ],
)
def test_wrong_parameters(fields, tops, what):
    with pytest.raises(BrewError, match=what):
        run_layer(dummy(fields, tops), [])
