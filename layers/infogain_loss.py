"""InfogainLoss: the logistic loss of a softmax, with the classes weighted by a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.files.paths import find
from brew.layer import Array, Arrays, Buffer, Context, Shape, Shapes, Wanted, between, count
from brew.layer.registry import register_layer
from brew.ops.labels import LABEL_OF
from brew.ops.loss import LOSS_PART
from brew.proto.brew_pb2 import LayerParameter

from ._softmax_loss import SoftmaxLoss, SoftmaxLossCPU, SoftmaxLossCUDA

_LEAST = 1e-20  # a smaller probability counts as this

_kernels = Kernels(
    LABEL_OF
    + LOSS_PART
    + r"""
template <typename T>
__global__ void infogain_sums(long long n, const T* matrix, T* sums) {
  FOR_EACH_BLOCK(row, n) {
    T sum = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) sum += matrix[row * n + j];
    sum = block_sum(sum);
    if (threadIdx.x == 0) sums[row] = sum;
  }
}

// The losses and the number of labels that count, summed over part p of the items.
template <typename T>
__global__ void infogain_part(long long n, const T* probability, const T* label, const T* matrix, T* loss,
                              long long* valid, long long items, long long dim, long long inner, long long ignore,
                              T least) {
  FOR_EACH_BLOCK(p, n) {
    T sum = 0;
    long long counted = 0;
    for (long long i = p * items / n + threadIdx.x; i < (p + 1) * items / n; i += blockDim.x) {
      long long c = label_of(label[i]);
      if (c == ignore) continue;
      ++counted;
      if (c < 0 || c >= dim) {
        sum += (T)nanf("");
        continue;
      }
      const T* own = probability + i / inner * dim * inner + i % inner;
      for (long long d = 0; d < dim; ++d) {
        T value = own[d * inner];
        sum -= matrix[c * dim + d] * log(value < least ? least : value);
      }
    }
    loss_part(p, sum, counted, loss, valid);
  }
}

