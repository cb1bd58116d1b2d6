"""Sliding windows over n spatial axes: sizes by Caffe's rules, and how a ConvolutionParameter names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brew.errors import BrewError
from brew.layer import Shape, count, shape_text
from brew.proto.brew_pb2 import ConvolutionParameter

Fail = Callable[..., BrewError]  # Layer.error
TOO_SMALL = "larger images, more pad, a smaller kernel, or less stride and pooling in the layers before"


@dataclass(frozen=True, slots=True)
class Window:
    """Kernel, stride, pad and dilation, one number per spatial axis."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @property
    def extent(self) -> Shape:
        """How far a dilated kernel reaches: d (k - 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def is_pointwise(self) -> bool:
        """Every window is one element, and they cover the input in order."""
        return all(k == 1 for k in self.kernel) and all(s == 1 for s in self.stride) and not any(self.pad)

    def padded(self, size: Shape) -> Shape:
        """The size with the padding on both sides."""
        return tuple(n + 2 * p for n, p in zip(size, self.pad, strict=True))

    def floor_size(self, size: Shape) -> Shape:
        """Windows that fit wholly into the padded input: floor((n + 2p - extent) / s) + 1; may be below 1."""
        return tuple((n - e) // s + 1 for n, e, s in zip(self.padded(size), self.extent, self.stride, strict=True))

    def ceil_size(self, size: Shape) -> Shape:
        """Caffe's pooling: the last window may overhang.

        ceil((n + 2p - extent) / s) + 1, and with padding on any axis, one less where the last window would start
        behind the input and its first padding.
        """
        whole = zip(self.padded(size), self.extent, self.stride, strict=True)
        out = tuple(-((e - n) // s) + 1 for n, e, s in whole)
        return self.clipped(out, size)

    def clipped(self, out: Shape, size: Shape) -> Shape:
        """`out` less the windows that Caffe's pooling drops; it drops none where there is no padding at all."""
        if not any(self.pad):
            return out
        axes = zip(out, size, self.pad, self.stride, strict=True)
        return tuple(o - ((o - 1) * s >= n + p) for o, n, p, s in axes)

    def counts_in_32_bits(self, size: Shape, out: Shape) -> bool:
        """Whether places in a plane of `size`, its padding and the windows over it are all numbers below 2^31."""
        axes = zip(self.padded(size), self.extent, self.stride, strict=True)
        furthest = (n + e + s for n, e, s in axes)
        return max(*furthest, count(self.padded(size)), count(out)) < 1 << 31

    def transposed_size(self, size: Shape) -> Shape:
        """The input that `floor_size` maps to `size` with nothing left over: s (n - 1) + extent - 2p."""
        axes = zip(size, self.extent, self.stride, self.pad, strict=True)
        return tuple(s * (n - 1) + e - 2 * p for n, e, s, p in axes)

    def meeting(self, offset: Shape, size: Shape, out: Shape) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Which windows have their element `offset` inside the input, and which elements these are."""
        windows, elements = [], []
        axes = zip(offset, size, out, self.stride, self.pad, self.dilation, strict=True)
        for at, n, o, s, p, d in axes:
            shift = at * d - p
            first = max(0, -(shift // s))
            stop = max(first, min(o, (n - 1 - shift) // s + 1))
            start = first * s + shift
            windows.append(slice(first, stop))
            elements.append(slice(start, start + (stop - first - 1) * s + 1, s) if stop > first else slice(0, 0))
        return tuple(windows), tuple(elements)


def convolution_window(param: ConvolutionParameter, axes: int, error: Fail) -> Window:
    """The window a ConvolutionParameter describes over `axes` spatial axes; raises what `error` returns.

    kernel_size, stride, pad and dilation take one value for all axes or one per axis; kernel, stride and pad of two
    spatial axes may be given as `_h` and `_w` instead.
    """
    kernel = _per_axis(param, "kernel_size", ("kernel_h", "kernel_w"), axes, error)
    if len(kernel) != axes:
        raise error("kernel_size is missing", "convolution_param", hint="kernel_size: 3, say")
    stride = _per_axis(param, "stride", ("stride_h", "stride_w"), axes, error) or (1,) * axes
    pad = _per_axis(param, "pad", ("pad_h", "pad_w"), axes, error) or (0,) * axes
    dilation = _per_axis(param, "dilation", (), axes, error) or (1,) * axes
    for name, values in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        if any(v < 1 for v in values):
            came = " x ".join(map(str, values))
            raise error(f"{name} must be at least 1 on every axis, got {came}", "convolution_param", name)
    return Window(kernel, stride, pad, dilation)


def fitting_size(window: Window, size: Shape, error: Fail) -> Shape:
    """`floor_size`, where a window fits; else raises what `error` returns, placed at convolution_param."""
    out = window.floor_size(size)
    if any(n < 1 for n in out):
        padded, extent = shape_text(window.padded(size)), shape_text(window.extent)
        text = f"a kernel that reaches {extent} does not fit into the padded input, {padded}"
        raise error(text, "convolution_param", "kernel_size", hint=TOO_SMALL)
    return out


def _per_axis(param: ConvolutionParameter, name: str, pair: tuple[str, ...], axes: int, error: Fail) -> Shape:
    """The values of one property, one per axis; () where the message says nothing."""
    values: Shape = tuple(getattr(param, name))
    given = [p for p in pair if param.HasField(p)]
    if not given:
        if len(values) > 1 and len(values) != axes:
            text = f"{name} has {len(values)} values for {axes} spatial axes; give one, or one per axis"
            raise error(text, "convolution_param", name)
        return values * axes if len(values) == 1 else values
    if axes != 2:
        text = f"{given[0]} is for 2 spatial axes and here are {axes}; use {name}"
        raise error(text, "convolution_param", given[0])
    if values:
        text = f"either {name} or {' and '.join(pair)}, not both"
        raise error(text, "convolution_param", given[0])
    return tuple(getattr(param, p) for p in pair)
