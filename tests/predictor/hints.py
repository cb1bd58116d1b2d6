"""What a type checker makes of Brew's public face for inference; mypy reads this file (test_hints.py), nothing runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
from PIL import Image

import brew
from brew.predictor.metadata import Metadata
from brew.predictor.results import Class
from brew.reports.filters import Filters


def loading(array: npt.NDArray[np.float32]) -> None:
    assert_type(brew.load("folder"), brew.Model)
    assert_type(brew.load(Path("net.prototxt"), "x.caffemodel", mean=[104, 117, 123], channel_order="BGR"), brew.Model)
    assert_type(brew.load("lenet", ["a.h5", "b.h5"], mean=array, size=(256, 256), crop=224, scale=0.5), brew.Model)
    assert_type(brew.load("lenet", labels=["a"], device="cuda:1", nets=3, shapes={"data": (1, 3, 8, 8)}), brew.Model)
    brew.load("lenet", channel_order="GRB")  # type: ignore[arg-type]
    brew.load("lenet", men=3)  # type: ignore[call-arg]


def predicting(model: brew.Model, pictures: Iterator[Path]) -> None:
    assert_type(model.predict("x.png"), brew.Prediction)
    assert_type(model.predict(Path("x.png"), top=3), brew.Prediction)
    assert_type(model.predict(b"..."), brew.Prediction)
    assert_type(model.predict(Image.open("x.png")), brew.Prediction)
    with Path("x.png").open("rb") as file:
        assert_type(model.predict(file), brew.Prediction)
    assert_type(model.predict(["x.png", Path("y.png")], batch=4), brew.Predictions)
    assert_type(model.predict(("x.png",)), brew.Predictions)
    assert_type(model.predict(pictures), Iterator[brew.Prediction])
    assert_type(model.predict(path for path in ["x.png"]), Iterator[brew.Prediction])
    model.predict("x.png", top="five")  # type: ignore[call-overload]


def results(one: brew.Prediction, many: brew.Predictions) -> None:
    assert_type(one.label, str)
    assert_type(one.score, float)
    assert_type(one.index, int)
    assert_type(one.top, tuple[Class, ...])
    assert_type(one.scores, npt.NDArray[Any])
    assert_type(one.outputs, Mapping[str, npt.NDArray[Any]])
    assert_type(many[0], brew.Prediction)
    assert_type(many[1:], brew.Predictions)
    assert_type(many.labels, list[str])
    assert_type([prediction.label for prediction in many], list[str])
    one.top = ()  # type: ignore[misc]


def looking(model: brew.Model, pictures: Iterator[Path]) -> None:
    assert_type(model.features("pool5", ["x.png"]), npt.NDArray[Any])
    assert_type(model.features("pool5", pictures), Iterator[npt.NDArray[Any]])
    assert_type(model.activations("x.png", ["conv1", "pool5"]), dict[str, npt.NDArray[Any]])
    assert_type(model.activations(pictures, ["conv1"]), Iterator[dict[str, npt.NDArray[Any]]])
    assert_type(model.gradient("x.png", "tabby", output="fc8"), npt.NDArray[Any])
    assert_type(model.gradient(pictures), Iterator[npt.NDArray[Any]])
    assert_type(model.filters("conv1"), Filters)
    assert_type(model.filters("conv1").image(), Image.Image)
    assert_type(model.net, brew.Net)
    assert_type(model.metadata, Metadata)
    assert_type(model.labels, tuple[str, ...])
    assert_type(model.inputs, dict[str, tuple[int, ...]])
    with model as same:
        assert_type(same, brew.Model)


def blobs(blob: brew.Blob) -> None:
    assert_type(np.asarray(blob), npt.NDArray[Any])
    np.from_dlpack(blob)
