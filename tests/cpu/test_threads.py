"""How many threads: the order of options, variables and quotas, and that BLAS and OpenMP are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from brew.cpu import threads
from brew.errors import UsageError

if not hasattr(os, "sched_getaffinity"):
    pytest.skip("affinity is Linux's", allow_module_level=True)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("BREW_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    yield
    monkeypatch.undo()
    threads.use(None)


def blas_threads() -> set[int]:
    np.dot(np.ones(3), np.ones(3))
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_an_order_goes_before_the_environment_and_that_before_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= threads.wanted() == threads.cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "5,2")
    assert threads.wanted() == 5
    monkeypatch.setenv("BREW_THREADS", "6")
    assert threads.wanted() == 6
    threads.use(7)
    assert threads.wanted() == 7
    assert threads.decoders() == 7
    threads.use(70)
    assert threads.decoders() == 16
    threads.use(None)
    assert threads.wanted() == 6


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREW_THREADS", text)
    with pytest.raises(UsageError, match=f'BREW_THREADS must be a number of threads from 1, it is "{text}"'):
        threads.wanted()


def test_less_than_one_thread_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1, it is 0"):
        threads.use(0)


@pytest.mark.parametrize("number", [1, 2])
def test_blas_is_held_to_the_number(number: int) -> None:
    threads.use(number)
    assert blas_threads() in ({number}, set())  # a NumPy whose BLAS has no threads lists none


def test_blas_goes_back_when_the_order_does(monkeypatch: pytest.MonkeyPatch) -> None:
    threads.use(1)
    monkeypatch.setattr(threads, "cores", lambda: 2)
    threads.use(None)
    assert blas_threads() in ({2}, set())


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/a/b\n"}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "400000 100000"}, 4),
        ({"proc/self/cgroup": "0::/x\n", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "3:cpu,cpuacct:/d\n0::/\n", "sys/fs/cgroup/cpu/d/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/d/cpu.cfs_period_us": "100000"}, 0.5),
        ({"proc/self/cgroup": "3:cpu:/d\n", "sys/fs/cgroup/cpu/d/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/d/cpu.cfs_period_us": "100000"}, None),
    ],
)  # fmt: skip
def test_a_cgroup_grants_its_quota(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    write(tmp_path, files)
    assert threads._quota(tmp_path) == quota


@pytest.mark.parametrize(
    ("siblings", "quota", "expected"),
    [(("0-1", "0-1", "2-3", "2-3"), None, 2), (("0", "1", "2", "3"), 2.5, 3), (("0", "1", "2", "3"), 0.5, 1)],
)
def test_the_threads_of_a_core_count_once(
    siblings: tuple[str, ...], quota: float | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cpu, names in enumerate(siblings):
        write(tmp_path, {f"cpu{cpu}/topology/thread_siblings_list": names + "\n"})
    monkeypatch.setattr(threads, "_CPU", tmp_path)
    monkeypatch.setattr(threads, "_quota", lambda root: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(len(siblings))))
    assert threads.cores.__wrapped__() == expected


class FakeOpenMP:
    """What ctypes gives for a library that is linked to OpenMP, as far as we ask it."""

    def __init__(self) -> None:
        self.told: list[int] = []

        def tell(number: int) -> None:
            self.told.append(number)

        self.omp_set_num_threads = tell


def test_openmp_is_told_once_for_each_thread_and_number() -> None:
    library = FakeOpenMP()
    for number in (2, 2, 3, 3, 2):
        threads.use(number)
        assert threads.openmp_threads(library)  # type: ignore[arg-type]
    assert library.told == [2, 3, 2]


def test_a_library_without_openmp_says_so() -> None:
    sequential = object()  # not the process itself, into which PyTorch may have loaded an OpenMP
    assert not threads.openmp_threads(sequential)  # type: ignore[arg-type]


def test_a_library_loaded_inside_reads_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with threads.openmp_environment():
        assert os.environ["OMP_NUM_THREADS"] == str(threads.cores())
    assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    with threads.openmp_environment():
        assert os.environ["OMP_NUM_THREADS"] == "3,1"
    threads.use(2)
    with threads.openmp_environment():
        assert os.environ["OMP_NUM_THREADS"] == "2"
    assert os.environ["OMP_NUM_THREADS"] == "3,1"


def test_openmp_does_not_wait_long_unless_the_user_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    with threads.openmp_environment():
        assert {"GOMP_SPINCOUNT", "KMP_BLOCKTIME"} <= os.environ.keys()
    assert not {"GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & os.environ.keys()
    monkeypatch.setenv("GOMP_SPINCOUNT", "77")
    with threads.openmp_environment():
        assert os.environ["GOMP_SPINCOUNT"] == "77"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    with threads.openmp_environment():
        assert "KMP_BLOCKTIME" not in os.environ
