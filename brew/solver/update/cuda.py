"""The update on CUDA: nothing is read back; rate, scale and trust ratios live on the device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.layer import Array
from brew.net.parameters import Parameters

from .rule import L1, UpdateRule, pieces, segments

_PARTS = 256  # partial sums of squares

_kernels = cuda.Kernels(r"""
// partial[p] = sum of squares over every 256th stretch of g.
template <typename T>
__global__ void square_sums(long long n, const T* g, T* partial, long long size, T limit) {
  FOR_EACH_BLOCK(p, n) {
    T sum = 0;
    for (long long i = p * blockDim.x + threadIdx.x; i < size; i += n * blockDim.x) {
      T value = limited(g[i], limit);
      sum += value * value;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[p] = sum;
  }
}

// scale = min(1, threshold / norm) / iter_size; a negative threshold clips nothing.
template <typename T>
__global__ void clip_scale(long long n, const T* partial, T* scale, long long parts, T threshold, T iter_size) {
  FOR_EACH_BLOCK(b, n) {
    T sum = 0;
    for (long long i = threadIdx.x; i < parts; i += blockDim.x) sum += partial[i];
    T norm = sqrt(block_sum(sum));
    if (threadIdx.x == 0) scale[0] = (threshold >= 0 && norm > threshold ? threshold / norm : (T)1) / iter_size;
  }
}

// squares[2p], squares[2p + 1] = sums of squares of weights and gradients over piece p.
template <typename T>
__global__ void piece_squares(long long n, const long long* starts, const long long* stops, const T* w, const T* g,
                              T* squares, T limit) {
  FOR_EACH_BLOCK(p, n) {
    T weights = 0, gradients = 0;
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T value = limited(g[i], limit);
      weights += w[i] * w[i];
      gradients += value * value;
    }
    weights = block_sum(weights);
    gradients = block_sum(gradients);
    if (threadIdx.x == 0) {
      squares[2 * p] = weights;
      squares[2 * p + 1] = gradients;
    }
  }
}

// For each parameter, whose pieces are firsts[q] to lasts[q]: TrustRatio.of, put to all its pieces.
template <typename T>
__global__ void trust_ratios(long long n, const long long* firsts, const long long* lasts, const T* squares,
                             const T* decays, const T* settings, const T* scale, T* trust, T eta, int with_decay,
                             int clip) {
  FOR_EACH_BLOCK(q, n) {
    T weights = 0, gradient = 0;
    for (long long p = firsts[q] + threadIdx.x; p < lasts[q]; p += blockDim.x) {
      weights += squares[2 * p];
      gradient += squares[2 * p + 1];
    }
    weights = sqrt(block_sum(weights));
    gradient = sqrt(block_sum(gradient)) * scale[0];
    T ratio = 1;
    if (weights > 0 && gradient > 0) {
      ratio = eta * weights / (gradient + (with_decay ? decays[firsts[q]] : (T)0) * weights);
      if (clip) ratio = ratio < settings[0] ? ratio / settings[0] : (T)1;
    }
    for (long long p = firsts[q] + threadIdx.x; p < lasts[q]; p += blockDim.x) trust[p] = ratio;
  }
}

// The end of a deferred rule: g = rate * g; w -= g.
template <typename T>
__global__ void subtract_scaled(long long n, const long long* starts, const long long* stops, const T* lr_mults,
                                const T* settings, const T* trust, T* w, T* g) {
  FOR_EACH_BLOCK(p, n) {
    const T rate = settings[0] * lr_mults[p] * trust[p];
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      T step = rate * g[i];
      g[i] = step;
      w[i] -= step;
    }
  }
}
""")


class CudaUpdate:
    """The update of a net on CUDA. `history` holds one arena per slot of the rule.

    starts, stops             int64, the pieces of the arena a block works on
    lr_mults, decays, trust   per piece: learning rate multiplier; weight decay times its multiplier; trust ratio
    settings                  the rate, then the rule's constants
    scale                     one element: the factor of gradients by clip_gradients and iter_size
    """

    def __init__(self, parameters: Parameters, rule: UpdateRule) -> None:
        self.parameters, self.rule, dtype = parameters, rule, parameters.dtype
        self.history: list[Array] = [cuda.zeros(parameters.arena.size, dtype) for _ in range(rule.slots)]
        self._ratio = rule.trust_ratio()
        stretches = segments(parameters, joined=self._ratio is None)
        table = [
            (piece.start, piece.stop, s.lr_mult, rule.param.weight_decay * s.decay_mult)
            for s in stretches
            for piece in pieces(s)
        ]
        self.pieces = len(table)
        self.starts, self.stops = (self._put([row[i] for row in table], np.int64) for i in (0, 1))
        self.lr_mults, self.decays = (self._put([row[i] for row in table], dtype) for i in (2, 3))
        self.trust = self._put([1.0] * self.pieces, dtype)
        ends = np.cumsum([0, *(len([*pieces(s)]) for s in stretches)])
        self._firsts, self._lasts = self._put(ends[:-1], np.int64), self._put(ends[1:], np.int64)
        self._squares = cuda.zeros(2 * self.pieces if self._ratio else 2, dtype)
        self._partial = cuda.zeros(_PARTS, dtype)
        self.scale = self._put([1 / rule.param.iter_size], dtype)
        self._one = self._put([1.0], dtype)
        self._set = (0.0, *rule.constants(0, 1.0))
        self.settings = self._put(self._set, dtype)

    def _put(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> Array:
        return cuda.asarray(np.asarray(values, dtype))

    def apply(self, rate: float, iteration: int, momentum_scale: float = 1.0) -> None:
        """One update with learning rate `rate`; the other two as in `UpdateRule.constants`."""
        values = (rate, *self.rule.constants(iteration, momentum_scale))
        if values != self._set:
            cuda.upload(self.settings, np.array(values, self.parameters.dtype))
            self._set = values
        param, gradients, limit = self.rule.param, self.parameters.gradient_arena, self.rule.limit
        if param.clip_gradients >= 0 and gradients.size:
            _kernels.square_sums.by_block(_PARTS, gradients, self._partial, gradients.size, limit)
            _kernels.clip_scale.by_block(1, self._partial, self.scale, _PARTS, param.clip_gradients, param.iter_size)
        self._launch(limit)
        self.parameters.refresh_views()

    def _launch(self, limit: float) -> None:
        rule, w, g = self.rule, self.parameters.arena, self.parameters.gradient_arena
        if self._ratio and not rule.deferred:
            _kernels.piece_squares.by_block(self.pieces, self.starts, self.stops, w, g, self._squares, limit)
            self._form_ratios(self.scale)
        rule.kernel.by_block(
            self.pieces, self.starts, self.stops, self.lr_mults, self.decays, self.settings, self.scale, self.trust,
            self._squares, w, g, *self.history, limit, int(rule.param.regularization_type == L1), int(rule.decoupled),
        )  # fmt: skip
        if rule.deferred:
            self._form_ratios(self._one)
            _kernels.subtract_scaled.by_block(
                self.pieces, self.starts, self.stops, self.lr_mults, self.settings, self.trust, w, g
            )

    def _form_ratios(self, scale: Array) -> None:
        """From the sums of squares of each piece to the trust ratio of each parameter."""
        if self._ratio:
            _kernels.trust_ratios.by_block(
                self._firsts.size, self._firsts, self._lasts, self._squares, self.decays, self.settings, scale,
                self.trust, self._ratio.eta, int(self._ratio.with_decay), int(self._ratio.clip),
            )  # fmt: skip
