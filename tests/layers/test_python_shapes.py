"""Python layers that give their tops a shape in forward, as those of the R-CNN family do."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

import brew
from brew.errors import NetError
from brew.layer import TRAIN
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import parse
from brew.python_layer import PythonLayer
from brew.testing import check_gradient, run_layer

ROWS, CHANNELS = 6, 4
MODULE = __name__


class Positive(PythonLayer):
    """The rows whose first element is positive, scaled by what param_str says: how many is known in forward."""

    first_shape = (1, CHANNELS)

    def setup(self, bottom, top):
        top[0].reshape(1, *bottom[0].shape[1:])

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        self.kept = np.flatnonzero(bottom[0].data.reshape(len(bottom[0].data), -1)[:, 0] > 0)
        top[0].reshape(len(self.kept), *bottom[0].shape[1:])
        top[0].data[...] = 3 * bottom[0].data[self.kept]

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            bottom[0].diff[self.kept] = 3 * top[0].diff


class Reset(Positive):
    """The same, but reshape sets the top back to one row each time."""

    def reshape(self, bottom, top):
        top[0].reshape(1, *bottom[0].shape[1:])


class Likely(Positive):
    """The same, with all rows at first."""

    def setup(self, bottom, top):
        top[0].reshape(*bottom[0].shape)


class Late(Positive):
    """The same, written before the top gets its last shape: the part that stays keeps its values."""

    def forward(self, bottom, top):
        self.kept = np.flatnonzero(bottom[0].data[:, 0] > 0)
        top[0].reshape(50, *bottom[0].shape[1:])
        top[0].data[: len(self.kept)] = 3 * bottom[0].data[self.kept]
        top[0].reshape(len(self.kept), *bottom[0].shape[1:])


class Both(Positive):
    """Two tops, of which the second keeps its shape, and a parameter."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = 3
        top[1].reshape(1)

    def forward(self, bottom, top):
        top[1].data[...] = bottom[0].data.sum()
        self.kept = np.flatnonzero(bottom[0].data[:, 0] > 0)
        top[0].reshape(len(self.kept), *bottom[0].shape[1:])
        top[0].data[...] = self.blobs[0].data * bottom[0].data[self.kept]

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[1].diff
        bottom[0].diff[self.kept] += self.blobs[0].data * top[0].diff
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data[self.kept]).sum()


class Doubled(PythonLayer):
    """2 x, of the shape that the bottom has in forward."""

    def setup(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        top[0].reshape(*bottom[0].shape)
        top[0].data[...] = 2 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 2 * top[0].diff


class Flat(PythonLayer):
    """Sees its bottom flat, as a layer of Caffe's may."""

    def reshape(self, bottom, top):
        bottom[0].reshape(bottom[0].num, -(-bottom[0].count // bottom[0].num))
        top[0].reshape(bottom[0].num)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data.sum(1)

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = np.repeat(top[0].diff[:, None], bottom[0].shape[1], 1)


class Overwrites(Positive):
    """Doubles its bottom, for others that read it too."""

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        bottom[0].data[...] *= 2


def python(cls, *, tops='top: "y"', bottom="x"):
    param = f'python_param {{ module: "{MODULE}" layer: "{cls.__name__}" }}'
    return f'layer {{ name: "p" type: "Python" bottom: "{bottom}" {tops} {param} }}\n'


def batch(positive, rows=ROWS, seed=0):
    """Rows of which `positive` begin with a positive number."""
    x = np.random.default_rng(seed).standard_normal((rows, CHANNELS)).astype(np.float32)
    x[:, 0] = np.where(np.random.default_rng(seed + 1).permutation(rows) < positive, 1, -1) * np.abs(x[:, 0])
    return x


def inner_product(bottom="y", top="out", name="ip"):
    filler = 'weight_filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 }'
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top}" '
        f"inner_product_param {{ num_output: 3 {filler} }} }}\n"
        f'layer {{ name: "relu-{name}" type: "ReLU" bottom: "{top}" top: "{top}" }}\n'
    )


def net(layers, **options):
    text = (
        "force_backward: true\n"
        f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: {ROWS} dim: {CHANNELS} }} }} }}\n'
    )
    return Net(parse(text + layers, NetParameter), TRAIN, seed=3, **options)


