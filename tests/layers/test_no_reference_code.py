"""No primitive of oneDNN is reference code: random layers and fused groups, asked for what computes them.

Each net runs forward and backward, so that every primitive it could make is made, and is held against NumPy.
"""

from __future__ import annotations

import gc
import random
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from brew import prototxt
from brew.cpu import onednn
from brew.cpu.onednn import Description, Operation
from brew.errors import NetError
from brew.layer import Unsupported
from brew.layers.onednn import ENGINE
from brew.layers.onednn._passes import DirectWeights, Sizes
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

pytestmark = pytest.mark.onednn

FAST, SLOW, PORTION = 200, 2000, 25
CHANNELS = (1, 2, 3, 4, 6, 8, 9, 12, 13, 16, 17, 20, 24, 30, 32, 33, 48)
GROUPS = ENGINE.groups
SINGLE = (
    "AbsVal", "BatchNorm", "Bias", "Clip", "Concat", "Dropout", "ELU", "Eltwise", "InnerProduct", "LRN", "PReLU",
    "Pooling", "Power", "ReLU", "Scale", "Sigmoid", "Silence", "Slice", "Softmax", "Split", "Swish", "TanH",
)  # fmt: skip
LINE = 'filler { type: "uniform" min: 0.5 max: 2 }'


