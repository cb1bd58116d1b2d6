"""Weights files against protobuf's own reader and writer, and against everything that is none."""

from __future__ import annotations

import gzip
import io
import random
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brew.errors import WeightsError
from brew.files.weights.caffemodel import (
    HashedStream,
    read_blob,
    read_solver_state,
    read_weights,
    sha256_of,
    write_solver_state,
    write_weights,
)
from brew.proto.brew_pb2 import (
    TRAIN,
    BlobProto,
    LayerParameter,
    NetParameter,
    ResumeState,
    SolverState,
    V1LayerParameter,
)

CASE = Path(__file__).parents[1] / "fixtures" / "conformance" / "solvers" / "sgd_plain"


def saved(tmp_path: Path, raw: bytes, name: str = "x.caffemodel") -> Path:
    file = tmp_path / name
    file.write_bytes(raw)
    return file


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def length_delimited(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def net_with(blob: bytes, name: str = "ip") -> bytes:
    """A net of one layer with one blob given in wire format."""
    return length_delimited(100, length_delimited(1, name.encode()) + length_delimited(7, blob))


def test_a_file_of_caffes() -> None:
    file = CASE / "out_iter_12.caffemodel"
    expected = NetParameter.FromString(file.read_bytes())
    layers = read_weights(file)
    assert [(x.name, x.type, len(x.blobs)) for x in layers] == [(x.name, x.type, len(x.blobs)) for x in expected.layer]
    assert sum(len(x.blobs) for x in layers) == 4
    for layer, theirs in zip(layers, expected.layer, strict=True):
        for blob, their in zip(layer.blobs, theirs.blobs, strict=True):
            assert blob.shape == tuple(their.shape.dim) == blob.data.shape
            assert not blob.legacy
            assert blob.diff is None
            assert blob.data.dtype == np.float32
            assert not blob.data.flags.writeable
            np.testing.assert_array_equal(blob.data.ravel(), np.array(their.data, np.float32))


def test_a_state_of_caffes() -> None:
    file = CASE / "out_iter_12.solverstate"
    expected = SolverState.FromString(file.read_bytes())
    state = read_solver_state(file)
    assert (state.iter, state.learned_net, state.current_step) == (12, "out_iter_12.caffemodel", 0)
    assert state.resume is None
    assert len(state.history) == len(expected.history) > 0
    for blob, their in zip(state.history, expected.history, strict=True):
        np.testing.assert_array_equal(blob.data.ravel(), np.array(their.data, np.float32))


def test_what_is_written_protobuf_reads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    w = np.arange(6, dtype=np.float32).reshape(2, 3)
    b = np.array(0.5, np.float64)
    param = LayerParameter(name="ip", type="InnerProduct", phase=TRAIN, top=["y"])
    stream = io.BytesIO()
    size = write_weights(stream, [(param, [w.T, b], [-w.T, 2 * b]), (LayerParameter(name="e"), [w[:0]], None)], "n")
    assert size == len(stream.getvalue())
    net = NetParameter.FromString(stream.getvalue())
    assert net.name == "n"
    theirs = net.layer[0]
    assert list(theirs.blobs[0].shape.dim) == [3, 2]
    assert list(theirs.blobs[0].data) == [0, 3, 1, 4, 2, 5]
    assert list(theirs.blobs[0].diff) == [0, -3, -1, -4, -2, -5]
    assert (list(theirs.blobs[1].double_data), list(theirs.blobs[1].double_diff)) == ([0.5], [1.0])
    del theirs.blobs[:]
    assert theirs == param

    layers = read_weights(saved(tmp_path, stream.getvalue()))
    diff = layers[0].blobs[0].diff
    assert diff is not None
    np.testing.assert_array_equal(layers[0].blobs[0].data, w.T)
    np.testing.assert_array_equal(diff, -w.T)
    assert (layers[0].blobs[1].shape, layers[0].blobs[1].legacy) == ((1, 1, 1, 1), True)  # fits (), as in Caffe
    assert layers[0].blobs[1].data.dtype == np.float64
    assert layers[1].blobs[0].shape == (0, 3)
    assert not caplog.records


def test_states_round_trip(tmp_path: Path) -> None:
    resume = ResumeState(random_seed=7, losses=[0.5, 0.25], test_passes=[1, 2])
    resume.source.add(layer="data", record=64)
    resume.choice.add(name="conv1", value="gemm")
    history = [np.ones((2, 2), np.float32), np.zeros(3, np.float32)]
    stream = io.BytesIO()
    assert write_solver_state(stream, 5, "a.caffemodel", history, 2, resume) == len(stream.getvalue())
    theirs = SolverState.FromString(stream.getvalue())
    assert (theirs.iter, theirs.current_step, len(theirs.history)) == (5, 2, 2)
    assert resume.source[0].net == -1
    state = read_solver_state(saved(tmp_path, stream.getvalue()))
    assert (state.iter, state.learned_net, state.current_step, state.resume) == (5, "a.caffemodel", 2, resume)
    np.testing.assert_array_equal(state.history[0].data, history[0])


@pytest.mark.parametrize("broken", [[np.ones(2, np.int32)], [np.ones(2, np.float16)]])
def test_only_floats_are_written(broken: list[np.ndarray[Any, Any]]) -> None:
    with pytest.raises(ValueError, match="float32 or float64"):
        write_weights(io.BytesIO(), [(LayerParameter(), broken, None)], "n")


def test_old_nets(tmp_path: Path) -> None:
    net = NetParameter(name="old")
    v1 = net.layers.add(name="loss", type=V1LayerParameter.SOFTMAX_LOSS)
    v1.blobs.add(num=1, channels=1, height=2, width=2, data=[1, 2, 3, 4])
    v0 = net.layers.add(bottom=["x"]).layer
    v0.name, v0.type = "ip", "innerproduct"
    v0.blobs.add(num=1, channels=1, height=1, width=1, data=[7], diff=[8])
    first, second = read_weights(saved(tmp_path, net.SerializeToString()))
    assert (first.name, first.type) == ("loss", "SoftmaxWithLoss")
    assert (first.blobs[0].shape, first.blobs[0].legacy) == ((1, 1, 2, 2), True)
    assert (second.name, second.type, second.blobs[0].data.item()) == ("ip", "InnerProduct", 7)


def test_every_old_type_is_a_type_of_today(tmp_path: Path) -> None:
    net = NetParameter()
    for value in V1LayerParameter.LayerType.values():
        net.layers.add(type=value)
    found = {layer.type for layer in read_weights(saved(tmp_path, net.SerializeToString()))}
    assert {"HDF5Data", "ReLU", "LRN", "Im2col", "SigmoidCrossEntropyLoss", "InfogainLoss", "TanH", ""} <= found
    assert len(found) == len(V1LayerParameter.LayerType.values())


@pytest.mark.parametrize("format", ["f", "d"])
def test_values_with_a_tag_each(tmp_path: Path, format: str) -> None:
    """How writers without packing store them; 1000 values, then a diff."""
    values = np.linspace(-1, 1, 1000).astype(np.dtype(format).newbyteorder("<"))
    data, diff = (b"\x2d", b"\x35") if format == "f" else (b"\x41", b"\x49")
    blob = b"".join(data + v.tobytes() for v in values) + length_delimited(7, b"\x08\xe8\x07")
    blob += b"".join(diff + v.tobytes() for v in values[::-1])
    assert BlobProto.FromString(blob).shape.dim == [1000]
    (layer,) = read_weights(saved(tmp_path, net_with(blob)))
    np.testing.assert_array_equal(layer.blobs[0].data, values)
    assert layer.blobs[0].diff is not None
    np.testing.assert_array_equal(layer.blobs[0].diff, values[::-1])


def test_values_in_several_pieces(tmp_path: Path) -> None:
    pieces = [length_delimited(5, struct.pack("<f", i)) for i in range(3)] + [b"\x2d" + struct.pack("<f", 3)]
    (layer,) = read_weights(saved(tmp_path, net_with(b"".join(pieces) + length_delimited(7, b"\x08\x04"))))
    assert layer.blobs[0].data.tolist() == [0, 1, 2, 3]


def test_doubles_come_before_floats(tmp_path: Path) -> None:
    blob = BlobProto(data=[1], double_data=[2])
    blob.shape.dim.append(1)
    (layer,) = read_weights(saved(tmp_path, net_with(blob.SerializeToString())))
    assert layer.blobs[0].data.tolist() == [2]


@pytest.mark.parametrize(("kind", "dtype"), [(0, "<f8"), (1, "<f4"), (2, "<f2")])
def test_nvidias_raw_values(tmp_path: Path, kind: int, dtype: str) -> None:
    values = np.array([0.5, -2], dtype)
    blob = length_delimited(7, b"\x0a\x01\x02") + b"\x50" + bytes([kind]) + length_delimited(12, values.tobytes())
    (layer,) = read_weights(saved(tmp_path, net_with(blob)))
    assert layer.blobs[0].data.dtype == (np.float64 if kind == 0 else np.float32)
    assert layer.blobs[0].data.tolist() == [0.5, -2]


def test_fields_of_forks_are_stepped_over(tmp_path: Path) -> None:
    group = b"\xab\x06" + b"\x08\x01" + b"\x13\x0a\x02hi\x14" + b"\xac\x06"  # group 101 with group 2 inside
    fork = b"\xc8\x3e\x05" + b"\xd1\x3e" + b"\0" * 8 + b"\xdd\x3e" + b"\0" * 4 + length_delimited(145, b"\xff")
    blob = length_delimited(7, b"\x0a\x01\x01") + length_delimited(5, struct.pack("<f", 9)) + fork + group
    (layer,) = read_weights(saved(tmp_path, fork + group + net_with(blob) + fork))
    assert layer.blobs[0].data.tolist() == [9]


def test_a_mean(tmp_path: Path) -> None:
    mean = BlobProto(num=1, channels=3, height=1, width=1, data=[104, 117, 123])
    blob = read_blob(saved(tmp_path, mean.SerializeToString()))
    assert (blob.shape, blob.legacy, blob.data.ravel().tolist()) == ((1, 3, 1, 1), True, [104, 117, 123])


VALUE = length_delimited(5, struct.pack("<2f", 1, 2))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html><body>404", "an HTML page; the file has 30 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (gzip.compress(b"x"), "a gzip file"),
        (b"PK\x03\x04" + bytes(30), "a zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(30), "an HDF5 file"),
        (b"\x80\x04\x95" + bytes(30), "a Python pickle"),
        (b'name: "LeNet"\nlayer { }', "this is a net; the file has"),
        (b"Who reads this?", "a text file"),
        (b"\xc8\x3e\x05", "no layer in it"),
        (net_with(VALUE + length_delimited(7, b"\x0a\x01\x02"))[:-3], "needs"),
        (
            net_with(VALUE + length_delimited(7, b"\x0a\x02\x03\x04")),
            'layer "ip", blob 0: shape 3x4 has 12 values, 2 are',
        ),
        (net_with(VALUE), "shape () has 1 values, 2 are stored"),
        (net_with(length_delimited(7, b"\x0a\x01\x02")), "shape 2 has 2 values, 0 are stored"),
        (net_with(VALUE + length_delimited(7, b"\x08" + b"\xff" * 9 + b"\x01")), "shape -1 has a negative axis"),
        (net_with(VALUE + length_delimited(7, (b"\x08" + varint(1 << 40)) * 2)), "beyond any memory"),
        (net_with(length_delimited(7, b"\x08\x00\x08" + varint(1 << 62))), "shape 0x4611686018427387904 is beyond"),
        (net_with(VALUE + length_delimited(7, b"\x08\x01" * 40)), "more than 32 axes"),
        (net_with(VALUE + length_delimited(7, length_delimited(1, b"\x01" * 9999))), "more than 32 axes"),
        (net_with(VALUE + length_delimited(6, b"\0" * 4) + b"\x3a\x02\x08\x02"), "1 are stored as its gradient"),
        (net_with(length_delimited(5, b"\0" * 7)), "7 bytes are no whole number of float32"),
        (net_with(b"\x50\x09" + length_delimited(12, b"\0")), "type 9"),
        (net_with(b"\x0b" * 100_000), "has no end"),
        (net_with(b"\x0c"), "never began"),
        (b"\x08\x0c", "field 1 is not what a net has there"),
        (b"\xff" * 30, "a number does not end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # a gzip file's bytes hold the time
)
def test_what_is_no_weights_file_is_named(tmp_path: Path, raw: bytes, said: str) -> None:
    file = saved(tmp_path, raw)
    with pytest.raises(WeightsError) as caught:
        read_weights(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    saved(tmp_path, b"x", "lenet.caffemodel")
    with pytest.raises(WeightsError, match='did you mean "lenet'):
        read_weights(tmp_path / "lnet.caffemodel")
    with pytest.raises(WeightsError, match="folder"):
        read_weights(tmp_path)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_weights("a\0b")


def test_one_kind_given_for_another(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="a solver state"):
        read_solver_state(CASE / "out_iter_12.caffemodel")
    with pytest.raises(WeightsError, match="weights"):
        read_weights(CASE / "out_iter_12.solverstate")
    with pytest.raises(WeightsError, match="no iteration"):
        read_solver_state(saved(tmp_path, b"\x20\x01"))
    with pytest.raises(WeightsError, match="for resuming"):
        read_solver_state(saved(tmp_path, b"\x08\x01" + length_delimited(10000, b"\xff")))


@pytest.mark.parametrize("name", ["out_iter_12.caffemodel", "out_iter_12.solverstate"])
def test_mutated_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    """Nothing but WeightsError comes out, and no blob has more values than the file has room for."""
    rng = random.Random(1701)
    original = (CASE / name).read_bytes()
    refused = 0
    for index in range(500):
        raw = bytearray(original)
        for _ in range(rng.randint(1, 6)):
            raw[rng.randrange(len(raw))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        if rng.random() < 0.3:
            del raw[rng.randrange(len(raw)) :]
        file = saved(tmp_path, bytes(raw), f"{index}")
        try:
            if name.endswith("model"):
                blobs = [blob for layer in read_weights(file) for blob in layer.blobs]
            else:
                blobs = read_solver_state(file).history
        except WeightsError:
            refused += 1
        else:
            assert sum(blob.data.size for blob in blobs) <= len(raw)
    assert 50 < refused < 500


def test_a_hundred_megabytes_are_a_view(tmp_path: Path) -> None:
    file = tmp_path / "big.caffemodel"
    with file.open("wb") as stream:
        write_weights(stream, [(LayerParameter(name="fc"), [np.zeros(25_000_000, np.float32)], None)], "big")
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        (layer,) = read_weights(file)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.05
    assert layer.blobs[0].data.base is not None


def test_beyond_two_gigabytes(tmp_path: Path) -> None:
    """A sparse file: one blob of 2.4 GB that was never written."""
    count = 600_000_000
    shape = length_delimited(7, b"\x08" + varint(count))
    data = b"\x2a" + varint(4 * count)
    blob = b"\x3a" + varint(len(shape) + len(data) + 4 * count) + shape + data
    file = tmp_path / "huge.caffemodel"
    with file.open("wb") as stream:
        stream.write(b"\xa2\x06" + varint(len(blob) + 4 * count) + blob)
        stream.seek(4 * count - 4, 1)
        stream.write(struct.pack("<f", 3))
    (layer,) = read_weights(file)
    assert layer.blobs[0].shape == (count,)
    assert layer.blobs[0].data[-1] == 3


def test_what_is_hashed_is_what_is_written(tmp_path: Path) -> None:
    values = [np.arange(100_000, dtype=np.float32), np.ones(7)]
    for keep in (True, False):
        with (tmp_path / "w").open("wb") as file:
            stream = HashedStream(file, keep=keep)
            size = write_weights(stream, [(LayerParameter(name="a"), values, None)] * 3, "n")
        assert size == (tmp_path / "w").stat().st_size
        assert stream.hexdigest() == sha256_of(tmp_path / "w")


def test_weights_beyond_two_gigabytes_are_written(caplog: pytest.LogCaptureFixture) -> None:
    """Zeros that were never touched, onto a stream that only looks at what comes first."""
    seen: list[tuple[int, bytes]] = []

    class Stream:
        def write(self, piece: bytes | memoryview, /) -> int:
            seen.append((len(piece), bytes(piece[:16])))
            return len(piece)

    count = 600_000_000
    size = write_weights(Stream(), [(LayerParameter(name="fc"), [np.zeros(count, np.float32)], None)], "n")
    assert size == sum(length for length, _ in seen)
    assert (4 * count, bytes(16)) in seen
    assert any(head.endswith(varint(4 * count)) for _, head in seen)
    assert "Caffe reads .caffemodel files up to 2 GiB only" in caplog.text
