from __future__ import annotations

import pytest

from brew.errors import NetError
from brew.ops.windows.window import Window, convolution_window
from brew.proto.brew_pb2 import ConvolutionParameter


def window(kernel, stride=1, pad=0, dilation=1):
    return Window((kernel,), (stride,), (pad,), (dilation,))


def fail(message, *path, hint=None):
    return NetError(f"{message} at {'.'.join(path)}")


@pytest.mark.parametrize(
    ("shape", "size", "floor", "ceil"),
    [
        ((3, 2), 6, 2, 3),  # the last window overhangs
        ((3, 2), 7, 3, 3),
        ((2, 3), 8, 3, 3),
        ((2, 3), 7, 2, 3),  # without padding nothing is dropped, even a window of one element
        ((3, 3, 2), 8, 4, 4),
        ((2, 2, 1), 7, 4, 4),  # padded: the fifth would start behind the input
        ((3, 1, 0, 2), 7, 3, 3),
        ((3, 2), 2, 0, 1),  # a kernel larger than the input
    ],
)
def test_sizes(shape, size, floor, ceil):
    assert window(*shape).floor_size((size,)) == (floor,)
    assert window(*shape).ceil_size((size,)) == (ceil,)


def test_windows_behind_the_padded_input_are_dropped():
    # (5 + 2 - 1) / 3 rounds up to 2, so 3 windows; the last starts at 6 - 1 = 5 in an input of 5
    assert window(1, 3, 0).ceil_size((5,)) == (3,)
    assert window(2, 3, 1).ceil_size((5,)) == (2,)


def test_transposed_size_inverts_floor_size():
    w = Window((3, 4), (2, 3), (1, 0), (2, 1))
    assert w.floor_size(w.transposed_size((4, 5))) == (4, 5)


def test_meeting_names_windows_and_elements():
    w = window(3, 2, 1)  # input of 5: windows start at -1, 1, 3
    assert w.meeting((0,), (5,), (3,)) == ((slice(1, 3),), (slice(1, 4, 2),))
    assert w.meeting((2,), (5,), (3,)) == ((slice(0, 2),), (slice(1, 4, 2),))
    assert w.meeting((0,), (1,), (1,)) == ((slice(1, 1),), (slice(0, 0),))


def test_one_value_serves_all_axes_and_pairs_serve_two():
    param = ConvolutionParameter(kernel_size=[3], stride=[1, 2, 1], dilation=[2])
    assert convolution_window(param, 3, fail) == Window((3, 3, 3), (1, 2, 1), (0, 0, 0), (2, 2, 2))
    param = ConvolutionParameter(kernel_h=3, kernel_w=2, pad_w=1)
    assert convolution_window(param, 2, fail) == Window((3, 2), (1, 1), (0, 1), (1, 1))
    assert convolution_window(ConvolutionParameter(), 0, fail) == Window((), (), (), ())


@pytest.mark.parametrize(
    ("fields", "axes", "message"),
    [
        ({}, 2, "kernel_size is missing"),
        ({"kernel_size": [3, 3]}, 3, "kernel_size has 2 values for 3 spatial axes"),
        ({"kernel_size": [3], "kernel_h": 3, "kernel_w": 3}, 2, "either kernel_size or kernel_h and kernel_w"),
        ({"kernel_h": 3, "kernel_w": 3}, 1, "kernel_h is for 2 spatial axes and here are 1"),
        ({"kernel_h": 3}, 2, "kernel_size must be at least 1 on every axis, got 3 x 0"),
        ({"kernel_size": [3], "stride": [0]}, 2, "stride must be at least 1"),
        ({"kernel_size": [3], "stride_h": 2}, 2, "got 2 x 0"),
        ({"kernel_size": [3], "dilation": [0]}, 2, "dilation must be at least 1"),
    ],
)
def test_mistakes_are_named(fields, axes, message):
    with pytest.raises(NetError, match=message):
        convolution_window(ConvolutionParameter(**fields), axes, fail)