template <typename T>
__global__ void infogain_backward(long long n, const T* probability, const T* label, const T* matrix, const T* sums,
                                  const T* dy, const T* divisor, T* dx, long long dim, long long inner,
                                  long long ignore) {
  FOR_EACH(i, n) {
    long long d = i / inner % dim;
    long long c = label_of(label[i / (dim * inner) * inner + i % inner]);
    T scale = dy[0] / divisor[0];
    if (c == ignore) dx[i] = 0;
    else if (c < 0 || c >= dim) dx[i] = (T)nanf("");
    else dx[i] = scale * (probability[i] * sums[c] - matrix[c * dim + d]);
  }
}
"""
)


@register_layer
class InfogainLoss(SoftmaxLoss):
    """loss = -sum of H[label, j] log(max(p_j, 1e-20)) over all classes j, over Z; p is the softmax of x.

    Bottoms  x       (... x C x ..., scores; C along the axis)
             label   (one number per position: as many as x has without the axis), cast to int; no gradient
             H       (C C elements), unless infogain_loss_param.source names a file; no gradient
    Tops     loss    (scalar), and perhaps the probabilities (the shape of x; their gradient is not used)
    Params   infogain_loss_param.source: a .binaryproto of C C values, looked up like all paths of a net
             infogain_loss_param.axis, default 1
             loss_param.ignore_label and loss_param.normalization, as SoftmaxWithLoss has them; the older
             loss_param.normalize is refused, as in Caffe
    Example  bottom: "scores" bottom: "label" bottom: "H" top: "loss"

    With the unit matrix this is SoftmaxWithLoss. The gradient is (p_j sum of H[label] - H[label, j]) / Z. A label
    that is no class is a DataError on the CPU and NaN on CUDA.
    """

    type = "InfogainLoss"
    bottoms = between(2, 3)
    no_gradient = frozenset({1, 2})
    probabilities = "Softmax"
    least_probability = _LEAST
    axis_in = "infogain_loss_param"
    labels_are_classes = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        if param.loss_param.HasField("normalize"):
            hint = "normalization: VALID is what true meant, BATCH_SIZE what false did"
            raise self.error("normalize is not for this layer", "loss_param", "normalize", hint=hint)
        self.matrix = self._read_matrix() if len(param.bottom) < 3 else None

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        tops, dim = super().infer_shapes(bottom), self.fold(bottom[0]).dim
        if self.matrix is None and count(bottom[2]) != dim * dim:
            raise self.shape_error(f"a third bottom of {dim} x {dim} elements", bottom)
        if self.matrix is not None and self.matrix.size != dim * dim:
            text = f"the matrix of source has {self.matrix.size} elements; {dim} classes need {dim * dim}"
            raise self.error(text, "infogain_loss_param", "source")
        return tops

    def _read_matrix(self) -> Array:
        from brew.files.weights.caffemodel import read_blob

        own = self.param.infogain_loss_param
        if not own.HasField("source"):
            text = "the matrix is missing: give infogain_loss_param.source or a third bottom"
            raise self.error(text, "infogain_loss_param")
        place = self.context.place("infogain_loss_param", "source")
        path = find(own.source, self.context.folder, what=f'layer "{self.name}": source', place=place)
        return np.array(read_blob(path, "matrix").data, self.context.dtype)


@InfogainLoss.runs_on("cpu")
class _CPU(SoftmaxLossCPU[InfogainLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        outer, dim, inner = self.fold
        return {**buffers, "rows": Buffer((outer, inner, dim)), "log": Buffer(self.fold)}

    def losses(self, io: Arrays, label: Array, out: Array) -> None:
        log = io.work["log"]
        rows = np.take(self._matrix(io), label, axis=0, out=io.work["rows"], mode="clip")
        np.maximum(io.work["probability"], _LEAST, out=log)
        np.log(log, out=log)
        np.einsum("oid,odi->oi", rows, log, out=out)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dx, matrix = self.fold.of(io.dx[0]), self._matrix(io)
        label, valid = self.labels(io)
        rows = np.take(matrix, label, axis=0, out=io.work["rows"], mode="clip")
        np.multiply(io.work["probability"], matrix.sum(axis=1)[label][:, None], out=dx)
        np.subtract(dx, rows.transpose(0, 2, 1), out=dx)
        np.multiply(dx, io.dy[0] / io.work["divisor"], out=dx)
        if valid is not None:
            np.multiply(dx, valid[:, None], out=dx)

    def _matrix(self, io: Arrays) -> Array:
        matrix = io.x[2] if self.layer.matrix is None else self.layer.matrix
        return matrix.reshape(self.fold.dim, self.fold.dim)


@InfogainLoss.runs_on("cuda")
class _CUDA(SoftmaxLossCUDA[InfogainLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        self.matrix = None if self.layer.matrix is None else cuda.asarray(self.layer.matrix)
        return {**buffers, "sums": Buffer((self.fold.dim,), kept=wanted.backward)}

    def part_losses(self, io: Arrays) -> None:
        work, matrix, (_, dim, inner) = io.work, self._matrix(io), self.fold
        _kernels.infogain_sums.by_block(dim, matrix, work["sums"])
        _kernels.infogain_part.by_block(
            self.parts, work["probability"], io.x[1], matrix, work["loss"], work["valid"], self.positions, dim, inner,
            self.ignore, _LEAST,
        )  # fmt: skip

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is None:
            return
        (_, dim, inner), work = self.fold, io.work
        _kernels.infogain_backward(
            dx.size, work["probability"], io.x[1], self._matrix(io), work["sums"], io.dy[0], work["divisor"], dx, dim,
            inner, self.ignore,
        )  # fmt: skip

    def _matrix(self, io: Arrays) -> Array:
        return io.x[2] if self.matrix is None else self.matrix
