"""What this machine can do, measured between the contestants of compare.py: products of matrices, and copying.

python benchmarks/machine.py THREADS      one JSON object for every line on stdin
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

_SIDE = 2048  # of the matrices; 16 MiB each
_COPIED = 64 << 20  # bytes, several times any cache
_TIMES = 3

Array = npt.NDArray[np.float32]


def fastest(work: Callable[[], object]) -> float:
    """Seconds of the fastest of a few calls."""
    times = []
    for _ in range(_TIMES):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def products(threads: int) -> dict[str, Callable[[], object]]:
    """sgemm of every library that contestants use."""
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((_SIDE, _SIDE), np.float32) for _ in range(2))
    c = np.empty_like(a)
    found: dict[str, Callable[[], object]] = {"numpy": lambda: np.matmul(a, b, out=c)}
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(threads)
    ta, tb, tc = (torch.from_numpy(x) for x in (a, b, c))
    found["torch"] = lambda: torch.mm(ta, tb, out=tc)
    return found


def copying(threads: int) -> Callable[[], object]:
    """A copy of 64 MiB, in as many pieces as there are threads."""
    source, to = np.ones(_COPIED // 4, np.float32), np.zeros(_COPIED // 4, np.float32)
    pieces = list(zip(np.array_split(to, threads), np.array_split(source, threads), strict=True))
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(lambda piece: np.copyto(*piece), pieces))


def main() -> None:
    threads = int(sys.argv[1])
    gemms, copy = products(threads), copying(threads)
    for _ in sys.stdin:
        rates: dict[str, Any] = {f"sgemm {name}": 2 * _SIDE**3 / fastest(gemm) for name, gemm in gemms.items()}
        print(json.dumps(rates | {"copy": 2 * _COPIED / fastest(copy)}), flush=True)


if __name__ == "__main__":
    main()
