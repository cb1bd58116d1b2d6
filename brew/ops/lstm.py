"""One step of long short-term memory (Hochreiter and Schmidhuber, 1997, with a forget gate): LSTM and LSTMUnit.

Gates stand in the order i, f, o, g: c = f before + i g, h = o tanh(c), where i, f, o are logistic, g is a tanh and
`before` is the state before the step, times cont.
"""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array

_kernels = Kernels(r"""
template <typename T>
__device__ inline T logistic(T x) {
  return (T)0.5 * tanh((T)0.5 * x) + (T)0.5;
}

// x, gates (N, 4, hidden), maybe one array; the others (N, hidden), cont (N). `next` is h times the coming step's cont.
template <typename T>
__global__ void lstm_forward(long long n, const T* x, const T* before, const T* cont, const T* next_cont, T* gates,
                             T* c, T* h, T* next, long long hidden, bool last) {
  FOR_EACH(item, n) {
    long long stream = item / hidden, at = stream * 4 * hidden + item % hidden;
    T i = logistic(x[at]), f = logistic(x[at + hidden]), o = logistic(x[at + 2 * hidden]);
    T g = tanh(x[at + 3 * hidden]);
    gates[at] = i;
    gates[at + hidden] = f;
    gates[at + 2 * hidden] = o;
    gates[at + 3 * hidden] = g;
    T value = f * (cont[stream] * before[item]) + i * g;
    c[item] = value;
    value = o * tanh(value);
    h[item] = value;
    next[item] = last ? value : value * next_cont[stream];
  }
}

// dh (N, hidden) comes from the top; `behind` is the gradient of `next`, where there is one; dc and dbefore may be one.
template <typename T>
__global__ void lstm_backward(long long n, const T* gates, const T* before, const T* cont, const T* c, const T* dh,
                              const T* behind, const T* next_cont, const T* dc, T* dx, T* dbefore, long long hidden,
                              bool recurrent, bool last) {
  FOR_EACH(item, n) {
    long long stream = item / hidden, at = stream * 4 * hidden + item % hidden;
    T i = gates[at], f = gates[at + hidden], o = gates[at + 2 * hidden], g = gates[at + 3 * hidden];
    T from_h = dh[item], squashed = tanh(c[item]);
    if (recurrent) from_h += last ? behind[item] : behind[item] * next_cont[stream];
    T from_c = dc[item] + from_h * o * (1 - squashed * squashed);
    dx[at] = from_c * g * i * (1 - i);
    dx[at + hidden] = from_c * cont[stream] * before[item] * f * (1 - f);
    dx[at + 2 * hidden] = from_h * squashed * o * (1 - o);
    dx[at + 3 * hidden] = from_c * i * (1 - g * g);
    dbefore[item] = from_c * f * cont[stream];
  }
}
""")

lstm_forward_cuda = _kernels.lstm_forward
lstm_backward_cuda = _kernels.lstm_backward


def advance(gates: Array, before: Array, c: Array, h: Array, scratch: Array) -> None:
    """c and h after a step, on the CPU; `gates` (4, ...) become the gates' values.

    They come as sums whose first three are halved: one tanh then serves all, as the logistic function of x is
    tanh(x / 2) / 2 + 1 / 2.
    """
    np.tanh(gates, out=gates)
    logistic = gates[:3]
    np.multiply(logistic, 0.5, out=logistic)
    np.add(logistic, 0.5, out=logistic)
    i, f, o, g = gates
    np.multiply(f, before, out=c)
    np.multiply(i, g, out=scratch)
    np.add(c, scratch, out=c)
    np.tanh(c, out=scratch)
    np.multiply(o, scratch, out=h)


def slopes(gates: Array, before: Array, c: Array, slope: Array, into_c: Array) -> None:
    """The factors of a step's gradients, on the CPU; gates, slope (4, ...), the others (...).

    The gradient of the sum behind i, f and g is its slope times c's whole gradient; behind o, times h's; into_c is
    what of h's gradient reaches c.
    """
    i, _, o, g = gates
    logistic = slope[:3]
    np.subtract(1, gates[:3], out=logistic)
    np.multiply(logistic, gates[:3], out=logistic)
    np.tanh(c, out=into_c)
    for part, factor in zip(logistic, (g, before, into_c), strict=True):
        np.multiply(part, factor, out=part)
    np.square(g, out=slope[3])
    np.subtract(1, slope[3], out=slope[3])
    np.multiply(slope[3], i, out=slope[3])
    np.square(into_c, out=into_c)
    np.subtract(1, into_c, out=into_c)
    np.multiply(into_c, o, out=into_c)
