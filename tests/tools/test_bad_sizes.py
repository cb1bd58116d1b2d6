"""Inputs beyond every size, warnings that must come, and bad images: faults 5, 9, 10, 16, 17 and 22 of the list.

As in test_bad_inputs the numbers are those of the list; test_every_fault asks that each has a test.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brew import prototxt
from brew.errors import PrototxtError
from brew.graph.build import build
from brew.graph.definition import select
from brew.layer import TRAIN, Context
from brew.layer.random import Seed
from brew.net import memory_report
from brew.proto.brew_pb2 import BlobProto, BlobShape, LayerParameter, NetParameter, V0LayerParameter, V1LayerParameter

ROOT = Path(__file__).parents[2]
Run = Callable[..., Any]

NET = """name: "n"
layer { name: "data" type: "Input" top: "data" top: "target"
        input_param { shape { dim: 2 dim: 1 dim: 5 dim: 5 } shape { dim: 2 dim: 3 } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { kernel_size: 1 stride: %s } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: %s weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "target" top: "loss" }
"""
SOLVER = 'net: "net.prototxt"\nbase_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 2\nsnapshot_prefix: "s"\n'


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`write(net, solver)`: the working directory with both files."""
    monkeypatch.chdir(tmp_path)

    def files(net: str = NET % (1, 3), solver: str = SOLVER) -> None:
        (tmp_path / "net.prototxt").write_text(net)
        (tmp_path / "solver.prototxt").write_text(solver)

    return files


# --- sizes: 5, 9 ------------------------------------------------------------------------------------------------------


def test_5_a_net_of_20000_layers(tmp_path: Path) -> None:
    lines = ['layer { name: "data" type: "Input" top: "b0" input_param { shape { dim: 1 dim: 4 } } }']
    lines += [f'layer {{ name: "r{i}" type: "ReLU" bottom: "b{i}" top: "b{i + 1}" }}' for i in range(20_000)]
    (tmp_path / "net.prototxt").write_text("\n".join(lines))
    net = select(tmp_path / "net.prototxt", TRAIN)
    graph = build(net.layers, lambda source: Context(TRAIN, np.dtype("f4"), Seed(1), source.place, tmp_path))
    assert len(graph.nodes) == 20_001


DEEP = {
    "5 nested fields that are known": "layer { " * 100_000,
    "5 nested fields that are unknown": "nobody_knows { " * 100_000 + "}" * 100_000,
    "5 nested and never closed": "layer { nobody_knows < " + "x { " * 100_000,
    "5 nested lists": "layer { bottom: " + "[" * 100_000,
    "5 one long string": 'name: "' + "a" * 10_000_000,
    "5 one long number": "layer { phase: " + "1" * 1_000_000 + " }",
}


@pytest.mark.parametrize("case", DEEP, ids=str)
def test_depth_and_length_are_refused(case: str) -> None:
    began = time.monotonic()
    with pytest.raises(PrototxtError) as refused:
        prototxt.parse(DEEP[case], NetParameter)
    assert len(str(refused.value)) < 1000
    assert time.monotonic() - began < 20


def test_5_two_hundred_megabytes_are_refused_unread(brew_run: Run, write: Callable[..., None]) -> None:
    write()
    with Path("net.prototxt").open("r+b") as file:
        file.truncate(200 << 20)
    outcome = brew_run("train", "--solver", "solver.prototxt")
    assert outcome.code == 3
    assert re.search(r"net.prototxt.*209715200 bytes: prototxt may have up to 64 MiB|209715200", outcome.err, re.S)


HUGE = {
    "9 num_output of 2 billion": (
        ("dim: 2 dim: 3", "num_output: 3"),
        ("dim: 2 dim: 2000000000", "num_output: 2000000000"),
        "ip",
    ),
    "9 a huge input": (("dim: 2 ",), ("dim: 2000000000 ",), "data"),
}


@pytest.mark.parametrize("case", HUGE, ids=str)
def test_memory_is_counted_before_it_is_taken(case: str, brew_run: Run, write: Callable[..., None]) -> None:
    before, after, largest = HUGE[case]
    net = NET % (1, 3)
    for old, new in zip(before, after, strict=True):
        net = net.replace(old, new)
    write(net)
    outcome = brew_run("train", "--solver", "solver.prototxt")
    assert outcome.code == 7, outcome.err
    assert re.search(rf"the largest layers: {largest} \d+ MiB, ", outcome.err), outcome.err
    assert "batch_size" in outcome.err


WHOLE = 'layer { name: "data" type: "Input" top: "data" input_param { shape { %s } } } layer { name: "r" type: "ReLU" bottom: "data" top: "r" }'
IP = 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: %s } }'
BEYOND = {
    "9 an axis beyond 32 bits": (WHOLE % "dim: 4294967296", "an axis of 4294967296; up to 2147483647 are possible"),
    "9 that many outputs": (WHOLE % "dim: 1 dim: 1" + IP % 4294967295, "an axis of 4294967295"),
    "9 axes that multiply beyond": (WHOLE % ("dim: 2147483647 " * 3), "elements; up to 1152921504606846975"),
    "9 a parameter beyond": (WHOLE % "dim: 1 dim: 2147483647" + IP % 2147483647, "parameter 0 would have the shape"),
    "9 axes by the dozen": (WHOLE % ("dim: 1 " * 33), "33 axes; up to 32 are possible"),
    "9 a million axes": (WHOLE % ("dim: 1 " * 1_000_000), "1000000 axes; up to 32 are possible"),
}


