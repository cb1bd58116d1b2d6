"""What predict takes: all spellings of one picture give one result, and what is no picture is said to be none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from predictor_nets import picture, png

import brew
from brew import cuda
from brew.errors import DataError, UsageError
from brew.predictor.inputs import as_array


class Speaks:
    """An array of another library: it speaks one protocol."""

    def __init__(self, array: np.ndarray, *names: str) -> None:
        for name in names:
            value = getattr(array, name)
            setattr(type(self), name, value if name == "__array_interface__" else staticmethod(value))
        self.array = array  # whose memory it is


def speaks(array: np.ndarray, *names: str) -> Speaks:
    return type("Tensor", (Speaks,), {})(array, *names)


SPELLINGS: dict[str, Callable[[np.ndarray, Path], Any]] = {
    "path": lambda x, p: p,
    "text": lambda x, p: str(p),
    "bytes": lambda x, p: p.read_bytes(),
    "memoryview": lambda x, p: memoryview(p.read_bytes()),
    "file": lambda x, p: io.BytesIO(p.read_bytes()),
    "array": lambda x, p: x,
    "floats": lambda x, p: (x / 255).astype(np.float32),
    "doubles": lambda x, p: x / 255,
    "RGBA": lambda x, p: np.dstack([x, np.full(x.shape[:2], 9, np.uint8)]),
    "pillow": lambda x, p: Image.fromarray(x),
    "DLPack": lambda x, p: speaks(x, "__dlpack__", "__dlpack_device__"),
    "array interface": lambda x, p: speaks(x, "__array_interface__"),
    "strides": lambda x, p: np.asfortranarray(x),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_picture_gives_one_result(spelling: str, folder: Path, tmp_path: Path) -> None:
    x = picture(4)
    path = tmp_path / "x.png"
    path.write_bytes(png(x))
    model = brew.load(folder)
    expected = model.predict(x).scores
    found = model.predict(SPELLINGS[spelling](x, path))
    assert isinstance(found, brew.Prediction)
    np.testing.assert_array_equal(found.scores, expected)


def test_prepared_arrays_go_into_the_net_as_they_are(folder: Path) -> None:
    model = brew.load(folder)
    x = np.random.default_rng(1).normal(0, 50, (3, 3, 12, 12))
    np.testing.assert_array_equal(model.features("data", x), x.astype(np.float32))
    found = model.predict(x.astype(np.float32))
    assert isinstance(found, brew.Predictions)
    assert len(found) == 3
    np.testing.assert_array_equal(model.predict({"data": x}).scores, found.scores)
    assert isinstance(model.predict({"data": x[0]}), brew.Prediction)


def test_a_stack_of_bytes_is_several_pictures(folder: Path) -> None:
    model = brew.load(folder)
    stack = np.stack([picture(i) for i in range(3)])
    np.testing.assert_array_equal(model.predict(stack).scores, model.predict(list(stack)).scores)


@pytest.mark.parametrize("names", [("__dlpack__", "__dlpack_device__"), ("__array_interface__",)])
def test_arrays_of_others_are_not_copied(names: tuple[str, ...]) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = as_array(speaks(x, *names))
    assert found is not None
    assert np.shares_memory(found, x)


def test_results_speak_dlpack(folder: Path) -> None:
    prediction = brew.load(folder).predict(picture(0))
    assert np.shares_memory(np.from_dlpack(prediction), prediction.scores)
    np.testing.assert_array_equal(np.asarray(prediction), prediction.scores)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((12, 12, 3), np.float32) + 200, "values of 0 to 1; this one has 200 to 200"),
        (np.zeros((12, 12, 3), np.int64), "picture of int64"),
        (np.zeros((3, 12, 12), np.float32), "height x width x channels is expected"),
        (np.zeros((2, 3, 12, 12), np.uint8), "are no pictures: n x height x width x channels"),
        (np.zeros((0, 12, 3), np.uint8), "has no pixels"),
        (np.zeros((12,), np.float32), 'input "data" is 1 x 3 x 12 x 12; an array of 12'),
        (12, "a int is no picture"),
        ([[1, 2]], "a list is no picture"),
        ({"data": "x.png"}, "a str is no array"),
        ({"image": np.zeros((1, 3, 12, 12))}, "the inputs of small are data; given were image"),
        (io.StringIO("x"), "open for text"),
    ],
)
def test_what_is_no_picture_is_said_to_be_none(x: object, message: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=message):
        brew.load(folder).predict(x)


def test_pictures_that_cannot_be_read_are_named(folder: Path) -> None:
    model = brew.load(folder)
    (folder / "bad.png").write_bytes(b"no image at all")
    with pytest.raises(DataError, match=r"bad\.png of 15 bytes is of no known format"):
        model.predict(folder / "bad.png")
    with pytest.raises(DataError, match=r"missing\.png cannot be read: No such file"):
        model.predict([folder / "missing.png"])
    with pytest.raises(DataError, match="the picture has no bytes"):
        model.predict(b"")


def test_nets_of_vectors_and_of_several_inputs_take_arrays(tmp_path: Path) -> None:
    (tmp_path / "deploy.prototxt").write_text("""name: "two"
      layer { name: "a" type: "Input" top: "a" top: "b" input_param { shape { dim: 1 dim: 5 } shape { dim: 1 dim: 5 } } }
      layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
      layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip" inner_product_param { num_output: 2
        weight_filler { type: "xavier" } } }""")
    model = brew.load(tmp_path, "random")
    a, b = np.ones((4, 5)), np.arange(20).reshape(4, 5)
    assert model.features("sum", {"a": a, "b": b}).tolist() == (a + b).tolist()
    assert model.features("sum", {"a": a[0], "b": b[0]}).tolist() == (a + b)[0].tolist()
    with pytest.raises(UsageError, match="3 and 4 items"):
        model.predict({"a": a[:3], "b": b})
    with pytest.raises(UsageError, match="inputs of two are a, b"):
        model.predict(a)
    with pytest.raises(UsageError, match="no picture can be given to two"):
        model.predict(picture_bytes())


def test_arrays_on_a_gpu(device: str, folder: Path) -> None:
    """A model there takes them without the host; one on the CPU gets a copy."""
    x = np.random.default_rng(1).normal(0, 50, (3, 3, 12, 12)).astype(np.float32)
    for name in ("cpu", device):
        model = brew.load(folder, device=name)
        expected = model.predict(x).scores
        if device == "cuda":
            np.testing.assert_array_equal(model.predict(cuda.asarray(x)).scores, expected)
            np.testing.assert_array_equal(model.predict([cuda.asarray(x[:1]), x[1:]]).scores, expected)
            np.testing.assert_array_equal(
                model.predict(cuda.asarray(picture(0))).scores, model.predict(picture(0)).scores
            )


def picture_bytes() -> bytes:
    return png(picture(0))