class Drawn:
    """A random net: layers `it`, behind an input or a convolution that lies in blocks."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        draw = self.draw
        self.phase = draw.choice((0, 0, 1))
        self.shape = (draw.choice((1, 2, 3)), draw.choice(CHANNELS), draw.randint(5, 14), draw.randint(5, 14))
        self.top, self.layers, self.forced = "x", list[str](), draw.random() < 0.8
        if draw.random() < 0.5:
            self.add("Convolution", self.filters(1), in_place=False)
        kind = draw.random()
        if kind < 0.5:
            self.add(draw.choice(("Convolution", "Convolution", "Deconvolution")), self.filters(), in_place=False)
        elif kind < 0.75:
            self.group(draw.choice(GROUPS))
        else:
            self.add(draw.choice(SINGLE), in_place=draw.random() < 0.3)
        if draw.random() < 0.3 and self.top:
            self.add("ReLU", in_place=True)

    @property
    def text(self) -> str:
        dims = " ".join(f"dim: {n}" for n in self.shape)
        force = f"force_backward: {'true' if self.forced else 'false'}"
        given = f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}'
        return "\n".join([force, given, *self.layers])

    def add(self, kind: str, fields: str | None = None, *, in_place: bool) -> None:
        name, bottoms = f"it{len(self.layers)}", [self.top]
        in_place = in_place and self.top != "x"  # the input stays
        tops = (
            [self.top] if in_place and kind not in ("Concat", "InnerProduct", "LRN", "Pooling", "Softmax") else [name]
        )
        if kind in ("Eltwise", "Concat"):
            bottoms = self.beside(self.draw.choice((2, 2, 3, 18)))
            tops = [name]
        elif kind in ("Split", "Slice"):
            tops = [f"{name}_{i}" for i in range(2)] if kind == "Split" or self.draw.random() < 0.5 else [name]
        elif kind == "Silence":
            tops = []
        ends = " ".join([f'bottom: "{b}"' for b in bottoms] + [f'top: "{t}"' for t in tops])
        fields = self.fields(kind) if fields is None else fields
        frozen = " ".join(
            f"param {{ lr_mult: {self.draw.choice((0, 1, 1)) if self.forced else 1} }}"
            for _ in range(self.learned(kind, fields))
        )
        self.layers.append(f'layer {{ name: "{name}" type: "{kind}" {ends} {frozen} {fields} }}')
        self.top = tops[0] if tops else ""

    def beside(self, number: int) -> list[str]:
        """The top, and others of its shape."""
        names = [f"{self.top}_b{i}" for i in range(number - 1)]
        for name in names:
            scaled = f"power_param {{ scale: {self.draw.choice((0.5, 2.0))} }}"
            self.layers.append(f'layer {{ name: "{name}" type: "Power" bottom: "{self.top}" top: "{name}" {scaled} }}')
        return [self.top, *names]

    @staticmethod
    def learned(kind: str, fields: str) -> int:
        if kind in ("Convolution", "Deconvolution", "InnerProduct"):
            return 1 if "bias_term: false" in fields else 2
        return {"Scale": 2 if "bias_term: true" in fields else 1, "Bias": 1, "PReLU": 1}.get(kind, 0)

    def group(self, types: tuple[str, ...]) -> None:
        """The layers of a group that may run together, in place where that lets them."""
        self.forced = True
        for i, kind in enumerate(types):
            self.add(kind, in_place=i > 0 or self.draw.random() < 0.3)

    def filters(self, most: int = 48) -> str:
        draw = self.draw
        group = 1 if most == 1 else draw.choice((1, 1, 2, 3, 4, 8, 32))
        channels = self.channels()
        if channels is None or channels % group:
            group = 1
        outputs = group * draw.choice((1, 2, 3, 4, 6, 8, 12, 16)) if group > 1 else draw.choice(CHANNELS)
        if group == 1 and channels and most > 1 and draw.random() < 0.15:
            group = outputs = channels  # a filter for each channel
        sizes = f"kernel_size: {draw.choice((1, 1, 2, 3, 3, 4, 5))}"
        if draw.random() < 0.2:
            sizes = f"kernel_h: {draw.randint(1, 4)} kernel_w: {draw.randint(1, 4)}"
        self.last = outputs
        return (
            f"convolution_param {{ num_output: {outputs} {sizes} group: {group} stride: {draw.choice((1, 1, 2, 3))} "
            f"pad: {draw.choice((0, 0, 1, 2))} dilation: {draw.choice((1, 1, 1, 2))} bias_term: {draw.choice(('true', 'false'))} "
            f'weight_filler {{ type: "xavier" }} bias_filler {{ type: "uniform" min: -1 max: 1 }} }}'
        )

    def channels(self) -> int | None:
        return getattr(self, "last", self.shape[1])

    def fields(self, kind: str) -> str:
        draw = self.draw
        if kind in ("Convolution", "Deconvolution"):
            return self.filters()
        bias = "true" if draw.random() < 0.5 else "false"
        options = {
            "Scale": [f"scale_param {{ {LINE} bias_term: {bias} }}"],
            "Bias": [f"bias_param {{ {LINE} }}"],
            "PReLU": [f"prelu_param {{ {LINE} }}", "prelu_param { channel_shared: true }"],
            "BatchNorm": ["", "batch_norm_param { use_global_stats: true }", "batch_norm_param { use_global_stats: false }"],
            "ELU": ["", "elu_param { alpha: 0.5 }"],
            "ReLU": ["", "", "relu_param { negative_slope: 0.1 }"],
            "Clip": ["clip_param { min: -0.5 max: 0.3 }"],
            "Power": ["power_param { scale: 0.5 }", "power_param { power: 2 }"],
            "Softmax": ["", "softmax_param { axis: 2 }"],
            "LRN": [f"lrn_param {{ local_size: {draw.choice((3, 5, 7))} alpha: 0.3 norm_region: {draw.choice(('ACROSS_CHANNELS', 'WITHIN_CHANNEL'))} }}"],
            "Pooling": [f"pooling_param {{ pool: {draw.choice(('MAX', 'AVE'))} kernel_size: {draw.choice((2, 3, 4))} stride: {draw.choice((1, 2, 3))} pad: {draw.choice((0, 1))} }}",
                        "pooling_param { pool: AVE global_pooling: true }"],
            "Eltwise": ["", "", "eltwise_param { operation: MAX }"],
            "InnerProduct": [f'inner_product_param {{ num_output: {draw.choice((1, 7, 32))} weight_filler {{ type: "xavier" }} }}'],
        }  # fmt: skip
        return draw.choice(options.get(kind, [""]))


def loss(top: str, shape: tuple[int, ...]) -> str:
    """The distance from a target: its gradient is no constant, which the statistics of a BatchNorm would take out."""
    dims = " ".join(f"dim: {n}" for n in shape)
    return f"""layer {{ name: "t" type: "Input" top: "t" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "l" type: "EuclideanLoss" bottom: "{top}" bottom: "t" top: "l" }}"""


def made(drawn: Drawn) -> tuple[Net, Net] | None:
    """The net by oneDNN and by NumPy; None where the layers do not fit one another."""
    message = prototxt.parse(drawn.text, NetParameter)
    try:
        if drawn.top:  # without force_backward the bottom's gradient is not wanted, the parameters' are
            shape = Net(message, drawn.phase, engine="caffe").blobs[drawn.top].shape
            message = prototxt.parse(f"{drawn.text}\n{loss(drawn.top, shape)}", NetParameter)
        nets = [Net(message, drawn.phase, engine=engine, seed=7) for engine in ("onednn", "caffe")]
    except NetError:  # a window that is too large, say
        return None
    for name, blobs in nets[1].params.items():
        for mine, its in zip(nets[0].params[name], blobs, strict=True):
            mine.data[...] = its.data
    return nets[0], nets[1]


def run(net: Net, off: float = 0.0) -> None:
    """Two passes; the inputs are about `off` of their size away from what they are without it."""
    values = np.random.default_rng(1)
    for name in net.inputs:
        net.blobs[name].data[...] = values.standard_normal(net.blobs[name].shape)
        net.blobs[name].data[...] *= 1 + off * np.random.default_rng(2).standard_normal(net.blobs[name].shape)
    net.forward()  # no blob has been exposed yet: fused groups run
    net.backward()
    net.clear_param_diffs()
    net.forward()
    if "l" not in net.outputs:
        for name in net.outputs:
            net.blobs[name].diff[...] = values.standard_normal(net.blobs[name].shape)
    net.backward()


def found(net: Net) -> dict[str, np.ndarray[Any, Any]]:
    """Copies of all that is compared."""
    arrays = {f"{name} data": blob.data for name, blob in net.blobs.items()} | {"x diff": net.blobs["x"].diff}
    learned = {f"{name} {i} diff": b.diff for name, blobs in net.params.items() for i, b in enumerate(blobs)}
    return {name: np.array(array) for name, array in (arrays | learned).items()}


def rounding(drawn: Drawn) -> dict[str, float]:
    """How far oneDNN's numbers move where the inputs change by a few units in their last place.

    A bias behind which a BatchNorm takes the mean out has a gradient of exactly zero: what is there is rounding.
    """
    said = []
    for off in (0.0, 1e-6, 2e-6):
        nets = made(drawn)
        assert nets is not None
        run(nets[0], off)
        said.append(found(nets[0]))
    return {name: max(float(np.abs(one[name] - said[0][name]).max(initial=0)) for one in said) for name in said[0]}


def reference_code() -> list[str]:
    """The names of living primitives' code that is the reference one."""
    living = [o for o in gc.get_objects() if isinstance(o, Operation) and hasattr(o, "primitive")]
    return [name for o in living if "ref" in (name := o.implementation)]


