"""Every type at the edge of what it takes: batches of 0 and 1, one channel, images of 1 x 1, nothing at all.

Each gives tops of the right shapes and finite values, equal on both devices, and a gradient that agrees with
differences; or the error the row names. Kernels are not square. Types that ROWS lacks have one of their own, or the
plainest (own_rows).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import own_rows
import pytest

import brew
from brew.errors import BrewError
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.testing import check_gradient, run_layer

SIZES = {  # N, C, H, W
    "batch 0": (0, 3, 4, 5),
    "batch 1": (1, 3, 4, 5),
    "one channel": (2, 1, 4, 5),
    "1x1 images": (2, 3, 1, 1),
    "one number": (1, 1, 1, 1),
    "no channels": (2, 0, 4, 5),
    "empty images": (2, 3, 0, 5),
}


@dataclass
class Row:
    """A message; the shapes of bottoms and tops from N, C, H, W; of bottoms that hold integers, their limit."""

    text: str
    bottoms: Callable[[int, int, int, int], list[tuple[int, ...]]]
    tops: Callable[[int, int, int, int], list[tuple[int, ...]]]
    integers: dict[int, int] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)  # size: what the error says
    backward: bool = True
    phase: str = "TRAIN"
    tolerance: float = 1e-6


def same(n, c, h, w):
    return [(n, c, h, w)]


def labelled(n, c, h, w):
    return [(n, c, h, w), (n, h, w)]


def pairs(n, c, h, w):
    return [(n, c, h, w)] * 2


def items(n, c, h, w):
    return [(n, c), (n,)]


def scalar(n, c, h, w):
    return [()]


def none(n, c, h, w):
    return []


EMPTY = ("no channels", "empty images")
FILTERS = """convolution_param { kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 1 num_output: 2
             weight_filler { type: "gaussian" } bias_filler { type: "gaussian" } }"""
RECURRENT = 'recurrent_param { num_output: 2 weight_filler { type: "gaussian" } }'


def recurrent(n, c, h, w):
    return [(h, n, c), (h, n)]


def errors(text: str, *sizes: str) -> dict[str, str]:
    return dict.fromkeys(sizes, text)


NO_CHANNELS = errors("at least one channel", "no channels")
NO_CLASS = errors("at least one", "no channels")
SMALL, SMALLER = ("1x1 images", "one number"), ("1x1 images", "one number", "empty images")
NO_FIT = errors("does not fit into", "empty images")
POOLS = ("MAX", "AVE", "STOCHASTIC")

ROWS: dict[str, list[Row]] = {
    **{t: [Row("", same, same)] for t in (
        "AbsVal", "BNLL", "BatchNorm", "Bias", "Dropout", "ELU", "Exp", "Log", "MVN", "PReLU", "Power", "ReLU",
        "Scale", "Sigmoid", "Swish", "TanH",
    )},
    "Accuracy": [Row("", labelled, scalar, {1: 1}, NO_CLASS, backward=False)],
    "ArgMax": [
        Row("", same, lambda n, c, h, w: [(n, 1, 1, 1)], fails=errors("top_k 1 is more", *EMPTY), backward=False),
        Row("argmax_param { axis: 1 }", same, lambda n, c, h, w: [(n, 1, h, w)],
            fails=errors("top_k 1 is more", "no channels"), backward=False),
    ],
    "BatchReindex": [
        Row("", lambda n, c, h, w: [(n, c, h, w), (3 * min(n, 1),)],
            lambda n, c, h, w: [(3 * min(n, 1), c, h, w)], {1: 1})
    ],
    "Clip": [Row("clip_param { min: 0 max: 1 }", same, same)],
    "Concat": [Row("", pairs, lambda n, c, h, w: [(n, 2 * c, h, w)])],
    # The gradient leaves out 1e-4 of a distance, as Caffe's does.
    "ContrastiveLoss": [Row("", lambda n, c, h, w: [*pairs(n, c, h, w), (n,)], scalar, {2: 2}, tolerance=1e-3)],
    "Convolution": [Row(FILTERS, same, lambda n, c, h, w: [(n, 2, h, w + 1)], fails=NO_CHANNELS | NO_FIT)],
    "Crop": [
        Row("crop_param { axis: 2 }", lambda n, c, h, w: [(n, c, h, w), (n, c, min(h, 1), 1)],
            lambda n, c, h, w: [(n, c, min(h, 1), 1)])
    ],
    "Deconvolution": [
        Row(FILTERS, same, lambda n, c, h, w: [(n, 2, h, w - 1)],
            fails=NO_CHANNELS | errors("the padding takes more than there is", *SMALLER))
    ],
    "DummyData": [Row("dummy_data_param { $shape }", none, same, backward=False)],
    "Eltwise": [Row(f"eltwise_param {{ operation: {name} }}", pairs, same) for name in ("SUM", "PROD", "MAX")],
    "Embed": [
        Row('embed_param { input_dim: 4 num_output: 2 weight_filler { type: "gaussian" } }',
            lambda n, c, h, w: [(n, c)], lambda n, c, h, w: [(n, c, 2)], {0: 4})
    ],
    "EuclideanLoss": [Row("", pairs, scalar)],
    "Filter": [Row("", lambda n, c, h, w: [(n, c, h, w), (n,)], lambda n, c, h, w: [(0, c, h, w)], {1: 1})],
    "Flatten": [Row("", same, lambda n, c, h, w: [(n, c * h * w)])],
    "HDF5Output": [
        Row('hdf5_output_param { file_name: "out.h5" }', lambda n, c, h, w: [(n, c, h, w), (n,)], none,
            backward=False)
    ],
    "HingeLoss": [
        Row(f"hinge_loss_param {{ norm: {norm} }}", items, scalar, {1: 1}, NO_CLASS) for norm in ("L1", "L2")
    ],
    "Im2col": [
        Row("convolution_param { kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 1 }", same,
            lambda n, c, h, w: [(n, 6 * c, h, w + 1)], fails=NO_FIT)
    ],
    "InfogainLoss": [Row("", lambda n, c, h, w: [(n, c), (n,), (c, c)], scalar, {1: 1}, NO_CLASS)],
    "InnerProduct": [
        Row('inner_product_param { num_output: 2 weight_filler { type: "gaussian" } }', same,
            lambda n, c, h, w: [(n, 2)])
    ],
    "Input": [Row("input_param { $shape }", none, same, backward=False)],
    "LRN": [Row(f"lrn_param {{ norm_region: {name} }}", same, same) for name in ("ACROSS_CHANNELS", "WITHIN_CHANNEL")],
    # All streams begin anew: differences would see the state of the forward before.
    "LSTM": [Row(RECURRENT, recurrent, lambda n, c, h, w: [(h, n, 2)], {1: 1})],
    "LSTMUnit": [
        Row("", lambda n, c, h, w: [(1, n, c), (1, n, 4 * c), (1, n)], lambda n, c, h, w: [(1, n, c)] * 2, {2: 2})
    ],
    "MultinomialLogisticLoss": [Row("", items, scalar, {1: 1}, NO_CLASS)],
    "Parameter": [Row("parameter_param { $shape }", none, same)],
    "Pooling": [
        *(Row(f"pooling_param {{ pool: {name} kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 1 }}", same,
              lambda n, c, h, w: [(n, c, h, w + 1)], fails=NO_FIT) for name in ("MAX", "AVE")),
        Row("pooling_param { pool: STOCHASTIC kernel_h: 3 kernel_w: 2 }", same,
            lambda n, c, h, w: [(n, c, h - 2, w - 1)], fails=errors("does not fit", *SMALLER), phase="TEST"),
        *(Row(f"pooling_param {{ pool: {name} global_pooling: true }}", same, lambda n, c, h, w: [(n, c, 1, 1)],
              phase="TEST") for name in POOLS),
    ],
    "Python": [Row('python_param { module: "edge_layers" layer: "Halve" } top: "y"', same, same)],
    "RNN": [Row(RECURRENT, recurrent, lambda n, c, h, w: [(h, n, 2)], {1: 1})],
    "Reduction": [
        Row(f"reduction_param {{ axis: 1 operation: {name} }}", same, lambda n, c, h, w: [(n,)])
        for name in ("SUM", "ASUM", "SUMSQ", "MEAN")
    ],
    "Reshape": [
        Row("reshape_param { shape { dim: -1 } axis: 1 num_axes: 2 }", same, lambda n, c, h, w: [(n, c * h, w)])
    ],
    "SPP": [
        Row(f"spp_param {{ pyramid_height: 1 pool: {name} }}", same, lambda n, c, h, w: [(n, c, 1, 1)],
            fails=errors("not empty", "empty images"), phase="TEST") for name in POOLS
    ],
    "SigmoidCrossEntropyLoss": [Row("", pairs, scalar, {1: 2})],
    "Silence": [Row("", same, none)],
    "Slice": [
        Row('slice_param { slice_point: 1 } top: "a" top: "b"', same,
            lambda n, c, h, w: [(n, 1, h, w), (n, c - 1, h, w)],
            fails=errors("expects slice points", "one channel", "one number", "no channels"))
    ],
    "Softmax": [Row("", same, same, fails=errors("at least one value", "no channels"))],
    "SoftmaxWithLoss": [Row("", labelled, scalar, {1: 1}, NO_CLASS)],
    "Split": [Row('top: "a" top: "b"', same, pairs)],
    "Threshold": [Row("", same, same, backward=False)],
    "Tile": [Row("tile_param { tiles: 2 }", same, lambda n, c, h, w: [(n, 2 * c, h, w)])],
}  # fmt: skip
PLAIN = {"text": "", "bottoms": same, "tops": same}
ROWS |= {name: [Row(**(own or PLAIN))] for name, own in own_rows.of("EDGES", ROWS).items()}

CASES = [
    pytest.param(type_name, row, size, id=f"{type_name}-{number}-{size}")
    for type_name, rows in ROWS.items()
    for number, row in enumerate(rows)
    for size in SIZES
]


def test_every_type_has_a_row() -> None:
    assert {t for t in brew.layer_type_list() if not issubclass(layer_class(t), DataLayer)} == set(ROWS)


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch) -> None:
    (tmp_path / "edge_layers.py").write_text(
        "from brew.python_layer import PythonLayer\n"
        "class Halve(PythonLayer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = 0.5 * bottom[0].data\n"
        "    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = 0.5 * top[0].diff\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "edge_layers", raising=False)


@pytest.mark.parametrize(("type_name", "row", "size"), CASES)
def test_edge(type_name, row, size, device):
    dims = " ".join(f"dim: {i}" for i in SIZES[size])
    text = f'type: "{type_name}" ' + row.text.replace("$shape", f"shape {{ {dims} }}")
    random = np.random.default_rng(0)
    bottoms = [
        random.integers(0, row.integers[i], shape) if i in row.integers else random.uniform(0.1, 0.9, shape)
        for i, shape in enumerate(row.bottoms(*SIZES[size]))
    ]
    if size in row.fails:
        with pytest.raises(BrewError, match=row.fails[size]) as caught:
            run_layer(text, bottoms, device=device, phase=row.phase)
        assert f"({type_name})" in str(caught.value)
        return
    shapes = row.tops(*SIZES[size])
    diffs = [random.standard_normal(shape) for shape in shapes] if row.backward else None
    run, host = (run_layer(text, bottoms, top_diffs=diffs, device=where, phase=row.phase) for where in (device, "cpu"))
    assert [y.shape for y in run.tops] == shapes
    if type_name != "Input":  # holds what its user puts there
        check_same(run.tops, host.tops)
    check_same(run.bottom_diffs, host.bottom_diffs)
    check_same(run.param_diffs, host.param_diffs)
    if row.backward:
        check_gradient(text, bottoms, device=device, phase=row.phase, tolerance=row.tolerance)


def check_same(arrays, expected):
    for one, other in zip(arrays, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert np.isfinite(one).all()
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
