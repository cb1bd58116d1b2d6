"""Fixtures for every test. `device` runs a test on the CPU and on CUDA: a real GPU where there is one, else the
kernels compiled for the host (tests/cuda_host, test equipment)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from brew.memory.arena import Arena
    from brew.net.net import Net
    from brew.proto.brew_pb2 import Datum

sys.path.insert(0, str(Path(__file__).parent))  # tests/cuda_host is imported as `cuda_host`


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """The CPU and CUDA in turn."""
    if request.param == "cpu":
        yield "cpu"
        return
    from brew import cuda

    if cuda.why_not() is None:
        yield "cuda"
        return
    from cuda_host import host_cuda

    with host_cuda(seed=1701):
        yield "cuda"


@pytest.fixture
def poisoned() -> Iterator[Callable[[Net], Net]]:
    """Makes a net lose, after each of its layers, all values that its memory plan says are not needed any more: NaN.

    That it did, for every arena that was so made, is asserted at the end.
    """
    poisoned_arenas: set[Arena] = set()
    have_lost: set[Arena] = set()

    def poison(net: Net) -> Net:
        net.executor.plan_shapes()
        arena = net.executor.memory.arena
        ran = arena.ran

        def ran_and_lost(first: int, count: int = 1) -> None:
            ran(first, count)
            if count:
                _lose(arena, first + count - 1)
                have_lost.add(arena)

        arena.ran = ran_and_lost  # type: ignore[method-assign]
        poisoned_arenas.add(arena)
        return net

    yield poison
    assert poisoned_arenas == have_lost


def _lose(arena: Arena, moment: int) -> None:
    from brew import cuda

    for dtype, size in arena.sizes.items():
        free = np.ones(size, np.bool_)
        for piece in arena.pieces:
            if piece.dtype == dtype and any(first <= moment <= last for first, last in piece.spans):
                free[piece.offset : piece.end] = False
        flat = arena.flat(dtype)
        values = flat if arena.device == "cpu" else cuda.asnumpy(flat)
        values.view(np.uint8).reshape(size, dtype.itemsize)[free] = 0xFF
        if arena.device == "cuda":
            cuda.upload(flat, values)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs a library that is not here is no test, rather than a skipped one."""
    from brew.cpu import onednn
    from brew.cpu.llvm import compiler

    missing = set() if onednn.why_not() is None else {"onednn"}
    if compiler.why_not() is not None:
        missing.add("native")
    if not all(importlib.util.find_spec(name) for name in ("torch", "onnx", "onnxruntime")):
        missing.add("peer")
    if not importlib.util.find_spec("mypy"):
        missing.add("mypy")
    left = [item for item in items if any(item.get_closest_marker(name) for name in missing)]
    config.hook.pytest_deselected(items=left)
    gone = set(map(id, left))
    items[:] = [item for item in items if id(item) not in gone]


@pytest.fixture
def make_lmdb(tmp_path: Path) -> Callable[..., Path]:
    """`make_lmdb(datums, name="db")`: the folder of a new LMDB with these Datums (or raw values) under 8-digit keys."""

    from brew.data.databases.lmdb_writer import write_lmdb

    def make(datums: Iterable[Datum | bytes], name: str = "db") -> Path:
        values = [d if isinstance(d, bytes) else d.SerializeToString() for d in datums]
        write_lmdb(tmp_path / name, ((b"%08d" % i, value) for i, value in enumerate(values)))
        return tmp_path / name

    return make