def hold(seed: int, drawn: Drawn, got: dict[str, Any], want: dict[str, Any]) -> None:
    """AssertionError where oneDNN's numbers are not NumPy's."""
    more: dict[str, float] = {}
    for name, right in want.items():
        bound = (2e-4 if name.endswith("data") or name == "x diff" else 5e-4) * max(
            1.0, float(np.abs(right).max(initial=0))
        )
        if not np.abs(got[name] - right).max(initial=0) <= bound:
            more = more or rounding(drawn)
        bound += 100 * more.get(name, 0)
        np.testing.assert_allclose(got[name], right, rtol=0, atol=bound, err_msg=f"seed {seed}: {name}\n{drawn.text}")


def check(seeds: range) -> None:
    ran: list[tuple[Drawn, tuple[Net, Net]]] = []  # alive until their primitives have been asked
    for seed in seeds:
        drawn = Drawn(seed)
        nets = made(drawn)
        if nets is None:
            continue
        ran.append((drawn, nets))
        for net in nets:
            run(net)
        hold(seed, drawn, *map(found, nets))
    assert not reference_code(), "\n\n".join(drawn.text for drawn, _ in ran)
    assert len(ran) > len(seeds) // 2


@pytest.mark.parametrize("first", range(0, FAST, PORTION))
def test_random_layers(first: int) -> None:
    check(range(first, first + PORTION))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FAST, FAST + SLOW, PORTION))
def test_more_random_layers(first: int) -> None:
    check(range(first, first + PORTION))


def test_reference_code_is_refused() -> None:
    """A convolution in blocks of 3 channels that wants padding around one pixel: only `ref` has it."""
    block = f"aBcd{onednn.block()}b"
    x, y, w = Description((1, 3, 8, 8), block), Description((1, 16, 10, 10), block), Description((16, 3, 1, 1))
    window = [onednn.dims(1, 1), onednn.dims(0, 0), onednn.dims(1, 1), onednn.dims(1, 1)]
    arguments = (onednn.FORWARD_TRAINING, onednn.CONVOLUTION_DIRECT, x, w, None, y, *window)
    assert "ref" in Operation("convolution_forward", *arguments, hint_only=True).implementation
    with pytest.raises(Unsupported, match="reference code"):
        Operation("convolution_forward", *arguments)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (2, 3), (9, 12), (8, 4), (3, 17)])
def test_strided_gradients_of_ragged_channels_are_not_computed_by_code_that_overruns(inputs: int, outputs: int) -> None:
    """Where channels lie last, oneDNN's `jit_1x1` code gathers the bottom into scratch memory that is too small."""
    x, y = Description((3, inputs, 8, 12), "acdb"), Description((3, outputs, 4, 6), "acdb")
    filters, plain = Description((outputs, inputs, 1, 1)), Description((outputs, inputs, 1, 1), "abcd")
    window = [onednn.dims(2, 2), onednn.dims(0, 0), onednn.dims(0, 0), onednn.dims(0, 0)]
    sizes = Sizes("convolution", onednn.CONVOLUTION_DIRECT, x, y, filters, plain, None, window, True)
    code = DirectWeights(sizes, None).operation.implementation
    with pytest.raises(Unsupported, match="overruns") if "jit_1x1" in code else nullcontext():
        DirectWeights(replace(sizes, overruns=True), None)


def test_a_net_asks_for_no_gradient_by_code_that_overruns() -> None:
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 9 dim: 8 dim: 12 } } }
    layer { name: "y" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 12 kernel_size: 1 stride: 2 } }
    layer { name: "l" type: "Reduction" bottom: "y" top: "l" loss_weight: 1 }"""
    net = Net(prototxt.parse(text, NetParameter), 0, engine="onednn")
    net.blobs["x"].data[...] = 1
    net.forward()
    net.backward()
    assert (net.params["y"][0].diff == 2 * 4 * 6).all()
    made = [o for o in gc.get_objects() if isinstance(o, DirectWeights)]  # none where code of our own computes it
    last = [o for o in made if o.sizes.x == Description((2, 9, 8, 12), "acdb")]
    assert not [o for o in last if "jit_1x1" in o.operation.implementation]
    net.close()
