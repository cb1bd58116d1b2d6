"""Wrong kernels are caught: each mutant of a kernel of Brew fails a check that the kernel itself passes.

The check is what every layer's tests do: the layer on the host-run device against the layer on the CPU, in double.
The mutants are the mistakes that a GPU may answer with right numbers, today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from cuda_host import KernelError, host_cuda

from brew import cuda
from brew.cuda import kernels as _kernels
from brew.ops import reduction
from brew.ops.windows import max_pool
from brew.testing import run_layer

# No layer of Brew adds atomically: its sums are the same in every run. A histogram stands for those that users write.
_histogram = cuda.Kernels(r"""
template <typename T>
__global__ void histogram(long long n, const int* bin, T* y) {
  FOR_EACH(i, n) { atomicAdd(&y[bin[i]], T(1)); }
}
""")


def _compare(layer: str, *bottoms: np.ndarray, backward: bool = True) -> None:
    """The layer's tops and gradients on the host-run device are the CPU's, in double."""
    cpu = run_layer(layer, bottoms, dtype=np.float64)
    diffs = [np.cos(np.arange(t.size)).reshape(t.shape) for t in cpu.tops] if backward else None
    cpu = run_layer(layer, bottoms, top_diffs=diffs, dtype=np.float64)
    gpu = run_layer(layer, bottoms, top_diffs=diffs, dtype=np.float64, device="cuda")
    for name in ("tops", "bottom_diffs", "param_diffs"):
        for mine, theirs in zip(getattr(gpu, name), getattr(cpu, name), strict=True):
            if theirs is not None:
                np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-13)


def check_relu() -> None:
    _compare('type: "ReLU"', _noise(5, 7))


def check_pooling() -> None:
    _compare('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 1 }', _noise(2, 3, 7, 5))


def check_bias() -> None:
    _compare('type: "Bias" bias_param { filler { type: "constant" value: 1 } }', _noise(4, 3, 200))


def check_accuracy() -> None:
    labels = np.random.default_rng(2).integers(0, 3, 300)
    _compare('type: "Accuracy"', _noise(300, 3), labels.astype(float), backward=False)


def check_histogram() -> None:
    bins = (np.arange(600) % 7).astype(np.int32)
    y = cuda.zeros(7, np.float64)
    _histogram.histogram(600, cuda.asarray(bins), y)
    assert np.array_equal(cuda.asnumpy(y), np.bincount(bins))


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape)


@dataclass(frozen=True)
class Mutant:
    """The text to find (its `which`th place), what is put there instead, and the check that must notice."""

    check: Callable[[], None]
    kernels: cuda.Kernels | None  # None: the prelude
    right: str
    wrong: str
    which: int = 0

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        target, name = (_kernels, "PRELUDE") if self.kernels is None else (self.kernels, "source")
        pieces = getattr(target, name).split(self.right)
        assert len(pieces) > self.which + 1, f"{self.right!r} is no longer in the kernel: choose another place"
        before, after = self.right.join(pieces[: self.which + 1]), self.right.join(pieces[self.which + 1 :])
        monkeypatch.setattr(target, name, before + self.wrong + after)


POOL, SUM = max_pool._kernels, reduction._kernels
MUTANTS = {
    "no barrier after the store": Mutant(check_accuracy, None, "__syncthreads();", "", 0),
    "no barrier between the steps": Mutant(check_accuracy, None, "__syncthreads();", "", 1),
    "no barrier before the next sum": Mutant(check_accuracy, None, "__syncthreads();", "", 2),
    "+= for an atomic add": Mutant(check_histogram, _histogram, "atomicAdd(&y[bin[i]], T(1))", "y[bin[i]] += T(1)"),
    "+= for a sum over the block": Mutant(
        check_bias, SUM, "sum = block_sum(sum);\n    if (threadIdx.x == 0) partial[item] =", "partial[item] +="
    ),
    "one thread too many": Mutant(check_relu, None, "i < (n)", "i <= (n)"),
    "one column too many": Mutant(
        check_pooling, POOL, "min(left + kernel_w, width)", "min(left + kernel_w, width + 1)"
    ),
    "the stride of another array": Mutant(
        check_pooling, POOL, "place[plane + a * out_width", "place[plane + a * width"
    ),
    "float for T in a sum": Mutant(check_bias, SUM, "T sum = 0;", "float sum = 0;"),
    "float for T in a maximum": Mutant(check_pooling, POOL, "T best", "float best"),
}


@pytest.fixture(params=[1, 2], ids=["seed1", "seed2"])
def device(request: pytest.FixtureRequest) -> Iterator[None]:
    """Always the host: what a missing barrier does on a GPU is chance."""
    with host_cuda(request.param):
        yield


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("check", dict.fromkeys(m.check for m in MUTANTS.values()), ids=lambda check: check.__name__)
def test_the_kernels_themselves_pass(check: Callable[[], None]) -> None:
    check()


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    mutant.apply(monkeypatch)
    with pytest.raises((KernelError, AssertionError)):
        mutant.check()
