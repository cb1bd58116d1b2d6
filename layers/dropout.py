"""Dropout: in training, each element is zeroed with probability r and the others grow by 1 / (1 - r)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import TRAIN, Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted
from brew.layer.random import Stream
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter

_CHUNK = 1 << 17  # elements drawn for at a time; four share a 64-bit word

_kernels = Kernels(r"""
template <typename T>
__global__ void dropout_train(long long n, const T* x, T* y, unsigned char* kept, const unsigned long long* passes,
                              unsigned long long key0, unsigned long long key1, unsigned int threshold,
                              T scale) {
  FOR_EACH(i, n) {
    bool keep = philox_uint16(key0, key1, passes[0], i) >= threshold;
    kept[i] = keep;
    y[i] = keep ? x[i] * scale : 0;
  }
}

template <typename T>
__global__ void dropout_backward(long long n, const T* dy, T* dx, const unsigned char* kept, T scale) {
  FOR_EACH(i, n) { dx[i] = kept[i] ? dy[i] * scale : 0; }
}

template <typename T>
__global__ void dropout_copy(long long n, const T* from, T* to) {
  FOR_EACH(i, n) { to[i] = from[i]; }
}
""")


@register_layer
class Dropout(Layer):
    """Dropout (Srivastava et al., JMLR 2014), scaled in training as in Caffe; in the test phase y = x.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Param    dropout_param.dropout_ratio, the probability r of zero, 0 <= r < 1, default 0.5
    Example  bottom: "ip" top: "ip" dropout_param { dropout_ratio: 0.5 }

    Element i of a pass is kept where 16-bit draw i of the stream "<layer>/dropout" is at least r * 2^16, rounded: the
    same mask on every device, and r to five digits. May run in place: backward reads the mask only.
    """

    type = "Dropout"
    in_place = True
    keeps_signs = True
    reads = frozenset()

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        ratio: float = param.dropout_param.dropout_ratio
        if not 0 <= ratio < 1:
            raise self.error(f"dropout_ratio must be in [0, 1), got {ratio:g}", "dropout_param", "dropout_ratio")
        self.drops = context.phase == TRAIN
        self.threshold = round(ratio * 2**16)
        self.scale = 1 / (1 - ratio)
        self.stream = Stream(context.seed, f"{param.name}/dropout")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0]]


class _Dropout(Implementation[Dropout]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        return {"kept": Buffer(shapes.x[0], np.uint8, saved=True)} if self.layer.drops else {}


@Dropout.runs_on("cpu")
class _CPU(_Dropout):
    def forward(self, io: Arrays) -> None:
        x, y = io.x[0], io.y[0]
        if not self.layer.drops:
            np.copyto(y, x)
            return
        kept = io.work["kept"]
        flat = kept.reshape(-1).view(np.bool_)
        for start in range(0, flat.size, _CHUNK):
            part = flat[start : start + _CHUNK]
            draws = self.layer.stream.uint16(part.size, index=int(io.passes[0]), start=start)
            np.greater_equal(draws, self.layer.threshold, out=part)
        self._mask(x, kept, y)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is None:
            return
        if self.layer.drops:
            self._mask(io.dy[0], io.work["kept"], dx)
        else:
            np.copyto(dx, io.dy[0])

    def _mask(self, source: Array, kept: Array, target: Array) -> None:
        np.multiply(source, kept, out=target)
        np.multiply(target, self.layer.scale, out=target)


@Dropout.runs_on("cuda")
class _CUDA(_Dropout):
    def forward(self, io: Arrays) -> None:
        x, y, layer = io.x[0], io.y[0], self.layer
        if layer.drops:
            _kernels.dropout_train(
                x.size, x, y, io.work["kept"], io.passes, *layer.stream.key, layer.threshold, layer.scale
            )
        else:
            _kernels.dropout_copy(x.size, x, y)

    def backward(self, io: Arrays) -> None:
        dy, dx = io.dy[0], io.dx[0]
        if dx is None:
            return
        if self.layer.drops:
            _kernels.dropout_backward(dy.size, dy, dx, io.work["kept"], self.layer.scale)
        else:
            _kernels.dropout_copy(dy.size, dy, dx)
