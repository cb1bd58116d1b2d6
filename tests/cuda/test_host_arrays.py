"""The stand-ins for CuPy's arrays and cuBLAS (tests/cuda_host): right, and as strict as a device is blind."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from cuda_host import fake_cublas, fake_cupy, host_cuda

from brew import cuda
from brew.layer.random import Stream


@pytest.mark.parametrize("use", [np.asarray, np.sum, lambda a: np.ones(3) + a, lambda a: np.add(a, a), np.exp])
def test_numpy_does_not_take_a_device_array(use: Any) -> None:
    with pytest.raises(TypeError):
        use(fake_cupy.zeros(3))


def test_empty_memory_is_poison() -> None:
    assert np.isnan(fake_cupy.empty((2, 3), np.float32).get()).all()
    assert (fake_cupy.empty(4, np.int32).get() == -1).all()


def test_views_share_memory_and_copies_do_not() -> None:
    a = fake_cupy.asarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    row, flat = a[1], a.reshape(12)
    row.fill(7)
    assert flat.get()[4:8].tolist() == [7] * 4
    assert row.data.ptr == a.data.ptr + 16
    a.get()[...] = -1
    assert flat.get()[0] == 0
    assert not a[:, 1:].flags.c_contiguous


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a.set(np.zeros(4, np.float64)),
        lambda a: a.set(np.zeros((2, 2), np.float32)),
        lambda a: a.get(out=np.zeros(4, np.float64)),
        lambda a: a.__setitem__(Ellipsis, np.zeros(4, np.float32)),
        lambda a: a[[0, 1]],
        lambda a: a[np.array([True, False, True, False])],
    ],
)
def test_what_a_device_array_would_refuse_is_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        wrong(fake_cupy.zeros(4, np.float32))


def test_raw_copies_stay_within_live_memory() -> None:
    with host_cuda():
        a, b = cuda.asarray(np.arange(4.0)), cuda.empty(4, np.float64)
        cuda.copy(b, a)
        cuda.zero(a[:2])
        assert (a.get().tolist(), b.get().tolist()) == ([0, 0, 2, 3], [0, 1, 2, 3])
    runtime = fake_cupy.cuda.runtime
    with pytest.raises(MemoryError, match="40 bytes from byte 0 of an allocation of 32"):
        runtime.memsetAsync(a.data.ptr, 0, 40, 0)
    pointer = a.data.ptr
    del a
    gc.collect()
    with pytest.raises(MemoryError, match="no live device memory"):
        runtime.memsetAsync(pointer, 0, 8, 0)


def column_major(rng: np.random.Generator, rows: int, columns: int, ld: int) -> tuple[Any, Any]:
    """Random (rows, columns) values, and device memory that holds them column by column, `ld` apart, NaN between."""
    values = rng.normal(size=(rows, columns))
    padded = np.full((columns, ld), np.nan)
    padded[:, :rows] = values.T
    return values, fake_cupy.asarray(padded.ravel()[: (columns - 1) * ld + rows])


def pointer(value: float) -> tuple[Any, int]:
    kept = np.array(value)
    return kept, kept.ctypes.data


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_gemm_by_leading_dimensions(trans_a: int, trans_b: int, beta: float) -> None:
    rng = np.random.default_rng(5)
    m, n, k = 4, 3, 5
    a, device_a = column_major(rng, *((k, m) if trans_a else (m, k)), ld=7)
    b, device_b = column_major(rng, *((n, k) if trans_b else (k, n)), ld=6)
    c, device_c = column_major(rng, m, n, ld=8)
    if beta == 0:
        device_c.fill(np.nan)
    (_one, alpha_at), (_two, beta_at) = pointer(2.0), pointer(beta)
    fake_cublas.dgemm(1, trans_a, trans_b, m, n, k, alpha_at, device_a.data.ptr, 7, device_b.data.ptr, 6,
                      beta_at, device_c.data.ptr, 8)  # fmt: skip
    wanted = 2 * (a.T if trans_a else a) @ (b.T if trans_b else b) + (beta * c if beta else 0)
    got = np.array([device_c.get()[8 * j : 8 * j + m] for j in range(n)]).T
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert np.isnan(device_c.get()[m:8]).all()  # between the columns nothing is written


def test_a_batch_steps_by_its_strides_and_may_share_an_operand() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(3, 4, 2)), rng.normal(size=(2, 5))
    with host_cuda():
        out = cuda.empty((3, 4, 5), np.float64)
        cuda.gemm(cuda.asarray(a), cuda.asarray(b), out)
        np.testing.assert_allclose(out.get(), a @ b, rtol=1e-12)


@pytest.mark.parametrize(
    ("m", "lda", "error", "message"),
    [
        (4, 3, ValueError, "leading dimension 3 of A is below its 4 rows"),
        (4, 5, MemoryError, "A: .* bytes from byte 0 of an allocation of 160"),
    ],
)
def test_gemm_refuses_what_cublas_refuses_and_what_leaves_memory(
    m: int, lda: int, error: type[Exception], message: str
) -> None:
    a, b, c = (fake_cupy.zeros(20, np.float64) for _ in range(3))
    _one, at = pointer(1.0)
    with pytest.raises(error, match=message):
        fake_cublas.dgemm(1, 0, 0, m, 4, 5, at, a.data.ptr, lda, b.data.ptr, 5, at, c.data.ptr, 4)


_draws = cuda.Kernels(r"""
template <typename T>
__global__ void draws(long long n, unsigned long long key0, unsigned long long key1, unsigned long long index, T* y) {
  FOR_EACH(i, n) { y[i] = philox_uint32(key0, key1, index, i); }
}
""")


def test_the_prelude_draws_the_numbers_of_brew_random() -> None:
    stream = Stream(9, "ip1/dropout")
    with host_cuda():
        y = cuda.empty(1000, np.float64)
        _draws.draws(1000, *stream.key, 3, y)
        assert np.array_equal(y.get(), stream.uint32(1000, index=3))