ENGINES = pytest.mark.parametrize("engine", ["caffe", pytest.param("onednn", marks=pytest.mark.onednn)])


@pytest.mark.parametrize("cls", [Positive, Reset, Late])
@pytest.mark.parametrize("keep", [None, []])
@ENGINES
def test_later_layers_follow_in_the_same_pass(cls, keep, engine, poisoned):
    """Up and down, beyond what memory there is and within it; each pass as in a net of that very shape."""
    made = net(python(cls) + inner_product(), engine=engine, keep=keep)
    made = made if keep is None else poisoned(made)
    weight, bias = (np.array(p.data) for p in made.params["ip"])
    for number, positive in enumerate((2, 6, 1, 0, 5, 6, 3, 3)):
        x = batch(positive, seed=number)
        out = made.forward(x=x)["out"]
        kept = x[x[:, 0] > 0]
        assert out.shape == (positive, 3)
        before = 3 * kept @ weight.T + bias
        assert np.allclose(out, np.maximum(before, 0), atol=1e-5)
        made.clear_param_diffs()
        gradient = made.backward(out=np.ones((positive, 3)))["x"]
        passed = (before > 0).astype(np.float32)
        assert np.allclose(gradient[x[:, 0] > 0], 3 * passed @ weight, atol=1e-5)
        assert not gradient[x[:, 0] <= 0].any()
        assert np.allclose(made.params["ip"][0].diff, passed.T @ (3 * kept), atol=1e-4)


def test_on_either_device(device):
    made = net(python(Positive) + inner_product(), device=device)
    weight, bias = (np.array(p.data) for p in made.params["ip"])
    for positive in (2, 6, 1, 5):
        x = batch(positive, seed=positive)
        out = made.forward(x=x)["out"]
        kept = x[x[:, 0] > 0]
        assert np.array_equal(made.blobs["y"].data, 3 * kept)
        before = 3 * kept @ weight.T + bias
        assert np.allclose(out, np.maximum(before, 0), atol=1e-5)
        gradient = made.backward(out=np.ones((positive, 3)))["x"]
        assert np.allclose(gradient[x[:, 0] > 0], 3 * (before > 0) @ weight, atol=1e-5)


def test_the_input_s_shape_changes_too(device):
    made = net(python(Positive) + inner_product(), device=device)
    for rows, positive in ((3, 2), (11, 9), (5, 5), (6, 0)):
        x = batch(positive, rows, seed=rows)
        made.blobs["x"].reshape(rows, CHANNELS)
        made.forward(x=x)
        assert np.array_equal(made.blobs["y"].data, 3 * x[x[:, 0] > 0])
        assert made.blobs["out"].shape == (positive, 3)


SUM = 'layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "s" }\n'


@ENGINES
def test_a_layer_that_reads_it_beside_a_blob_that_has_changed_already(engine):
    """Until the forward has run, the two do not fit."""
    made = net(python(Doubled) + SUM + inner_product("s"), engine=engine)
    for rows in (9, 2, 2, 30):
        made.blobs["x"].reshape(rows, CHANNELS)
        x = batch(1, rows)
        made.forward(x=x)
        assert np.array_equal(made.blobs["s"].data, 3 * x)
        assert made.backward(out=np.ones((rows, 3)))["x"].shape == x.shape


def test_a_layer_that_cannot_follow_says_so_in_the_pass():
    made = net(python(Likely).replace('"y"', '"k"') + python(Doubled).replace('"p"', '"q"') + SUM.replace('"x"', '"k"'))
    made.forward(x=batch(ROWS))
    with pytest.raises(NetError, match='layer "sum"'):
        made.forward(x=batch(2))


def test_one_python_layer_after_another():
    made = net(
        python(Positive) + python(Positive, bottom="y", tops='top: "z"').replace('"p"', '"q"') + inner_product("z")
    )
    for positive in (4, 6, 1):
        x = batch(positive, seed=positive)
        made.forward(x=x)
        assert np.allclose(made.blobs["z"].data, 9 * x[x[:, 0] > 0])
        assert made.blobs["out"].shape == (positive, 3)


