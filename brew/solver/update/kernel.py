"""The CUDA side of a rule: its formula set into the frame that every update has, one pass over the arena."""

from __future__ import annotations

from brew.cuda import Kernels

# settings[0] is the rate, then come the rule's constants. A block works on one piece at a time. `trust` is 1 for each
# piece where there is no rate for each parameter. A deferred rule leaves its step, at rate 1, in g, and the sums of
# squares of weights and step for the trust ratio.
_FRAME = r"""
template <typename T>
__global__ void NAME(long long n, const long long* starts, const long long* stops, const T* lr_mults,
                     const T* decays, const T* settings, const T* scale, const T* trust, T* squares, T* w, T* g,
                     HISTORY, T limit, int l1, int decoupled) {
  const bool deferred = DEFERRED;
CONSTANTS
  FOR_EACH_BLOCK(p, n) {
    const T plain = deferred ? (T)1 : settings[0] * lr_mults[p], rate = deferred ? (T)1 : plain * trust[p];
    const T coupled = decoupled ? (T)0 : decays[p], beside = decoupled ? plain * decays[p] : (T)0;
    T weight_squares = 0, step_squares = 0;
    for (long long i = starts[p] + threadIdx.x; i < stops[p]; i += blockDim.x) {
      const T weight = w[i], penalty = l1 ? (T)((weight > 0) - (weight < 0)) : weight;
      const T gradient = limited(g[i], limit) * scale[0] + coupled * penalty;
      T step;
      STEP
      step += beside * penalty;
      g[i] = step;
      if (deferred) {
        weight_squares += weight * weight;
        step_squares += step * step;
      } else {
        w[i] = weight - step;
      }
    }
    if (deferred) {
      weight_squares = block_sum(weight_squares);
      step_squares = block_sum(step_squares);
      if (threadIdx.x == 0) {
        squares[2 * p] = weight_squares;
        squares[2 * p + 1] = step_squares;
      }
    }
  }
}
"""


def rule_kernels(name: str, *, history: str, step: str, constants: str = "", deferred: bool = False) -> Kernels:
    """The kernel `name` of a rule, in a source of its own.

    `history` and `constants` are names between blanks: arrays of the rule's slots, numbers in the order of
    `UpdateRule.constants`. `step` is CUDA C++ for element `i`: from `gradient` and `rate` it sets `step` and updates
    the history.
    """
    declared = [f"  const T {c} = settings[{k}];" for k, c in enumerate(constants.split(), start=1)]
    words = {
        "NAME": name,
        "HISTORY": ", ".join(f"T* {h}" for h in history.split()),
        "DEFERRED": "true" if deferred else "false",
        "CONSTANTS": "\n".join(declared),
        "STEP": step.strip(),
    }
    text = _FRAME
    for word, value in words.items():
        text = text.replace(word, value)
    return Kernels(text)
