"""Pooling: the largest, the average, or a random element of every window."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar

from brew.layer import (
    TRAIN,
    Array,
    Arrays,
    Buffer,
    Context,
    Implementation,
    Layer,
    Shape,
    Shapes,
    Wanted,
    between,
    shape_text,
)
from brew.layer.random import Stream
from brew.layer.registry import register_layer
from brew.ops.windows.pool import Pool
from brew.ops.windows.window import TOO_SMALL, Window
from brew.proto.brew_pb2 import LayerParameter, PoolingParameter


@register_layer
class Pooling(Layer):
    """Windows over planes of 4-D blobs.

    Bottom   x      (N, C, H, W)
    Tops     y      (N, C, out H, out W), out = ceil((H + 2 pad - kernel) / stride) + 1: the last window may overhang.
                    With round_mode FLOOR it is floor; with padding, windows that start behind it are dropped.
             mask   optional, MAX only: the index in the plane of every maximum, as a float; -1 for none
    Param    pooling_param: pool MAX (default), AVE or STOCHASTIC; kernel_size, stride (1), pad (0), or each as _h and
             _w; global_pooling takes whole planes; round_mode (ceil_mode: false, a word of forks, is FLOOR)
    Example  bottom: "x" top: "y" pooling_param { pool: MAX kernel_size: 3 stride: 2 }

    A window that lies wholly behind the input (a stride larger than the kernel) gives -FLT_MAX with MAX, else 0, and
    a warning. STOCHASTIC draws in TRAIN and takes the mean in TEST, on every device.
    """

    type = "Pooling"
    tops = between(1, 2)
    reads = frozenset()

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.pooling_param
        self.method: int = self.own.pool
        self.draws = context.phase == TRAIN
        self.stream = Stream(context.seed, f"{self.name}/pooling")
        self._warned = False
        kernel, stride, pad = (self._pair(n) for n in ("kernel", "stride", "pad"))
        if self.own.global_pooling:
            if kernel:
                raise self._mistake("global_pooling takes the whole plane: no kernel may be given", "global_pooling")
            if stride not in ((), (1, 1)) or pad not in ((), (0, 0)):
                raise self._mistake("global_pooling needs pad 0 and stride 1", "global_pooling")
            kernel = (1, 1)
        if not kernel:
            hint = "kernel_size: 2, say, or global_pooling: true"
            raise self._mistake("kernel_size is missing (or kernel_h and kernel_w)", hint=hint)
        self.window = Window(kernel, stride or (1, 1), pad or (0, 0), (1, 1))
        self._check()

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if len(bottom[0]) != 4:
            raise self.shape_error("a bottom of 4 axes", bottom)
        window, size = self.window_over(bottom[0]), bottom[0][2:]
        floor = self.own.round_mode == PoolingParameter.FLOOR
        out = window.clipped(window.floor_size(size), size) if floor else window.ceil_size(size)
        if any(n < 1 for n in out):
            text = f"a kernel of {shape_text(window.kernel)} does not fit into {shape_text(window.padded(size))}"
            raise self._mistake(f"{text}, the padded input", "kernel_size", hint=TOO_SMALL)
        if not window.counts_in_32_bits(size, out):
            raise self.shape_error("planes, windows and strides that are counted in 32 bits", bottom, "pooling_param")
        self._warn_of_empty_windows(window, size, out)
        return [(*bottom[0][:2], *out)] * max(1, len(self.param.top))

    def window_over(self, bottom: Shape) -> Window:
        """The window for bottoms of this shape: the whole plane with global_pooling."""
        if not self.own.global_pooling:
            return self.window
        return Window(bottom[2:], (1, 1), (0, 0), (1, 1))

    def _pair(self, name: str) -> Shape:
        """Height and width of kernel, stride or pad; () where the message says nothing."""
        whole, pair = "kernel_size" if name == "kernel" else name, (f"{name}_h", f"{name}_w")
        given = [p for p in pair if self.own.HasField(p)]
        if self.own.HasField(whole):
            if given:
                raise self._mistake(f"either {whole} or {pair[0]} and {pair[1]}, not both", given[0])
            return (getattr(self.own, whole),) * 2
        if len(given) == 1:
            raise self._mistake(f"{pair[0]} and {pair[1]} go together; only {given[0]} is given", given[0])
        return tuple(getattr(self.own, p) for p in given)

    def _check(self) -> None:
        window = self.window
        for field, values in (("kernel_size", window.kernel), ("stride", window.stride)):
            if min(values) < 1:
                raise self._mistake(f"{field} must be at least 1, got {shape_text(values)}", field)
        if any(window.pad) and self.method == PoolingParameter.STOCHASTIC:
            raise self._mistake("padding is for MAX and AVE, not for STOCHASTIC", "pad")
        if any(p >= k for p, k in zip(window.pad, window.kernel, strict=True)):
            text = f"pad {shape_text(window.pad)} must be smaller than the kernel, {shape_text(window.kernel)}"
            raise self._mistake(text, "pad")
        if len(self.param.top) > 1 and self.method != PoolingParameter.MAX:
            raise self._mistake("the second top, the mask, is for MAX only", "pool")

    def _mistake(self, text: str, *field: str, hint: str | None = None) -> Exception:
        return self.error(text, "pooling_param", *field, hint=hint)

    def _warn_of_empty_windows(self, window: Window, size: Shape, out: Shape) -> None:
        axes = zip(out, window.stride, window.pad, size, strict=True)
        if self._warned or not any((o - 1) * s - p >= n for o, s, p, n in axes):
            return
        self._warned = True
        value = "-FLT_MAX" if self.method == PoolingParameter.MAX else "0"
        text = 'layer "%s" (Pooling): the last window lies wholly outside the input and gives %s; stride %s, kernel %s'
        stride, kernel = shape_text(window.stride), shape_text(window.kernel)
        logging.getLogger("brew").warning(text, self.name, value, stride, kernel)


class _Planes(Implementation[Pooling]):
    """The base for both devices: blobs seen as planes."""

    device: ClassVar[str]

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        (n, c, *size), out, layer = shapes.x[0], shapes.y[0][2:], self.layer
        window, self.planes = layer.window_over(shapes.x[0]), n * c
        places = wanted.bottoms[0] or len(shapes.y) > 1
        self.pool = Pool(
            self.device, layer.method, window, self.planes, tuple(size), out,
            places=places, stream=layer.stream, draw=layer.draws,
        )  # fmt: skip
        return self.pool.buffers(backward=wanted.bottoms[0])

    def forward(self, io: Arrays) -> None:
        mask = self._flat(io.y[1]) if len(io.y) > 1 else None
        self.pool.forward(self._flat(io.x[0]), self._flat(io.y[0]), mask, io.passes, io.work)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.pool.backward(self._flat(io.dy[0]), self._flat(io.dx[0]), io.work)

    def _flat(self, blob: Array) -> Array:
        return blob.reshape(self.planes, *blob.shape[2:])


@Pooling.runs_on("cpu")
class _CPU(_Planes):
    device = "cpu"


@Pooling.runs_on("cuda")
class _CUDA(_Planes):
    device = "cuda"