@pytest.mark.parametrize("verb", [("show",), ("check",), ("deploy", "-"), ("time", "--mode", "forward")])
@pytest.mark.parametrize("case", BEYOND, ids=str)
def test_what_cannot_be_counted_is_an_error_everywhere(
    case: str, verb: tuple[str, ...], brew_run: Run, write: Callable[..., None]
) -> None:
    net, message = BEYOND[case]
    write(net)
    asked = ["--model"] if verb[0] == "time" else []
    outcome = brew_run(verb[0], *asked, "net.prototxt", *verb[1:])
    assert outcome.code == (1 if verb[0] == "check" else 3), outcome.err
    assert message in outcome.err + outcome.out
    assert len(outcome.err + outcome.out) < 3000


@pytest.mark.parametrize("shape", ["4294967296", "2147483647x2147483647x2147483647", "1" + "x1" * 32, "9" * 5000])
def test_9_shapes_of_the_command_line_too(shape: str, brew_run: Run, write: Callable[..., None]) -> None:
    write()
    outcome = brew_run("time", "--model", "net.prototxt", "--shape", f"data:{shape}")
    assert outcome.code == 2 and "possible" in outcome.err, outcome.err


def test_9_less_than_is_needed_is_free(
    brew_run: Run, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    monkeypatch.setattr(memory_report, "available_bytes", lambda: 100)
    outcome = brew_run("train", "--solver", "solver.prototxt")
    assert outcome.code == 7
    assert re.search(r'"n" needs 0.0 MiB, 0.0 MiB are free; the largest layers: (\w+ 0.0 MiB(, )?){4}', outcome.err)


# --- warnings: 10, 16, 17 ---------------------------------------------------------------------------------------------


def test_10_a_window_outside_the_input_is_warned_of_once(brew_run: Run, write: Callable[..., None]) -> None:
    write(NET % (3, 3))
    outcome = brew_run("train", "--solver", "solver.prototxt", "--set", "base_lr=0")
    assert outcome.err.count('layer "pool" (Pooling): the last window lies wholly outside') == 1, outcome.err
    assert "-FLT_MAX" in outcome.err
    assert outcome.code in (0, 4)  # Caffe's value is kept, whatever the net makes of it


def stored(legacy: bool, values: list[float]) -> list[BlobProto]:
    if legacy:
        return [
            BlobProto(num=1, channels=1, height=3, width=25, data=values),
            BlobProto(num=1, channels=1, height=1, width=3, data=[0] * 3),
        ]
    return [BlobProto(shape=BlobShape(dim=[3, 25]), data=values), BlobProto(shape=BlobShape(dim=[3]), data=[0] * 3)]


WEIGHTS = {
    "16 NaN": (lambda: NetParameter(layer=[LayerParameter(name="ip", type="InnerProduct", blobs=stored(False, [float("nan")] * 75))]), r"ip.*NaN"),
    "16 infinity": (lambda: NetParameter(layer=[LayerParameter(name="ip", type="InnerProduct", blobs=stored(False, [float("inf")] * 75))]), r"ip.*(NaN|infinit)"),
    "17 weights of 2014": (lambda: NetParameter(layers=[V1LayerParameter(name="ip", type=V1LayerParameter.INNER_PRODUCT, blobs=stored(True, [0.0] * 75))]), "copied"),
    "17 weights of 2013": (lambda: NetParameter(layers=[V1LayerParameter(layer=V0LayerParameter(name="ip", type="innerproduct", blobs=stored(True, [0.0] * 75)))]), "copied"),
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_odd_weights_are_taken_and_told(case: str, brew_run: Run, write: Callable[..., None]) -> None:
    write()
    make, message = WEIGHTS[case]
    Path("w.caffemodel").write_bytes(make().SerializeToString())
    outcome = brew_run("test", "--model", "net.prototxt", "--weights", "w.caffemodel", "--iterations", "1")
    assert outcome.code == 0, outcome.err
    assert re.search(message, outcome.err), outcome.err


# --- images: 22 -------------------------------------------------------------------------------------------------------

IMAGES = """name: "n"
layer { name: "d" type: "ImageData" top: "data" top: "label" image_data_param { source: "list.txt" batch_size: 1 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def jpeg(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)).convert(mode)


def cut(path: Path) -> None:
    jpeg().save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:300])


def bomb(path: Path) -> None:
    """A small PNG that says it is 32768 x 32768."""
    jpeg("L").save(path, "PNG")
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 1 << 15, 1 << 15)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


PICTURES: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "22 missing": (lambda p: None, "there is no x.img|x.img"),
    "22 zero bytes": (lambda p: p.write_bytes(b""), "no bytes"),
    "22 truncated": (cut, "cannot be decoded"),
    "22 a bomb": (bomb, "refused"),
    "22 sixteen bits are read": (lambda p: Image.fromarray(np.zeros((4, 4), np.uint16)).save(p, "PNG"), None),
    "22 floats": (lambda p: Image.fromarray(np.zeros((4, 4), np.float32)).save(p, "TIFF"), "mode F"),
    "22 no image": (lambda p: p.write_text("<html>"), "no known format"),
    "22 CMYK is read": (lambda p: jpeg("CMYK").save(p, "JPEG"), None),
    "22 animated is read": (lambda p: jpeg("P").save(p, "GIF", save_all=True, append_images=[jpeg("P")]), None),
}


@pytest.mark.parametrize("case", PICTURES, ids=str)
def test_images(case: str, brew_run: Run, write: Callable[..., None]) -> None:
    write(IMAGES)
    make, message = PICTURES[case]
    make(Path("x.img"))
    Path("list.txt").write_text("x.img 0\n")
    outcome = brew_run("train", "--solver", "solver.prototxt")
    checked = brew_run("data", "check", "list.txt")
    assert (outcome.code, checked.code) == ((0, 0) if message is None else (3, 1)), outcome.err + checked.out
    if message is not None:
        assert re.search(f"x.img.*({message})", outcome.err, re.S)
        assert "Traceback" not in outcome.err
        assert re.search(f"list.txt:1: x.img.*({message})", checked.out)


def test_22_all_bad_images_are_listed(brew_run: Run, write: Callable[..., None]) -> None:
    write(IMAGES)
    jpeg().save("good.jpg")
    Path("list.txt").write_text("".join(f"{name} 0\n" for name in ("good.jpg", "a.jpg", "good.jpg", "b.jpg", "c.jpg")))
    outcome = brew_run("data", "check", "list.txt", "--limit", "2")
    assert outcome.code == 1
    assert outcome.out.splitlines()[0] == "list.txt: 5 images read, 3 bad"
    told = outcome.out.splitlines()
    first = told.index("  list.txt:2: a.jpg: there is no a.jpg")
    assert told[first + 1 : first + 3] == ["  list.txt:4: b.jpg: there is no b.jpg", "  and 1 more"]
    assert told[first + 3 :] == ["1 record repeats another", "  list.txt:3: good.jpg (0) = list.txt:1: good.jpg (0)"]