@pytest.mark.parametrize("cls", [Positive, Reset, Late])
def test_gradient(cls, device):
    text = f'type: "Python" top: "y" python_param {{ module: "{MODULE}" layer: "{cls.__name__}" }}'
    check_gradient(text, [batch(4)], device=device)


def test_gradient_with_two_tops_and_a_parameter(device):
    text = f'type: "Python" top: "y" top: "z" python_param {{ module: "{MODULE}" layer: "Both" }}'
    run = run_layer(text, [batch(4)], device=device)
    assert [y.shape for y in run.tops] == [(4, CHANNELS), (1,)]
    check_gradient(text, [batch(4)], device=device)


def test_a_training_through_it_learns(tmp_path):
    """Least squares over the rows that are kept, against the same in NumPy."""
    head = """
        layer { name: "in" type: "Python" top: "x" python_param { module: "%s" layer: "Batches" } }
        layer { name: "w" type: "InnerProduct" bottom: "y" top: "out" inner_product_param { num_output: 1 bias_term: false
          weight_filler { type: "constant" value: 0.1 } } }
        layer { name: "loss" type: "Python" bottom: "out" top: "loss" loss_weight: 1
          python_param { module: "%s" layer: "HalfSquares" } }"""
    first, *rest = (head % (MODULE, MODULE)).strip().split("\n", 1)
    (tmp_path / "net.prototxt").write_text(first + "\n" + python(Positive) + "\n".join(rest))
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 8 snapshot_after_train: false'
    )
    solver = brew.get_solver(tmp_path / "solver.prototxt")
    solver.step(8)
    w = np.full(CHANNELS, 0.1)
    for number in range(8):
        x = batch(2 + number % 4, seed=number)
        kept = 3 * x[x[:, 0] > 0]
        w -= 0.01 * (kept @ w - 1) @ kept
    assert np.allclose(solver.net.params["w"][0].data[0], w, atol=1e-5)


class Batches(PythonLayer):
    """Batch after batch of `batch`."""

    def setup(self, bottom, top):
        self.number = 0
        top[0].reshape(ROWS, CHANNELS)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        top[0].data[...] = batch(2 + self.number % 4, seed=self.number)
        self.number += 1


class HalfSquares(PythonLayer):
    """Half the sum of (x - 1)², with Caffe's loss_weight in its gradient."""

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        top[0].data.flat = ((bottom[0].data - 1) ** 2).sum() / 2

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff.flat = top[0].diff[0] * (bottom[0].data - 1)


def test_a_loss_in_python_is_weighed():
    loss = python(HalfSquares, tops='top: "loss" loss_weight: 2.5')
    made = net(loss)
    x = batch(3)
    made.forward(x=x)
    assert made.loss() == pytest.approx(2.5 * ((x - 1) ** 2).sum() / 2)
    made.backward()
    assert np.allclose(made.blobs["x"].diff, 2.5 * (x - 1))


def test_a_bottom_seen_in_another_shape(device):
    """The shape that reshape gives a bottom stands for the pass and its backward; the blob itself keeps its own."""
    made = net(
        'layer { name: "r" type: "Reshape" bottom: "x" top: "r" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }\n'
        + python(Flat, bottom="r"),
        device=device,
    )
    x = batch(3)
    for _ in range(2):
        assert np.allclose(made.forward(x=x)["y"], x.sum(1))
        assert np.array_equal(made.backward(y=np.arange(ROWS))["x"], np.repeat(np.arange(ROWS)[:, None], CHANNELS, 1))
        assert made.blobs["r"].shape == (ROWS, 2, 2)


CONVOLUTION = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 16 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 16 kernel_size: 3
  weight_filler { type: "gaussian" std: 1 } } }
"""


@ENGINES
def test_what_is_written_into_a_bottom_others_see(engine):
    """A blob of Caffe's is one memory: layers that read it later see it, also where the engine has its own layout."""
    behind = 'layer { name: "sum" type: "Reduction" bottom: "c" top: "sum" }\n'
    plain, made = (
        Net(parse(CONVOLUTION + text + behind, NetParameter), TRAIN, engine=engine, seed=1)
        for text in ("", python(Overwrites, bottom="c"))
    )
    x = np.random.default_rng(0).standard_normal((2, 16, 8, 8))
    expected = plain.forward(x=x)["sum"]
    assert np.allclose(made.forward(x=x)["sum"], 2 * expected, rtol=1e-4)
    assert np.allclose(made.blobs["c"].data, 2 * plain.blobs["c"].data, rtol=1e-5)


