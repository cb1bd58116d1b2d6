"""TEST EQUIPMENT. cuBLAS from raw pointers, leading dimensions and transpose flags, column-major as cuBLAS is.

Arguments as `cupy_backends.cuda.libs.cublas` takes them. What cuBLAS answers with CUBLAS_STATUS_INVALID_VALUE
raises ValueError; memory outside a live allocation, which a device would read or overwrite, raises MemoryError.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from . import memory

CUBLAS_OP_N, CUBLAS_OP_T = 0, 1
CUBLAS_POINTER_MODE_HOST = 0

Matrix = npt.NDArray[Any]


def setPointerMode(handle: int, mode: int) -> None:
    if mode != CUBLAS_POINTER_MODE_HOST:
        raise ValueError("scalars in device memory are not stood in for")


def getPointerMode(handle: int) -> int:
    return CUBLAS_POINTER_MODE_HOST


def setStream(handle: int, stream: int) -> None:
    pass


def sgemm(handle, *arguments):  # type: ignore[no-untyped-def]
    """handle, transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc."""
    _gemm(np.dtype(np.float32), *arguments)


def dgemm(handle, *arguments):  # type: ignore[no-untyped-def]
    _gemm(np.dtype(np.float64), *arguments)


def sgemmStridedBatched(handle, *arguments):  # type: ignore[no-untyped-def]
    """As sgemm, with a stride in elements after each leading dimension and the count of the batch at the end."""
    _gemm_strided_batched(np.dtype(np.float32), *arguments)


def dgemmStridedBatched(handle, *arguments):  # type: ignore[no-untyped-def]
    _gemm_strided_batched(np.dtype(np.float64), *arguments)


def sgemv(handle, *arguments):  # type: ignore[no-untyped-def]
    """handle, trans, m, n, alpha, A, lda, x, incx, beta, y, incy."""
    _gemv(np.dtype(np.float32), *arguments)


def dgemv(handle, *arguments):  # type: ignore[no-untyped-def]
    _gemv(np.dtype(np.float64), *arguments)


def _scalar(pointer: int, dtype: np.dtype[Any]) -> Any:
    return np.frombuffer(ctypes.string_at(int(pointer), dtype.itemsize), dtype)[0]


def _matrix(what: str, pointer: int, rows: int, columns: int, ld: int, dtype: np.dtype[Any]) -> Matrix:
    """A column-major (rows, columns) view of device memory, each column `ld` elements after the last."""
    if ld < max(1, rows):
        raise ValueError(f"CUBLAS_STATUS_INVALID_VALUE: leading dimension {ld} of {what} is below its {rows} rows")
    nbytes = ((columns - 1) * ld + rows) * dtype.itemsize if rows and columns else 0
    values = memory.region(pointer, nbytes, what).view(dtype)
    strides = (dtype.itemsize, ld * dtype.itemsize)
    return np.lib.stride_tricks.as_strided(values, (rows, columns), strides)


def _operand(what: str, trans: int, pointer: int, rows: int, columns: int, ld: int, dtype: np.dtype[Any]) -> Matrix:
    """op(what), of shape (rows, columns)."""
    if trans not in (CUBLAS_OP_N, CUBLAS_OP_T):
        raise ValueError(f"CUBLAS_STATUS_INVALID_VALUE: operation {trans} on {what}")
    if trans == CUBLAS_OP_T:
        return _matrix(what, pointer, columns, rows, ld, dtype).T
    return _matrix(what, pointer, rows, columns, ld, dtype)


def _gemm(
    dtype: np.dtype[Any], transa: int, transb: int, m: int, n: int, k: int, alpha: int, a: int, lda: int,
    b: int, ldb: int, beta: int, c: int, ldc: int,
) -> None:  # fmt: skip
    left = _operand("A", transa, a, m, k, lda, dtype)
    right = _operand("B", transb, b, k, n, ldb, dtype)
    _accumulate(_matrix("C", c, m, n, ldc, dtype), left, right, _scalar(alpha, dtype), _scalar(beta, dtype))


def _gemm_strided_batched(
    dtype: np.dtype[Any], transa: int, transb: int, m: int, n: int, k: int, alpha: int, a: int, lda: int, stridea: int,
    b: int, ldb: int, strideb: int, beta: int, c: int, ldc: int, stridec: int, batch: int,
) -> None:  # fmt: skip
    if batch > 1 and stridec < ldc * (n - 1) + m:
        raise ValueError(f"results of the batch overlap: stride {stridec} of C, ldc {ldc}, {m} x {n}")
    for i in range(batch):
        places = [p + i * stride * dtype.itemsize for p, stride in ((a, stridea), (b, strideb), (c, stridec))]
        _gemm(dtype, transa, transb, m, n, k, alpha, places[0], lda, places[1], ldb, beta, places[2], ldc)


def _gemv(
    dtype: np.dtype[Any], trans: int, m: int, n: int, alpha: int, a: int, lda: int, x: int, incx: int,
    beta: int, y: int, incy: int,
) -> None:  # fmt: skip
    if incx < 1 or incy < 1:
        raise ValueError(f"increments {incx}, {incy}: only positive ones are stood in for")
    rows, columns = (n, m) if trans == CUBLAS_OP_T else (m, n)
    left = _operand("A", trans, a, rows, columns, lda, dtype)
    right = _matrix("x", x, 1, columns, incx, dtype).T
    _accumulate(_matrix("y", y, 1, rows, incy, dtype).T, left, right, _scalar(alpha, dtype), _scalar(beta, dtype))


def _accumulate(out: Matrix, left: Matrix, right: Matrix, alpha: Any, beta: Any) -> None:
    product = alpha * (left @ right)
    out[...] = product if beta == 0 else product + beta * out  # beta 0: out is not read, NaN does not stay
