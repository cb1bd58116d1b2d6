"""Maps between positions, worked by hand: a position x of a bottom is position (x + pad - (k - 1) / 2) / stride."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from brew import TEST
from brew.caffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    conv_params,
    coord_map,
    coord_map_from_to,
    crop,
    crop_params,
    inverse,
)
from brew.caffe.net_spec import Top
from brew.caffe.net_spec import layers as L
from brew.errors import BrewError
from brew.net import Net


def data(size: int = 20) -> Any:
    return L.Input(shape=dict(dim=[1, 1, size, size])).named("data")


def plain(found: tuple[int | None, Any, Any]) -> tuple[int | None, list[float], list[float]]:
    axis, scale, shift = found
    return axis, np.atleast_1d(scale).tolist(), np.atleast_1d(shift).tolist()


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (data().Convolution(kernel_size=3, stride=2, pad=1, num_output=1), (1, [0.5], [0])),
        (data().Convolution(kernel_size=3, dilation=2, num_output=1), (1, [1], [-2])),
        (data().Convolution(kernel_size=[3, 5], stride=[1, 2], pad=[0, 10], num_output=1), (1, [1, 0.5], [-1, 4])),
        (data().Convolution(convolution_param=dict(kernel_size=5, num_output=1, axis=2)), (2, [1], [-2])),
        (data().Pooling(kernel_size=2, stride=2), (1, [0.5], [-0.25])),
        (data().Pooling(kernel_h=3, kernel_w=1, stride_h=1, stride_w=2), (1, [1, 0.5], [-1, 0])),
        (data().Deconvolution(convolution_param=dict(kernel_size=4, stride=2, pad=1)), (1, [2], [0.5])),
        (data().ReLU(), (None, [1], [0])),
        (L.Crop(data(), data(), axis=2, offset=[3, 4]), (1, [1], [-3, -4])),
    ],
)
def test_maps_of_layers(top: Top, expected: object) -> None:
    assert plain(coord_map(top.fn)) == expected


@pytest.mark.parametrize("top", [data().InnerProduct(num_output=1), data().Pooling(global_pooling=True)])
def test_layers_without_a_map(top: Top) -> None:
    with pytest.raises(UndefinedMapException, match=f"L.{top.fn.type_name}"):
        coord_map(top.fn)


def test_parameters_as_they_are_read() -> None:
    axis, stride, kernel, pad = conv_params(data().Convolution(kernel_size=3, dilation=2, num_output=1).fn)
    assert (axis, stride.tolist(), kernel.tolist(), pad.tolist()) == (1, [1], [5], [0])
    axis, offset = crop_params(L.Crop(data(), data(), crop_param=dict(axis=1, offset=[2])).fn)
    assert (axis, offset.tolist()) == (1, [2])


def test_compose_and_inverse() -> None:
    """2 (3 x + 4) + 1 = 6 x + 9, and back."""
    assert compose((1, 2, 1), (None, 3, 4)) == (1, 6, 9)
    assert inverse((1, 2, 1)) == (1, 0.5, -0.5)
    with pytest.raises(AxisMismatchException, match="axis 1, the other at axis 2"):
        compose((1, 1, 0), (2, 1, 0))


def test_a_way_down_and_up_again() -> None:
    """3 x 3 without pad shifts by 1; pooling and deconvolution by 4 shift by (-1.5 / 4) x 4 + 3.5 = 2 against it."""
    top = data().Convolution(kernel_size=3, num_output=1).Pooling(kernel_size=4, stride=4)
    top = top.Deconvolution(kernel_size=8, stride=4, num_output=1)
    source = top.fn.inputs[0].fn.inputs[0].fn.inputs[0]
    assert plain(coord_map_from_to(top, source)) == (1, [1], [-1])
    assert plain(coord_map_from_to(source, top)) == (1, [1], [1])


def test_only_the_first_bottom_of_a_crop_is_followed() -> None:
    first, second = data(), data()
    top = L.Crop(first, second)
    assert plain(coord_map_from_to(top, first)) == (1, [1], [0])
    with pytest.raises(RuntimeError, match="connected by spatial layers"):
        coord_map_from_to(top, second)


def test_crop_aligns_in_a_net_that_runs() -> None:
    """Pad 3 lets positions of the convolution begin 3 before the image: the middle tap of its kernel is the image."""
    image = data(6)
    scores = image.Convolution(kernel_size=1, pad=3, num_output=1, weight_filler=dict(type="constant", value=1))
    net = Net(crop(scores, image).named("cut").to_proto(), TEST)
    assert net.layer_dict["cut"].param.crop_param.offset[:] == [3]
    pixels = np.arange(36).reshape(1, 1, 6, 6)
    assert net.forward(data=pixels)["cut"].tolist() == pixels.tolist()


def test_crop_of_what_keeps_its_place() -> None:
    image = data()
    layer = crop(image.ReLU(), image).to_proto().layer[-1]
    assert (layer.crop_param.axis, list(layer.crop_param.offset)) == (2, [0])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda image: image.Pooling(kernel_size=2, stride=2), r"scale mismatch on crop \(a = \[2\.\]\)"),
        (lambda image: image.Convolution(kernel_size=3, num_output=1), r"negative offset \(b = \[1\.\]\)"),
        (lambda image: image.Convolution(kernel_size=2, pad=1, num_output=1), r"noninteger offset \(b = \[-0\.5\]\)"),
    ],
)
def test_what_no_crop_aligns(made: Any, said: str) -> None:
    image = data()
    with pytest.raises(AssertionError, match=said) as caught:
        crop(made(image), image)
    assert isinstance(caught.value, BrewError)
