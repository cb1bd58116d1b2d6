from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.net.net import Net
from brew.testing import run_layer


@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
@pytest.mark.parametrize(("fields", "y"), [("", [0, 0, 1, 1, 0]), ("threshold: 0.5", [0, 0, 0, 1, 0])])
def test_worked_by_hand(names, fields, y, device):
    text = f'type: "Threshold" threshold_param {{ {fields} }} {names}'
    run = run_layer(text, [[-1, 0, 0.5, 0.75, np.nan]], top_diffs=[np.ones(5)], device=device)
    assert run.tops[0].tolist() == y
    assert run.bottom_diffs == [None]


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 20000)])
def test_shapes(shape, device):
    x = np.random.default_rng(0).standard_normal(shape)
    assert (run_layer('type: "Threshold"', [x], device=device).tops[0] == (x > 0)).all()


def test_a_net_that_needs_its_gradient(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "fc" type: "InnerProduct" bottom: "x" top: "f" inner_product_param { num_output: 1 } }
        layer { name: "over" type: "Threshold" bottom: "f" top: "y" }
        layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "y" top: "l" }"""
    )
    with pytest.raises(NetError, match=r'layer "over" \(Threshold\): cannot give a gradient to bottom 0 \("f"\)'):
        Net(path, 0)
