"""Weights as safetensors: against the package's own reader and writer, and against files that lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import brew
from brew import prototxt
from brew.errors import WeightsError
from brew.files.weights import reading, safetensors
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

NET = """name: "n"
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
layer { name: "inception/1x1" type: "InnerProduct" bottom: "x" top: "ya" param { name: "w" }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } bias_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "x" top: "yb" param { name: "w" }
  inner_product_param { num_output: 3 bias_filler { type: "xavier" } } }
"""


def net_of(**options: Any) -> Net:
    return Net(prototxt.parse(NET, NetParameter, "n.prototxt"), brew.TEST, **options)


def written(path: Path, header: object, values: bytes = b"", length: int | None = None) -> Path:
    """A file whose header is said to be `length` bytes long."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + values)
    return path


def test_what_is_saved_comes_back_and_the_package_reads_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    net = net_of(seed=1)
    file = tmp_path / "w.safetensors"
    net.save(file)
    other = net_of(seed=2, weights=file)
    for name in net.params:
        for mine, theirs in zip(net.params[name], other.params[name], strict=True):
            np.testing.assert_array_equal(mine.data, theirs.data)
    with safe_open(file, framework="np") as stored:
        assert stored.metadata() == {"format": "brew", "net": "n"}
        assert sorted(stored.keys()) == ["b/1", "inception/1x1/0", "inception/1x1/1"]
        np.testing.assert_array_equal(stored.get_tensor("b/1"), net.params["b"][1].data)
    assert not caplog.messages


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_float_is_read(tmp_path: Path, dtype: str):
    save_file({"a/0": np.array([[1.5, -2]], dtype), "a/1": np.array(3, dtype)}, tmp_path / "any.name")
    [layer] = reading.read(tmp_path / "any.name")
    assert (layer.name, layer.indices, [blob.shape for blob in layer.blobs]) == ("a", [0, 1], [(1, 2), ()])
    assert layer.blobs[0].data.tolist() == [[1.5, -2]]
    assert layer.blobs[0].data.dtype == ("f8" if dtype == "float64" else "f4")
    assert not layer.blobs[0].data.flags.writeable
    assert [piece.tolist() for piece in layer.blobs[1].pieces()] == [[3]]


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path: Path):
    expected = np.array([1, -2.5, 3e38, np.inf, 1e-30], np.float32)
    bits = (expected.view(np.uint32) >> 16).astype("<u2")
    header = {"a/0": {"dtype": "BF16", "shape": [5], "data_offsets": [0, 10]}}
    [layer] = safetensors.read_weights(written(tmp_path / "w", header, bits.tobytes()))
    np.testing.assert_array_equal(layer.blobs[0].data, (bits.astype(np.uint32) << 16).view(np.float32))
    np.testing.assert_allclose(layer.blobs[0].data, expected, rtol=2**-7)


def tensor(name: str, dtype: str = "F32", shape: list[int] | None = None, end: int = 4) -> dict[str, Any]:
    return {name: {"dtype": dtype, "shape": [1] if shape is None else shape, "data_offsets": [0, end]}}


ONE = json.dumps(tensor("a/0")["a/0"]).encode()
HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "names of another framework": (
        lambda p: save_file({f"fc.{x}": np.zeros(1, np.float32) for x in "abcdefg"}, p),
        r'7 of 7 tensors are not named <layer>/<index>: "fc.a", "fc.b", .*rename each tensor'),
    "some names of another": (
        lambda p: save_file({"a/0": np.zeros(1), "a/weight": np.zeros(1), "a/01": np.zeros(1)}, p), '2 of 3 tensors'),
    "no tensors": (lambda p: written(p, {"__metadata__": {"format": "pt"}}), "no tensor in it"),
    "whole numbers": (lambda p: save_file({"a/0": np.zeros(1, np.int32)}, p), '"a/0" holds I32, not one of F16, BF16'),
    "one name twice": (lambda p: written(p, b'{"a/0":%b,"a/0":%b}' % (ONE, ONE), bytes(4)), '"a/0" is there twice'),
    "truncated": (lambda p: written(p, tensor("a/0"), bytes(3)), "damaged or truncated.*bytes"),
    "too long": (lambda p: written(p, tensor("a/0"), bytes(9)), "damaged or truncated"),
    "header beyond the file": (lambda p: written(p, tensor("a/0"), length=9_000_000), "damaged or truncated"),
    "shape and values differ": (lambda p: written(p, tensor("a/0", shape=[2]), bytes(4)), "damaged or truncated"),
    "shape overflows": (lambda p: written(p, tensor("a/0", shape=[2**40, 2**40]), bytes(4)), "damaged or truncated"),
    "negative shape": (lambda p: written(p, tensor("a/0", shape=[-1]), bytes(4)), "damaged or truncated"),
    "deep JSON": (lambda p: written(p, b'{"a":' * 5000), "damaged or truncated"),
    "not UTF-8": (lambda p: written(p, b'{"\xff":1}'), "damaged or truncated"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_files_that_lie_are_refused(tmp_path: Path, case: str):
    build, message = HOSTILE[case]
    build(tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=message) as caught:
        reading.read(tmp_path / "w.safetensors")
    assert str(tmp_path / "w.safetensors") in str(caught.value)


def test_gradients_are_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match="safetensors hold no gradients"):
        net_of().save(tmp_path / "w.safetensors", diff=True)
    assert not list(tmp_path.iterdir())


def test_weights_of_another_net(tmp_path: Path):
    save_file({"c/0": np.zeros((3, 3), np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="none of its layers is in the net; the file has c"):
        net_of(weights=tmp_path / "w.safetensors")
