"""Matrix products by oneDNN, on the threads it has anyway: those of a BLAS would want the same cores."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_char, c_float, c_int64, c_void_p

import numpy as np

from brew.cpu import after_fork
from brew.cpu.after_fork import Inherited
from brew.layer import Array

from .primitives import check, library


def gemm(
    a: Array, b: Array, out: Array, *, trans_a: bool = False, trans_b: bool = False, beta: float = 0.0
) -> Callable[[], None]:
    """A call that does out = op(a) @ op(b) + beta * out on these arrays, which it keeps: float32, 2-D, C-contiguous.

    Shapes: a (m, k) or its transpose, b (k, n) or its transpose, out (m, n).
    """
    (m, n), k = out.shape, a.shape[0] if trans_a else a.shape[1]
    wanted = ((k, m) if trans_a else (m, k), (n, k) if trans_b else (k, n))
    if (a.shape, b.shape) != wanted or not all(x.flags.c_contiguous and x.dtype == np.float32 for x in (a, b, out)):
        raise ValueError(f"gemm: {a.shape} and {b.shape} for {out.shape}, of {a.dtype}, {b.dtype} and {out.dtype}")
    letters = [c_char(b"T" if transposed else b"N") for transposed in (trans_a, trans_b)]
    sizes = [c_int64(size) for size in (m, n, k)]
    pairs = [(c_void_p(x.ctypes.data), c_int64(max(1, x.shape[1]))) for x in (a, b, out)]
    arguments = (*letters, *sizes, c_float(1), *pairs[0], *pairs[1], c_float(beta), *pairs[2])
    run, keep = library().dnnl_sgemm, (a, b, out)

    def call() -> None:
        _ = keep
        check("sgemm", run(*arguments) if Inherited.thread is None else after_fork.run(run, *arguments))

    return call
