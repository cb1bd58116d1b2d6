"""Every type that oneDNN computes, or that computes in its blocks, against NumPy: forward, backward, again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from brew import prototxt
from brew.cpu import onednn, threads
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

pytestmark = pytest.mark.onednn

WHOLE, RAGGED = 32, 28  # channels that fill blocks of 8 and of 16, and that do not
CHANNELS = (WHOLE, RAGGED)
BLOCK = onednn.block() if onednn.why_not() is None else 1  # of this processor
BACKWARD = "force_backward: true"
LAST = BLOCK + BLOCK // 4  # channels that lie last: in blocks more than a third of them would be zeros


def layer(kind: str, fields: str = "", bottoms: str = "x", tops: str = "y") -> str:
    ends = " ".join([f'bottom: "{b}"' for b in bottoms.split()] + [f'top: "{t}"' for t in tops.split()])
    return f'layer {{ name: "it" type: "{kind}" {ends} {fields} }}'


def convolution(name: str, bottom: str, top: str, fields: str) -> str:
    filler = 'weight_filler { type: "xavier" } bias_filler { type: "uniform" min: -1 max: 1 }'
    ends = f'name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top}"'
    return f"layer {{ {ends} convolution_param {{ {fields} {filler} }} }}\n"


def net(text: str, shape: tuple[int, ...], channels: int, engine: str, phase: int = 0, first: str = BACKWARD) -> Net:
    """`text` behind 1 x 1 convolutions that make x, and z where it is read, in blocks."""
    dims = " ".join(f"dim: {n}" for n in shape)
    head = f'{first} layer {{ name: "in" type: "Input" top: "in" input_param {{ shape {{ {dims} }} }} }}\n'
    for top in ("x", "z"):
        if f'bottom: "{top}"' in text:
            head += convolution(f"makes {top}", "in", top, f"num_output: {channels} kernel_size: 1")
    return Net(prototxt.parse(head + text, NetParameter), phase, engine=engine, fuse=False, seed=3)


def chosen(it: Net) -> tuple[str, int]:
    """What computes the layer "it", and the block in which it takes its bottom."""
    [step] = [s for s in it.executor.steps if s.layer.name == "it"]
    engine = step.implementation.engine
    return engine, max(layout.block for layout in step.layouts.x)


def run(it: Net, shape: tuple[int, ...], seed: int) -> dict[str, np.ndarray]:
    """Everything that can be read after a forward and a backward pass on random numbers."""
    random = np.random.default_rng(seed)
    it.blobs["in"].reshape(*shape)
    it.reshape()
    it.blobs["in"].data[...] = random.standard_normal(shape)
    it.forward()
    for name in it.outputs:
        it.blobs[name].diff[...] = random.standard_normal(it.blobs[name].shape)
    it.clear_param_diffs()
    it.backward()
    read = {f"{n}/data": b.data.copy() for n, b in it.blobs.items()} | {"in/diff": it.blobs["in"].diff.copy()}
    for name, blobs in it.params.items():
        read |= {f"{name}/{i}/data": b.data.copy() for i, b in enumerate(blobs)}
        read |= {f"{name}/{i}/diff": b.diff.copy() for i, b in enumerate(blobs)}
    return read


def same(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        bound = 5e-5 * max(1.0, float(np.abs(value).max(initial=0)))
        np.testing.assert_allclose(got[name], value, rtol=0, atol=bound, err_msg=name)


def compare(text: str, channels: int, expected: tuple[str, bool], phase: int = 0, size: int = 9) -> None:
    """Shapes that shrink, grow and come again; `expected` says what computes, and whether in blocks."""
    inputs = LAST if channels == LAST else 16
    shapes = [(n, inputs, size + more, size) for n, more in ((2, 0), (1, 0), (3, 2), (2, 0))]
    here, there = (net(text, shapes[0], channels, engine, phase) for engine in ("onednn", "caffe"))
    engine, block = chosen(here)
    assert (engine, block > 1) == expected
    assert block in (1, LAST if channels == LAST else BLOCK)
    assert chosen(there) == ("caffe", 1)
    for name, blobs in there.params.items():
        for mine, its in zip(here.params[name], blobs, strict=True):
            mine.data[...] = its.data
    for seed, shape in enumerate(shapes):
        same(run(here, shape, seed), run(there, shape, seed))


IN_BLOCKS, PLAIN_ONEDNN, NUMPY = ("onednn", True), ("onednn", False), ("caffe", False)
ONLY_16 = IN_BLOCKS if BLOCK == 16 else NUMPY  # oneDNN has code for backward with AVX-512 alone: what trains is NumPy's
LINE = 'filler { type: "uniform" min: 0.5 max: 2 }'

# Each with what computes it: where the channels fill the blocks, and where they do not.
CASES = {
    "ReLU": (layer("ReLU"), IN_BLOCKS, IN_BLOCKS),
    "leaky ReLU": (layer("ReLU", "relu_param { negative_slope: 0.1 }"), IN_BLOCKS, IN_BLOCKS),
    "ReLU with a slope below 0": (layer("ReLU", "relu_param { negative_slope: -1 }"), NUMPY, NUMPY),
    "TanH": (layer("TanH"), IN_BLOCKS, IN_BLOCKS),
    "Sigmoid": (layer("Sigmoid"), IN_BLOCKS, NUMPY),
    "ELU": (layer("ELU", "elu_param { alpha: 0.5 }"), IN_BLOCKS, IN_BLOCKS),
    "ELU with alpha below 0": (layer("ELU", "elu_param { alpha: -0.5 }"), NUMPY, NUMPY),
    "Swish": (layer("Swish"), IN_BLOCKS, IN_BLOCKS),
    "Clip": (layer("Clip", "clip_param { min: -0.5 max: 0.3 }"), IN_BLOCKS, IN_BLOCKS),
    "Clip without 0": (layer("Clip", "clip_param { min: 0.1 max: 0.3 }"), NUMPY, NUMPY),
    "Power": (layer("Power", "power_param { power: 3 scale: 0.5 }"), IN_BLOCKS, IN_BLOCKS),
    "Power with a shift": (layer("Power", "power_param { power: 2 shift: 1 }"), NUMPY, NUMPY),
    "PReLU": (layer("PReLU", f"prelu_param {{ {LINE} }}"), IN_BLOCKS, IN_BLOCKS),
    "PReLU of one slope": (layer("PReLU", "prelu_param { channel_shared: true }"), NUMPY, NUMPY),
    "BatchNorm": (layer("BatchNorm", "batch_norm_param { moving_average_fraction: 0.9 eps: 0.001 }"), IN_BLOCKS, IN_BLOCKS),
    "BatchNorm, stored": (layer("BatchNorm", "batch_norm_param { use_global_stats: true }"), IN_BLOCKS, IN_BLOCKS),
    "Scale": (layer("Scale", f"scale_param {{ {LINE} }}"), IN_BLOCKS, IN_BLOCKS),
    "Scale and bias": (layer("Scale", f"scale_param {{ {LINE} bias_term: true bias_filler {{ type: 'gaussian' }} }}"), IN_BLOCKS, IN_BLOCKS),
    "Scale of one number": (layer("Scale", f"scale_param {{ num_axes: 0 {LINE} }}"), NUMPY, NUMPY),
    "Bias": (layer("Bias", f"bias_param {{ {LINE} }}"), IN_BLOCKS, IN_BLOCKS),
    "Dropout": (layer("Dropout"), NUMPY, NUMPY),
}  # fmt: skip

NOT_IN_PLACE = {
    "AbsVal": (layer("AbsVal"), IN_BLOCKS, IN_BLOCKS),
    "LRN": (layer("LRN", "lrn_param { local_size: 5 alpha: 0.3 beta: 0.75 k: 2 }"), ONLY_16, NUMPY),
    "LRN of 3": (layer("LRN", "lrn_param { local_size: 3 alpha: 0.3 beta: 0.75 }"), NUMPY, NUMPY),
    "LRN within": (layer("LRN", "lrn_param { local_size: 3 alpha: 2 beta: 0.75 norm_region: WITHIN_CHANNEL }"), ONLY_16, NUMPY),
    "max": (layer("Pooling", "pooling_param { kernel_size: 3 stride: 2 }"), IN_BLOCKS, IN_BLOCKS),
    "max, padded": (layer("Pooling", "pooling_param { kernel_size: 3 stride: 2 pad: 1 }"), IN_BLOCKS, IN_BLOCKS),
    "average": (layer("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }"), IN_BLOCKS, IN_BLOCKS),
    "average, padded": (layer("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 }"), IN_BLOCKS, IN_BLOCKS),
    "average that overhangs": (layer("Pooling", "pooling_param { pool: AVE kernel_size: 4 stride: 3 }"), IN_BLOCKS, IN_BLOCKS),
    "average that overhangs the padding": (layer("Pooling", "pooling_param { pool: AVE kernel_h: 3 kernel_w: 4 stride: 3 pad_h: 1 pad_w: 2 }"), IN_BLOCKS, IN_BLOCKS),
    "average that overhangs one side's padding": (layer("Pooling", "pooling_param { pool: AVE kernel_size: 4 stride: 4 pad_h: 0 pad_w: 1 }"), IN_BLOCKS, IN_BLOCKS),
    "average of all": (layer("Pooling", "pooling_param { pool: AVE global_pooling: true }"), IN_BLOCKS, IN_BLOCKS),
    "Convolution": (convolution("it", "x", "y", "num_output: 30 kernel_size: 3 pad: 1 stride: 2"), IN_BLOCKS, IN_BLOCKS),
    "Convolution in groups": (convolution("it", "x", "y", "num_output: 32 kernel_size: 3 group: 2 dilation: 2"), IN_BLOCKS, IN_BLOCKS),
    "Deconvolution": (convolution("it", "x", "y", "num_output: 30 kernel_size: 4 pad: 1 stride: 2").replace("Conv", "Deconv"), IN_BLOCKS, IN_BLOCKS),
    "Deconvolution in groups": (convolution("it", "x", "y", "num_output: 12 kernel_size: 3 group: 2").replace("Conv", "Deconv"), IN_BLOCKS, IN_BLOCKS),
    "Eltwise SUM": (layer("Eltwise", "", "x z"), IN_BLOCKS, IN_BLOCKS),
    "Eltwise SUM with factors": (layer("Eltwise", "eltwise_param { coeff: -0.5 coeff: 2 }", "x z"), IN_BLOCKS, IN_BLOCKS),
    "Eltwise PROD": (layer("Eltwise", "eltwise_param { operation: PROD }", "x z"), IN_BLOCKS, IN_BLOCKS),
    "Eltwise PROD by division": (layer("Eltwise", "eltwise_param { operation: PROD stable_prod_grad: false }", "x z"), NUMPY, NUMPY),
    "Eltwise MAX": (layer("Eltwise", "eltwise_param { operation: MAX }", "x z"), IN_BLOCKS, IN_BLOCKS),
    "Concat": (layer("Concat", "", "x z"), IN_BLOCKS, NUMPY),
    "Concat of images": (layer("Concat", "concat_param { axis: 0 }", "x z"), NUMPY, NUMPY),
    "Concat of one": (layer("Concat"), IN_BLOCKS, IN_BLOCKS),
    "Slice": (layer("Slice", "slice_param { slice_point: 16 }", tops="y1 y2"), IN_BLOCKS, NUMPY),
    "Slice of rows": (layer("Slice", "slice_param { axis: 2 slice_point: 4 }", tops="y1 y2"), NUMPY, NUMPY),
    "Split": (layer("Split", tops="y1 y2 y3"), IN_BLOCKS, IN_BLOCKS),
    "Silence": (layer("Silence", tops=""), IN_BLOCKS, IN_BLOCKS),
    "InnerProduct": (layer("InnerProduct", f"inner_product_param {{ num_output: 7 weight_{LINE} bias_{LINE} axis: 3 }}"), PLAIN_ONEDNN, PLAIN_ONEDNN),
    "InnerProduct, transposed": (layer("InnerProduct", f"inner_product_param {{ num_output: 7 weight_{LINE} axis: 3 transpose: true }}"), PLAIN_ONEDNN, PLAIN_ONEDNN),
}  # fmt: skip


def parts(cases: dict[str, tuple[str, tuple[str, bool], tuple[str, bool]]]) -> list[object]:
    each = itertools.product(cases.items(), enumerate(CHANNELS))
    return [pytest.param(c[0], n, c[1 + i], id=f"{name}-{n}") for (name, c), (i, n) in each]


@pytest.mark.parametrize(("text", "channels", "expected"), parts(CASES | NOT_IN_PLACE))
def test_it_is_as_numpy(text: str, channels: int, expected: tuple[str, bool]):
    compare(text, channels, expected)


@pytest.mark.parametrize(("text", "channels", "expected"), parts(CASES))
def test_in_place(text: str, channels: int, expected: tuple[str, bool]):
    compare(text.replace('top: "y"', 'top: "x"'), channels, expected)


@pytest.mark.parametrize(
    "text", [c[0] for c in (CASES | NOT_IN_PLACE).values() if c[2] == IN_BLOCKS and "group" not in c[0]]
)
def test_channels_that_lie_last(text: str):
    compare(text, LAST, IN_BLOCKS)


def test_the_sigmoid_of_channels_that_lie_last():
    compare(layer("Sigmoid"), LAST, IN_BLOCKS)  # nothing lies behind them


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_sum_in_place(channels: int):
    fields = "eltwise_param { coeff: 1 coeff: 3 }"
    compare(layer("Eltwise", fields, "x z", tops="x"), channels, IN_BLOCKS)


@pytest.mark.parametrize("kind", ["BatchNorm", "Dropout"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_in_the_test_phase(kind: str, channels: int):
    compare(layer(kind), channels, IN_BLOCKS, phase=1)


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_large_softmax(channels: int):
    compare(layer("Softmax"), channels, ONLY_16, size=70)


@pytest.mark.parametrize("text", [NOT_IN_PLACE["LRN"][0], NOT_IN_PLACE["LRN within"][0], layer("Softmax")])
def test_forward_alone_is_in_blocks_on_any_processor(text: str):
    """oneDNN has code for it in blocks of 8 as well, where it has none for backward."""
    shape = (2, 16, 70, 70)
    here, there = (net(text, shape, WHOLE, engine, 1, "") for engine in ("onednn", "caffe"))
    assert chosen(here) == ("onednn", BLOCK)
    for it in (here, there):
        it.blobs["in"].data[...] = np.random.default_rng(1).standard_normal(shape)
        it.forward()
    same(*({name: blob.data.copy() for name, blob in it.blobs.items()} for it in (here, there)))


def test_a_small_softmax_is_left_to_numpy():
    compare(layer("Softmax"), WHOLE, NUMPY)


def test_the_mask_of_dropout_where_blocks_keep_the_plain_order():
    text = layer("Dropout", tops="d") + layer("Power", "power_param { scale: 2 }", "d").replace('"it"', '"next"')
    compare(text, WHOLE, IN_BLOCKS, size=1)  # 1 x 1 planes, and 3 x 1 ones, where NumPy takes over


def test_what_cannot_be_in_blocks_runs_plain():
    """Two axes: what NumPy leaves to oneDNN, and what it does not."""
    fields = "inner_product_param { num_output: 6 weight_filler { type: 'xavier' } }"
    head = layer("InnerProduct", fields, "in", "x").replace('"it"', '"makes x"')
    for kind, expected in (("ReLU", PLAIN_ONEDNN), ("TanH", PLAIN_ONEDNN), ("Sigmoid", PLAIN_ONEDNN), ("Bias", NUMPY)):
        here, there = (net_of_rows(head + layer(kind), engine) for engine in ("onednn", "caffe"))
        engine, block = chosen(here)
        assert (engine, block > 1) == expected
        same(run(here, (4, 5), 1), run(there, (4, 5), 1))


@pytest.mark.parametrize("fields", ["", "bias_term: false", "transpose: true", "transpose: true bias_term: false"])
@pytest.mark.parametrize("rows", [4, 32, 45])
def test_products_of_small_and_large_batches(rows: int, fields: str):
    own = f"num_output: 37 weight_filler {{ type: 'xavier' }} {fields}"
    if "bias_term" not in fields:
        own += " bias_filler { type: 'uniform' min: -1 max: 1 }"
    text = layer("InnerProduct", f"inner_product_param {{ {own} }}", "in")
    here, there = (net_of_rows(text, engine, rows, 50) for engine in ("onednn", "caffe"))
    assert chosen(here)[0] == "onednn"
    for n in (rows, rows + 3, rows):
        same(run(here, (n, 50), n), run(there, (n, 50), n))


def test_a_product_is_the_same_on_any_number_of_threads() -> None:
    """oneDNN's sgemm for AVX2 takes rows by six and sums a rest of a thread's share in another order: no share has one."""
    rows, outputs = (64, 70) if BLOCK == 16 else (72, 72)
    own = f"num_output: {outputs} weight_filler {{ type: 'xavier' }}"
    it, results = net_of_rows(layer("InnerProduct", f"inner_product_param {{ {own} }}", "in"), "onednn", rows, 300), []
    try:
        for number in (1, 2, 3):
            threads.use(number)
            results.append({name: value.tobytes() for name, value in run(it, (rows, 300), 1).items()})
    finally:
        threads.use(None)
    assert results[0] == results[1] == results[2]


def net_of_rows(text: str, engine: str, rows: int = 4, columns: int = 5) -> Net:
    dims = f"dim: {rows} dim: {columns}"
    head = f'force_backward: true layer {{ name: "in" type: "Input" top: "in" input_param {{ shape {{ {dims} }} }} }}\n'
    return Net(prototxt.parse(head + text, NetParameter), 0, engine=engine, fuse=False, seed=3)


def test_doubles_are_left_to_numpy():
    text = layer("TanH")
    here = net(text, (1, 5, 3, 3), WHOLE, "onednn")
    assert chosen(here)[0] == "onednn"
    dims = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 16 dim: 3 dim: 3 } } }'
    doubles = Net(prototxt.parse(dims + text, NetParameter), 0, engine="onednn", dtype=np.float64)
    assert chosen(doubles)[0] == "caffe"


def test_every_pass_holds_openmp_to_the_number_of_threads() -> None:
    it = net(layer("ReLU"), (1, 3, 4, 4), WHOLE, "onednn")
    try:
        for number in (1, 2, 1):
            threads.use(number)
            it.forward()
            assert onednn.library().omp_get_max_threads() == number
    finally:
        threads.use(None)


def test_a_net_is_made_for_the_threads_it_runs_on() -> None:
    """oneDNN shares out the work where an operation is made: with another number its sums would round otherwise."""
    try:
        threads.use(1)
        net(layer("ReLU"), (1, 3, 4, 4), WHOLE, "onednn").forward()
        threads.use(2)
        net(layer("ReLU"), (1, 3, 4, 4), WHOLE, "onednn")
        assert onednn.library().omp_get_max_threads() == 2
    finally:
        threads.use(None)


def test_a_window_of_one_value_is_normalised_by_numpy() -> None:
    """oneDNN's generator of code crashes for it where channels lie last (`lrn_param { local_size: 1 }`)."""
    text = convolution("lies", "x", "last", f"num_output: {LAST} kernel_size: 1")
    text += layer("LRN", "lrn_param { local_size: 1 alpha: 0.3 beta: 0.75 }", bottoms="last")
    its, mine = (net(text, (2, 3, 5, 5), LAST, engine) for engine in ("onednn", "caffe"))
    for each in (its, mine):
        each.blobs["in"].data[...] = np.linspace(-2, 2, 150).reshape(2, 3, 5, 5)
        each.forward()
    np.testing.assert_allclose(its.blobs["y"].data, mine.blobs["y"].data, rtol=1e-5, atol=1e-6)