@ENGINES
def test_behind_a_convolution_in_the_engine_s_layout(engine):
    net_of = [
        Net(parse("force_backward: true\n" + CONVOLUTION + text, NetParameter), TRAIN, engine=engine, seed=1)
        for text in ("", python(Positive, bottom="c"))
    ]
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((2, 16, 8, 8))
        c = net_of[0].forward(x=x)["c"]
        kept = c.reshape(2, -1)[:, 0] > 0
        assert np.allclose(net_of[1].forward(x=x)["y"], 3 * c[kept], rtol=1e-5)
        gradient = net_of[0].backward(c=np.where(kept, 3, 0)[:, None, None, None] * np.ones(c.shape))["x"]
        assert np.allclose(
            net_of[1].backward(y=np.ones((kept.sum(), *c.shape[1:])))["x"], gradient, rtol=1e-4, atol=1e-4
        )


class Seldom(PythonLayer):
    """The square of its bottom, with a gradient in every other backward only."""

    def setup(self, bottom, top):
        self.passes = 0

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data ** 2

    def backward(self, top, propagate_down, bottom):
        self.passes += 1
        if self.passes % 2 == 0:
            bottom[0].diff[...] = 2 * bottom[0].data * top[0].diff


@pytest.mark.parametrize("keep", [None, []])
@ENGINES
def test_a_gradient_that_is_not_written_is_the_last_one(engine, keep, poisoned):
    """At first zeros, as in Caffe; also where the engine has its own layout and memory is used in turns."""
    loss = 'layer { name: "sum" type: "Reduction" bottom: "y" top: "sum" loss_weight: 1 }\n'
    made = Net(
        parse(CONVOLUTION + python(Seldom, bottom="c") + loss, NetParameter), TRAIN, engine=engine, keep=keep, seed=1
    )
    made = made if keep is None else poisoned(made)
    plain = Net(parse("force_backward: true\n" + CONVOLUTION, NetParameter), TRAIN, engine="caffe", seed=1)
    gradient = np.zeros((2, 16, 6, 6))
    for number in range(4):
        x = np.random.default_rng(number).standard_normal((2, 16, 8, 8))
        made.blobs["x"].data[...] = x
        c = plain.forward(x=x)["c"]
        gradient = 2 * c if number % 2 else gradient
        made.clear_param_diffs()
        plain.clear_param_diffs()
        made.forward_backward()
        plain.backward(c=gradient)
        expected = plain.params["conv"][0].diff
        assert np.allclose(made.params["conv"][0].diff, expected, rtol=1e-4, atol=1e-4 * abs(expected).max()), number


class Two(PythonLayer):
    """Its bottom, in place, and its double."""

    def reshape(self, bottom, top):
        for blob in top:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[1].data[...] = 2 * bottom[0].data
        top[0].data[...] = bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff + 2 * top[1].diff


@ENGINES
def test_a_top_in_place_whose_gradient_nobody_makes_keeps_none_of_the_pass_before(engine):
    """What lies above the Threshold has a gradient, of a later version of the blob."""
    two = python(Two, tops='top: "x" top: "y"')
    made = Net(
        parse(
            f"""force_backward: true
            layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
            {two}
            layer {{ name: "sharp" type: "Threshold" bottom: "x" top: "x" }}
            layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param {{ num_output: 2 }} }}""",
            NetParameter,
        ),
        TRAIN,
        engine=engine,
    )
    for _ in range(3):
        made.forward(x=np.ones((2, 3)))
        gradient = made.backward(y=np.full((2, 3), 5.0), ip=np.ones((2, 2)))["x"]
        np.testing.assert_array_equal(gradient, np.full((2, 3), 10.0))


