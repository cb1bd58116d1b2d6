"""What `layers.py` times: a realistic size or more for each type, and what its time is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sources

from brew.net.net import Net

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Gemm:
    """`times` products of (m, k) and (k, n), one after the other."""

    m: int
    k: int
    n: int
    times: int = 1


@dataclass(frozen=True)
class Case:
    """One line of the table.

    fields      the layer's message without names, type, bottoms and tops
    bottoms     their shapes; normally distributed, but integers below `integers[i]`, or above 0 with `positive`
    limit       the most that forward, and backward, may cost, in copies of bottoms and tops
    products    the GEMMs of forward and of backward, for layers held against them instead
    files       writes what the layer reads into the folder the net runs in
    begin       what the program does before the first forward
    bound       why it may miss its target: what bounds it
    """

    type: str
    variant: str = ""
    fields: str = ""
    bottoms: Sequence[Shape] = ()
    tops: int = 1
    limit: float = 10.0
    integers: dict[int, int] = field(default_factory=dict)
    positive: bool = False
    backward: bool = True
    products: tuple[Sequence[Gemm], Sequence[Gemm]] | None = None
    files: Callable[[Path], None] | None = None
    begin: Callable[[Net], None] | None = None
    bound: str = ""


BLOB = (32, 64, 56, 56)
SCORES, LABELS = (256, 1000), {1: 1000}
PLANES = (16, 64, 112, 112)
WINDOW = "kernel_size: 3 stride: 2"
FILLER = 'weight_filler { type: "xavier" }'
TEXT = (2000, 16, 256)  # T x N x D
POOLING = {
    "MAX": "a pass for each of nine offsets, and another to find which it was",
    "AVE": "passes for three rows and three columns, strided by two",
    "STOCHASTIC": "running sums over nine offsets, and a draw for each window",
}
DECODING = "decoding images, on one thread"


def elementwise(type_name: str, fields: str = "", variant: str = "", *, bottoms: int = 1, **more: Any) -> Case:
    """Layers that a pass over the memory bounds: at most 4 copies."""
    return Case(type_name, variant, fields, [BLOB] * bottoms, limit=4.0, **more)


def convolution(
    variant: str, x: Shape, outputs: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1
) -> Case:
    """GEMMs image by image, in groups: outputs x depth, depth x windows."""
    out = (x[2] + 2 * pad - kernel) // stride + 1
    depth, windows, times = x[1] // group * kernel**2, out**2, x[0] * group
    fields = f"num_output: {outputs} kernel_size: {kernel} stride: {stride} pad: {pad} group: {group} {FILLER}"
    outputs //= group
    forward = [Gemm(outputs, depth, windows, times)]
    backward = [Gemm(outputs, windows, depth, times), Gemm(depth, outputs, windows, times)]
    return Case("Convolution", variant, f"convolution_param {{ {fields} }}", [x], products=(forward, backward))


def recurrent(type_name: str, gates: int, heads: int) -> Case:
    """T products of a step, one after the other; those of all steps at once elsewhere. D = H = 256."""
    steps, streams, size = TEXT
    rows = steps * streams
    whole, step = Gemm(rows, size, gates * size), Gemm(streams, size, gates * size, steps)
    read = [Gemm(rows, size, size)] * heads  # RNN's output is one more product
    back = [Gemm(size, rows, gates * size)] * 2 + [Gemm(rows, gates * size, size)]
    back += [Gemm(streams, gates * size, size, steps), *(read * 2)]
    fields = f"recurrent_param {{ num_output: {size} {FILLER} }}"
    # The marks of a new sequence are 1 but at the first step.
    return Case(type_name, "T=2000 N=16 D=H=256", fields, [TEXT, TEXT[:2]], integers={1: 2},
                products=([whole, step, *read], back))  # fmt: skip


ELEMENTWISE = [
    elementwise("AbsVal"),
    elementwise("BNLL", bound="an exponential and a logarithm"),
    elementwise("Bias", 'bias_param { filler { type: "gaussian" } }'),
    elementwise("Clip", "clip_param { min: -0.5 max: 0.5 }"),
    elementwise("Dropout"),
    elementwise("ELU"),
    elementwise("Eltwise", "eltwise_param { operation: SUM }", "SUM", bottoms=2),
    elementwise("Eltwise", "eltwise_param { operation: PROD }", "PROD", bottoms=2),
    elementwise("Eltwise", "eltwise_param { operation: MAX }", "MAX", bottoms=2),
    elementwise("Exp"),
    elementwise("Log", positive=True),
    elementwise("PReLU", bound="two gradients from seven passes in cache"),
    elementwise("Power", "power_param { scale: 2 shift: 1 }", "power 1"),
    elementwise("Power", "power_param { power: 2 shift: 1 }", "power 2"),
    elementwise("ReLU"),
    elementwise("ReLU", "relu_param { negative_slope: 0.1 }", "leaky"),
    *(
        elementwise("Reduction", f"reduction_param {{ operation: {name} axis: 1 }}", name)
        for name in ("SUM", "ASUM", "SUMSQ", "MEAN")
    ),
    elementwise("Scale", "scale_param { bias_term: true }"),
    elementwise("Sigmoid"),
    elementwise("Swish"),
    elementwise("TanH"),
    elementwise("Threshold", backward=False),
    Case("Concat", bottoms=[(32, 32, 56, 56)] * 2, limit=4),
    Case("Crop", fields="crop_param { offset: 4 }", bottoms=[BLOB, (32, 64, 48, 48)], limit=4),
    Case("Flatten", bottoms=[BLOB], limit=4),
    Case("Reshape", fields="reshape_param { shape { dim: 0 dim: -1 } }", bottoms=[BLOB], limit=4),
    Case("Silence", bottoms=[BLOB], tops=0, limit=4),
    Case("Slice", bottoms=[BLOB], tops=2, limit=4),
    Case("Split", bottoms=[BLOB], tops=2, limit=4),
    Case("Tile", fields="tile_param { tiles: 4 }", bottoms=[(32, 16, 56, 56)], limit=4),
]

GEMMS = [
    convolution("3x3", (16, 64, 56, 56), 64, 3, pad=1),
    convolution("1x1", (16, 256, 28, 28), 64, 1),
    convolution("11x11 stride 4", (16, 3, 227, 227), 96, 11, 4),
    convolution("7x7 stride 2", (4, 3, 224, 224), 64, 7, 2, 3),
    convolution("1x1 with pad", (16, 64, 28, 28), 64, 1, pad=1),
    convolution("13 to 32 stride 2", (16, 13, 56, 56), 32, 3, 2, 1),
    convolution("group 2", (16, 96, 27, 27), 256, 5, pad=2, group=2),
    convolution("group 3, 1x1", (16, 240, 28, 28), 60, 1, group=3),
    convolution("group 32", (16, 128, 28, 28), 128, 3, pad=1, group=32),
    convolution("6 to 9, group 3", (16, 6, 56, 56), 9, 5, pad=2, group=3),
    convolution("depthwise 5x5", (16, 96, 28, 28), 96, 5, pad=2, group=96),
    Case(
        "Deconvolution",
        "4x4 stride 2",
        f"convolution_param {{ num_output: 64 kernel_size: 4 stride: 2 pad: 1 {FILLER} }}",
        [(16, 64, 28, 28)],
        products=([Gemm(1024, 64, 784, 16)], [Gemm(64, 1024, 784, 16), Gemm(64, 784, 1024, 16)]),
        bound="adding up 16 taps for every element of x, which is 64 channels deep only",
    ),
    Case(
        "InnerProduct",
        "64 x 9216 to 4096",
        f"inner_product_param {{ num_output: 4096 {FILLER} }}",
        [(64, 9216)],
        products=([Gemm(64, 9216, 4096)], [Gemm(4096, 64, 9216), Gemm(64, 4096, 9216)]),
    ),
    recurrent("LSTM", gates=4, heads=0),
    recurrent("RNN", gates=1, heads=1),
]

LOSSES = [
    Case("ContrastiveLoss", bottoms=[SCORES, SCORES, (256,)], integers={2: 2}),
    Case("EuclideanLoss", bottoms=[SCORES, SCORES]),
    Case(
        "HingeLoss", "L1", bottoms=[SCORES, (256,)], integers=LABELS, bound="six passes where the copy is all in cache"
    ),
    Case("HingeLoss", "L2", "hinge_loss_param { norm: L2 }", [SCORES, (256,)], integers=LABELS),
    Case("InfogainLoss", bottoms=[SCORES, (256,), (1, 1, 1000, 1000)], integers=LABELS, positive=True),
    Case("MultinomialLogisticLoss", bottoms=[SCORES, (256,)], integers=LABELS, positive=True),
    Case("SigmoidCrossEntropyLoss", bottoms=[SCORES, SCORES], integers={1: 2}),
    Case("SoftmaxWithLoss", bottoms=[SCORES, (256,)], integers=LABELS, bound="exp, where the copy is all in cache"),
    Case("SoftmaxWithLoss", "of pixels", bottoms=[(16, 21, 112, 112), (16, 1, 112, 112)], integers={1: 21}),
]

OTHERS = [
    Case("Accuracy", bottoms=[SCORES, (256,)], integers=LABELS, backward=False),
    Case("ArgMax", bottoms=[SCORES], backward=False),
    Case("ArgMax", "top 5", "argmax_param { top_k: 5 }", [SCORES], backward=False, bound="partitioning each row"),
    Case("BatchNorm", bottoms=[BLOB]),
    Case("BatchReindex", bottoms=[BLOB, (32,)], integers={1: 32}),
    Case(
        "Embed",
        "10000 to 256",
        f"loss_weight: 1 embed_param {{ input_dim: 10000 num_output: 256 {FILLER} }}",
        [(100, 160)],
        integers={0: 10000},
        bound="rows added one by one, as a word may come again",
    ),
    Case("Filter", bottoms=[BLOB, (32,)], integers={1: 2}),
    Case("Im2col", "3x3", "convolution_param { kernel_size: 3 pad: 1 }", [(16, 64, 56, 56)]),
    Case(
        "LRN",
        "across channels",
        "lrn_param { local_size: 5 }",
        [(32, 96, 55, 55)],
        bound="a power for each element, and a sum over neighbours, both ways",
    ),
    Case(
        "LRN",
        "within channel",
        "lrn_param { local_size: 5 norm_region: WITHIN_CHANNEL }",
        [(32, 32, 32, 32)],
        bound="25 squares and a power for each element, where the copy is all in cache",
    ),
    Case(
        "LSTMUnit",
        bottoms=[(1, 1024, 256), (1, 1024, 1024), (1, 1024)],
        tops=2,
        integers={2: 2},
        bound="five exponentials for each element of c, where the copy is all in cache",
    ),
    Case("MVN", bottoms=[BLOB]),
    Case("MVN", "across channels", "mvn_param { across_channels: true }", [BLOB]),
    *(
        Case(
            "Pooling",
            name,
            f"pooling_param {{ pool: {name} {WINDOW} }}",
            [PLANES],
            positive=name == "STOCHASTIC",
            bound=bound,
        )
        for name, bound in POOLING.items()
    ),
    Case("Python", fields='python_param { module: "halving" layer: "Halve" }', bottoms=[BLOB], files=sources.halving),
    Case(
        "SPP",
        fields="spp_param { pyramid_height: 3 }",
        bottoms=[(16, 256, 27, 27)],
        bound="three reductions over windows, whose rows are too short for wide instructions",
    ),
    Case("Softmax", bottoms=[SCORES]),
    Case("Softmax", "of pixels", bottoms=[(16, 21, 112, 112)]),
]

SOURCES = [
    Case(
        "Data",
        fields='data_param { source: "lmdb" batch_size: 32 prefetch: 1 } '
        "transform_param { crop_size: 227 mirror: true }",
        tops=2,
        backward=False,
        files=sources.lmdb,
    ),
    Case(
        "DummyData",
        "gaussian",
        'dummy_data_param { shape { dim: 16 dim: 3 dim: 227 dim: 227 } data_filler { type: "gaussian" } }',
        backward=False,
        bound="drawing numbers",
    ),
    Case(
        "HDF5Data",
        fields='hdf5_data_param { source: "files.txt" batch_size: 64 }',
        tops=2,
        backward=False,
        files=sources.hdf5,
    ),
    Case(
        "HDF5Output",
        fields='hdf5_output_param { file_name: "out.h5" }',
        bottoms=[(64, 3, 64, 64), (64,)],
        tops=0,
        backward=False,
        bound="writing a whole file",
    ),
    Case(
        "ImageData",
        fields='image_data_param { source: "list.txt" batch_size: 8 } data_param { prefetch: 1 }',
        tops=2,
        backward=False,
        files=sources.images,
        bound=DECODING,
    ),
    Case("Input", fields="input_param { shape { dim: 32 dim: 3 dim: 227 dim: 227 } }", backward=False),
    Case(
        "MemoryData",
        fields="memory_data_param { batch_size: 32 channels: 3 height: 227 width: 227 }",
        tops=2,
        backward=False,
        begin=sources.remember,
    ),
    Case("Parameter", fields="parameter_param { shape { dim: 4096 dim: 1024 } }"),
    Case(
        "WindowData",
        fields='window_data_param { source: "windows.txt" batch_size: 8 } '
        "transform_param { crop_size: 227 } data_param { prefetch: 1 }",
        tops=2,
        backward=False,
        files=sources.windows,
        bound=DECODING,
    ),
]

CASES = [*ELEMENTWISE, *GEMMS, *LOSSES, *OTHERS, *SOURCES]
