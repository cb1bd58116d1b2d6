from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


def im2col(fields: str) -> str:
    return f'type: "Im2col" name: "columns" convolution_param {{ {fields} }}'


def test_worked_by_hand(device):
    run = run_layer(im2col("kernel_size: 2"), [[[[[1, 2, 3], [4, 5, 6]]]]], top_diffs=[np.ones((1, 4, 1, 2))],
                    device=device)  # fmt: skip
    assert run.tops[0].tolist() == [[[[1, 2]], [[2, 3]], [[4, 5]], [[5, 6]]]]
    assert run.bottom_diffs[0].tolist() == [[[[1, 2, 1], [1, 2, 1]]]]


@pytest.mark.parametrize(
    ("shape", "fields", "out"),
    [
        ((2, 3, 6, 5), "kernel_size: 3 stride: 2 pad: 1", (3, 3)),
        ((2, 3, 6, 5), "kernel_h: 1 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 2", (3, 7)),
        ((2, 1, 7, 6), "kernel_size: 2 dilation: 3", (4, 3)),
        ((1, 2, 9), "kernel_size: 4", (6,)),
        ((1, 2, 3, 4, 5), "kernel_size: 2", (2, 3, 4)),
        ((2, 3, 1, 1), "kernel_size: 1", (1, 1)),
    ],
)
def test_a_convolution_is_its_columns_times_the_weights(shape, fields, out, device):
    x = random.standard_normal(shape)
    columns = run_layer(im2col(fields), [x], dtype=np.float64, device=device).tops[0]
    text = f'type: "Convolution" convolution_param {{ num_output: 2 {fields} weight_filler {{ type: "xavier" }} }}'
    other = run_layer(text, [x], dtype=np.float64, device=device)
    product = np.tensordot(other.params[0].reshape(2, -1), columns, (1, 1)).swapaxes(0, 1)
    assert columns.shape[2:] == out
    np.testing.assert_allclose(product, other.tops[0], atol=1e-12)
    check_gradient(im2col(fields), [x], device=device)


def test_axes_before_the_channels_and_several_bottoms(device):
    x = random.standard_normal((2, 2, 3, 4, 5, 4))
    text = im2col("kernel_size: 3 axis: -3") + ' bottom: "a" bottom: "b" top: "c" top: "d"'
    run = run_layer(text, list(x), device=device)
    alone = run_layer(im2col("kernel_size: 3"), [x[1].reshape(6, 4, 5, 4)], device=device)
    assert run.tops[1].shape == (2, 3, 36, 3, 2)
    np.testing.assert_array_equal(run.tops[1].reshape(6, 36, 3, 2), alone.tops[0])
    check_gradient(text, list(x), device=device)


def test_empty_batch(device):
    run = run_layer(im2col("kernel_size: 2"), [np.ones((0, 3, 4, 4))], top_diffs=[np.ones((0, 12, 3, 3))],
                    device=device)  # fmt: skip
    assert run.tops[0].shape == (0, 12, 3, 3) and run.bottom_diffs[0].shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("kernel_size: 6", "a kernel that reaches 6 x 6 does not fit into the padded input, 5 x 5"),
        ("", "kernel_size is missing"),
        ("kernel_size: 2 axis: 4", "axis 4 is out of range"),
    ],
)
def test_mistakes_are_named(fields, message):
    with pytest.raises(NetError, match=rf'layer "columns" \(Im2col\): .*{message}'):
        run_layer(im2col(fields), [np.ones((1, 1, 5, 5))])


def test_one_top_per_bottom():
    with pytest.raises(NetError, match="takes one top per bottom; there are 2 and 1"):
        run_layer(im2col("kernel_size: 2"), [np.ones((1, 1, 5, 5))] * 2)
    text = im2col("kernel_size: 2") + ' bottom: "a" bottom: "b" top: "c" top: "d"'
    with pytest.raises(NetError, match="bottoms of one shape"):
        run_layer(text, [np.ones((1, 1, 5, 5)), np.ones((1, 1, 5, 4))])