class OnDevice(Positive):
    """Copies by the device's own means; what it was given is noted."""

    device_arrays = True
    seen: ClassVar[list[str]] = []

    def forward(self, bottom, top):
        OnDevice.seen.append(type(bottom[0].data).__module__.split(".")[0])
        top[0].reshape(bottom[0].num, *bottom[0].shape[1:])
        copy(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        OnDevice.seen.append(type(top[0].diff).__module__.split(".")[0])
        copy(top[0].diff, bottom[0].diff)


def copy(source, target):
    if isinstance(source, np.ndarray):
        target[...] = source
    else:
        brew.cuda.copy(target, source)


def test_device_arrays(device):
    OnDevice.seen.clear()
    made = net(python(OnDevice) + inner_product(), device=device)
    for rows in (ROWS, 2, 9):
        x = batch(rows, rows)
        made.blobs["x"].reshape(rows, CHANNELS)
        made.forward(x=x)
        assert np.array_equal(made.blobs["y"].data, x)
        made.backward(out=np.ones((rows, 3)))
        assert np.array_equal(made.blobs["x"].diff, made.blobs["y"].diff)
        assert made.blobs["x"].diff.any()
    assert set(OnDevice.seen) == {
        "numpy" if device == "cpu" else type(brew.cuda.zeros(1, np.float32)).__module__.split(".")[0]
    }


BEHIND = """
layer { name: "conv" type: "Convolution" bottom: "y" top: "c" convolution_param { num_output: 16 kernel_size: 3 pad: 1
  weight_filler { type: "msra" } bias_filler { type: "gaussian" std: 1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { use_global_stats: true } }
layer { name: "scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "conv2" type: "Convolution" bottom: "c" top: "d" convolution_param { num_output: 16 kernel_size: 3
  weight_filler { type: "msra" } } }
layer { name: "relu2" type: "ReLU" bottom: "d" top: "d" }
layer { name: "pool" type: "Pooling" bottom: "d" top: "p" pooling_param { pool: AVE global_pooling: true } }
layer { name: "loss" type: "Reduction" bottom: "p" top: "loss" loss_weight: 1 reduction_param { operation: SUMSQ } }
"""
IMAGES_IN = 'layer { name: "in" type: "Input" top: "%s" input_param { shape { dim: 9 dim: 8 dim: 7 dim: 7 } } }\n'


@pytest.mark.parametrize("options", [{}, {"keep": []}, {"keep": [], "recompute": True}], ids=str)
@ENGINES
def test_fused_layers_behind_it_do_what_they_do_in_a_net_of_that_shape(options, engine):
    """Groups, layouts and memory plans of the layers behind are made for other shapes than those that come."""
    text = IMAGES_IN % "x" + python(Positive) + BEHIND
    made = Net(parse("force_backward: true\n" + text, NetParameter), TRAIN, engine=engine, seed=2, fuse=True, **options)
    plain = Net(
        parse("force_backward: true\n" + IMAGES_IN % "y" + BEHIND, NetParameter), TRAIN, engine=engine, seed=2,
        fuse=True, **options,
    )  # fmt: skip
    for name in made.params:
        for mine, other in zip(made.params[name], plain.params[name], strict=True):
            other.data[...] = mine.data
    for number, positive in enumerate((1, 9, 4, 4, 9, 2)):
        x = np.random.default_rng(number).standard_normal((9, 8, 7, 7)).astype(np.float32)
        x[:, 0, 0, 0] = np.where(np.arange(9) < positive, 1, -1)
        made.blobs["x"].data[...] = x
        made.forward_backward()
        plain.blobs["y"].reshape(positive, 8, 7, 7)
        plain.blobs["y"].data[...] = 3 * x[:positive]
        plain.forward_backward()
        assert made.loss() == pytest.approx(plain.loss(), rel=1e-5)
        for mine, other in zip(made.params["conv2"], plain.params["conv2"], strict=True):
            assert np.allclose(mine.diff, other.diff, rtol=1e-4, atol=1e-5 * np.abs(other.diff).max())
        for net_ in (made, plain):
            net_.clear_param_diffs()
        assert np.array_equal(made.blobs["x"].diff[positive:], np.zeros((9 - positive, 8, 7, 7)))
