"""The whole files mutants are made of, by kind: those of tests/fixtures, and what is written here in other formats."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from brew.data.databases.lmdb_writer import write_lmdb
from brew.proto.brew_pb2 import (
    BlobProto,
    BlobShape,
    Datum,
    LayerParameter,
    NetParameter,
    ResumeState,
    SolverState,
    V0LayerParameter,
    V1LayerParameter,
)

TESTS = Path(__file__).parents[1]
CONFORMANCE = TESTS / "fixtures" / "conformance"
IN_PROCESS = ("net", "solver", "weights", "state", "mean")
IN_CHILD = ("lmdb", "hdf5", "image", "list")
TEXT = ("net", "solver", "list")

# The net whose weights and states stand in tests/fixtures/conformance/solvers, with inputs of its own.
NET = """name: "small"
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param { shape { dim: 8 dim: 6 } shape { dim: 8 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_output: 8 } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""
SHAPES = {"ip1": ((8, 6), (8,)), "ip2": ((4, 8), (4,))}


@cache
def files(kind: str) -> list[bytes]:
    """The files of a kind, in an order that does not change."""
    made = {
        "net": lambda: [_NET_INPUTS, *_read("prototxt/upgrade/*.prototxt"), *_nets()],
        "solver": lambda: [_SOLVER, _SOLVER_WITH_NET, *_read("fixtures/conformance/solvers/*/solver.prototxt")],
        "weights": lambda: [_current(), _v1(), _v0(), *_read("fixtures/conformance/solvers/*/out_iter_12.caffemodel")],
        "state": lambda: [_ours(), *_read("fixtures/conformance/solvers/*/out_iter_12.solverstate")],
        "mean": lambda: [_mean(), *_read("fixtures/conformance/data/mean.binaryproto")],
        "lmdb": lambda: [_tree(), *_read("fixtures/conformance/data/*_lmdb/data.mdb")],
        "hdf5": lambda: [_chunked(), *_read("fixtures/conformance/solvers/sgd_hdf5/*.h5")],
        "list": lambda: [
            _LIST,
            *_read("fixtures/conformance/data/list.txt"),
            *_read("fixtures/conformance/solvers/sgd_*/data.txt"),
        ],
        "image": lambda: [*_images(), *_read("fixtures/conformance/data/images/*/*.png")],
    }
    return made[kind]()


def _nets() -> list[bytes]:
    """Good ones: those of tests/fixtures/faults are not meant to be."""
    return [*_read("fixtures/conformance/**/*.prototxt", but="solver"), *_read("fixtures/prototxt/*.prototxt")]


def _read(pattern: str, but: str = "\0") -> list[bytes]:
    """The files of the pattern; those of tests/fixtures/faults have mistakes, and are no corpus of what can be read."""
    found = sorted(path for path in TESTS.glob(pattern) if "faults" not in path.parts)
    assert found, pattern
    return [path.read_bytes() for path in found if path.stem != but]


# --- prototxt ---------------------------------------------------------------------------------------------------------

_NET_INPUTS = b"""name: "deploy"  # the format of 2014 for inputs, one of every kind of value
input: "data" input: "more"
input_shape { dim: 1 dim: 3 dim: 8 dim: 8 } input_shape { dim: [1, 4] }
state { phase: TEST level: 1 stage: "a" stage: 'b' }
force_backward: true
layer < name: "c" type: "Convolution" bottom: "data" top: "c"; param { lr_mult: 1e-1 name: "w" } param { share_mode: PERMISSIVE }
  convolution_param { num_output: 0x04, kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.01f } } >
layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param { negative_slope: -.5 } include { min_level: 1 stage: "a" } }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE kernel_h: 2 kernel_w: 3 stride: 2 } exclude { phase: TRAIN } }
layer { name: "l" type: "LSTM" bottom: "more" bottom: "more" top: "l" recurrent_param { num_output: 3 } phase: TRAIN }
"""
_SOLVER = b"""# every kind of field
train_net: "net.prototxt" test_net: "net.prototxt" test_net: "net.prototxt" test_iter: 2 test_iter: 3 test_interval: 10
test_state { stage: "a" } test_state { level: 2 } train_state { stage: "b" }
base_lr: 0.01 lr_policy: "multistep" gamma: 0.1 stepvalue: [5, 10] momentum: 0.9 weight_decay: 5e-4
regularization_type: "L1" clip_gradients: 3 max_iter: 20 display: 5 average_loss: 4 iter_size: 2
snapshot: 10 snapshot_prefix: "s" snapshot_format: HDF5 snapshot_diff: false random_seed: 7 solver_mode: CPU type: "SGD"
"""
_SOLVER_WITH_NET = b"""net_param { name: "inside" layers { name: "d" type: DUMMY_DATA top: "d" dummy_data_param { num: 1 channels: 2 height: 3 width: 4 } }
  layers { name: "ip" type: INNER_PRODUCT bottom: "d" top: "ip" blobs_lr: 1 inner_product_param { num_output: 2 } } }
solver_type: ADAM max_iter: 4 base_lr: 0.1 lr_policy: "poly" power: 1 delta: 1e-8 momentum2: 0.99
"""


_LIST = (
    b"~nobody-of-that-name/x.png 0\r\ncats/img_01.png\n\n dogs/img_00.png  -1\n./cats/../cats/img_03.png 2147483647\n"
)


# --- binary files -----------------------------------------------------------------------------------------------------


def _blobs(name: str, *, legacy: bool = False, double: bool = False) -> list[BlobProto]:
    blobs = []
    for shape in SHAPES[name]:
        values = np.linspace(-1, 1, int(np.prod(shape))).tolist()
        blob = BlobProto(double_data=values, double_diff=values) if double else BlobProto(data=values)
        if legacy:
            four = (1,) * (4 - len(shape)) + shape
            blob.num, blob.channels, blob.height, blob.width = four
        else:
            blob.shape.CopyFrom(BlobShape(dim=shape))
        blobs.append(blob)
    return blobs


def _current() -> bytes:
    layers = [LayerParameter(name=n, type="InnerProduct", blobs=_blobs(n, double=n == "ip1")) for n in SHAPES]
    return NetParameter(name="small", layer=layers).SerializeToString()


def _v1() -> bytes:
    kind = V1LayerParameter.INNER_PRODUCT
    layers = [V1LayerParameter(name=n, type=kind, blobs=_blobs(n, legacy=True)) for n in SHAPES]
    return NetParameter(name="small", layers=layers).SerializeToString()


def _v0() -> bytes:
    layers = [
        V1LayerParameter(layer=V0LayerParameter(name=n, type="innerproduct", blobs=_blobs(n, legacy=True)))
        for n in SHAPES
    ]
    return NetParameter(name="small", layers=layers).SerializeToString()


def _ours() -> bytes:
    """A state with what Brew adds to Caffe's."""
    resume = ResumeState(
        random_seed=7, passes=24, losses=[1.0, 0.5], seconds=2.0, test_passes=[4], brew_version="0.1.0"
    )
    resume.source.add(net=-1, layer="data", record=96)
    resume.carried.add(net=-1, layer="ip1", name="carried h", shape=[2, 2], dtype="<f4", data=bytes(16))
    history = [*_blobs("ip1"), *_blobs("ip2")]
    return SolverState(iter=12, current_step=1, history=history, brew_resume=resume).SerializeToString()


def _mean() -> bytes:
    values = np.linspace(0, 255, 3 * 4 * 5).tolist()
    return BlobProto(num=1, channels=3, height=4, width=5, data=values).SerializeToString()


def _chunked() -> bytes:
    """Chunks, compression, a group and an old-style file at once."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="earliest") as file:
        file.create_dataset(
            "data", data=np.arange(60.0).reshape(12, 5), chunks=(4, 5), compression="gzip", shuffle=True
        )
        file.create_dataset("label", data=np.arange(12), fletcher32=True, chunks=(6,))
        file.create_group("more").create_dataset("x", data=np.ones((12, 2), "f2"))
    return buffer.getvalue()


def _tree() -> bytes:
    """An LMDB with a branch page, and records too large for a page."""
    small = Datum(channels=1, height=8, width=8, data=bytes(64), label=1).SerializeToString()
    large = Datum(channels=1, height=80, width=80, data=bytes(6400), label=2).SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        write_lmdb(path, ((b"%08d" % i, large if i % 40 == 0 else small) for i in range(160)))
        return (path / "data.mdb").read_bytes()


def _images() -> list[bytes]:
    rng = np.random.default_rng(0)
    pixels = Image.fromarray(rng.integers(0, 255, (24, 20, 3), np.uint8))
    made = []
    for form, mode, more in (
        ("JPEG", "RGB", {}), ("JPEG", "CMYK", {}), ("JPEG", "L", {"progressive": True}), ("PNG", "P", {}), ("GIF", "P", {}),
        ("BMP", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("WEBP", "RGB", {}), ("PPM", "RGB", {}),
    ):  # fmt: skip
        buffer = io.BytesIO()
        pixels.convert(mode).save(buffer, form, **more)
        made.append(buffer.getvalue())
    return made
