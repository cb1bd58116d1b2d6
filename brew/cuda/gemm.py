"""GEMM on the device: cuBLAS through CuPy's binding, row-major, in true fp32 or fp64, never TF32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .door import cublas, cupy
from .kernels import check_contiguous

Array = npt.NDArray[Any]  # a CuPy array


def gemm(
    a: Array,
    b: Array,
    out: Array,
    *,
    trans_a: bool = False,
    trans_b: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
) -> None:
    """out = alpha * op(a) @ op(b) + beta * out, row-major, contiguous.

    Shapes: a (m, k) or its transpose, b (k, n) or its transpose, out (m, n). Each may have a leading batch axis;
    a or b without one is used for every item of out's batch. Elements: float32 or float64, all the same.
    """
    check_contiguous("gemm", a, b, out)
    if not a.dtype == b.dtype == out.dtype:
        raise TypeError(f"gemm: mixed types {a.dtype}, {b.dtype}, {out.dtype}")
    m, n = out.shape[-2:]
    k = a.shape[-2] if trans_a else a.shape[-1]
    wanted = ((k, m) if trans_a else (m, k)), ((n, k) if trans_b else (k, n))
    if (a.shape[-2:], b.shape[-2:]) != wanted:
        raise ValueError(f"gemm: shapes {a.shape} {b.shape} do not give {out.shape}")
    batch = out.shape[0] if out.ndim == 3 else 1
    if any(array.ndim == 3 and array.shape[0] != batch for array in (a, b)):
        raise ValueError(f"gemm: batches of {a.shape} {b.shape} and {out.shape} differ")
    if out.size == 0:
        return
    if k == 0:
        if beta == 0.0:
            out.fill(0)
        return
    _gemm(a, b, out, (m, n, k, batch), (trans_a, trans_b), (alpha, beta))


def _gemm(
    a: Array,
    b: Array,
    out: Array,
    sizes: tuple[int, int, int, int],
    trans: tuple[bool, bool],
    scale: tuple[float, float],
) -> None:
    """Row-major through column-major cuBLAS: the transposes of all three, hence b before a."""
    m, n, k, batch = sizes
    handle = cupy().cuda.device.get_cublas_handle()
    op = [int(t) for t in (trans[1], trans[0])]  # CUBLAS_OP_N = 0, CUBLAS_OP_T = 1
    alpha, beta = (np.array(s, a.dtype) for s in scale)
    ld = b.shape[-1], a.shape[-1], n
    pointers = [array.data.ptr for array in (b, a, out)]  # type: ignore[attr-defined]
    single = a.dtype == np.float32
    if batch == 1:
        call = cublas().sgemm if single else cublas().dgemm
        call(handle, *op, n, m, k, alpha.ctypes.data, pointers[0], ld[0], pointers[1], ld[1],
             beta.ctypes.data, pointers[2], ld[2])  # fmt: skip
        return
    call = cublas().sgemmStridedBatched if single else cublas().dgemmStridedBatched
    stride = [array.shape[-2] * array.shape[-1] if array.ndim == 3 else 0 for array in (b, a)]
    call(handle, *op, n, m, k, alpha.ctypes.data, pointers[0], ld[0], stride[0], pointers[1], ld[1], stride[1],
         beta.ctypes.data, pointers[2], ld[2], m * n, batch)  # fmt: skip
