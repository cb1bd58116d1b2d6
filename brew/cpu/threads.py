"""How many threads Brew computes with: one number for NumPy's BLAS, for OpenMP and for our own pools.

It is `--threads` (`use`), else BREW_THREADS, else OMP_NUM_THREADS, else the cores this process may use:
those of its CPU affinity, the two threads of one core counted once, and no more than a cgroup's quota. BLAS, OpenMP
and brew.cpu.workers never compute at the same time, for layers and the update run one after the other: each may have
them all.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from brew.errors import UsageError

log = logging.getLogger("brew")

VARIABLE = "BREW_THREADS"
_OPENMP = "OMP_NUM_THREADS"
# How long threads spin before they sleep: GNU's (in turns; some 0.2 ms, as fast from one primitive to the next as its
# own 300,000) and LLVM's (in ms, for 200).
_WAITS = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
_MOST_DECODERS = 16
_CPU = Path("/sys/devices/system/cpu")


class _State:
    """The numbers of this process.

    chosen  what the program has chosen; None: the environment or the machine says
    held    `wanted()` when a net was last made, or `use` was told
    blas    what BLAS was last told
    openmp  by thread, which OpenMP it has told which number
    """

    chosen: int | None = None
    held: int | None = None
    blas: int | None = None
    openmp = threading.local()


def use(number: int | None) -> None:
    """Compute with `number` threads from now on; None: as the environment and the machine say. UsageError below 1."""
    if number is not None and number < 1:
        raise UsageError(f"the number of threads must be at least 1, it is {number}")
    _State.chosen = number
    hold_blas()


def wanted() -> int:
    """Threads to compute with from the next net on, at least 1. UsageError where BREW_THREADS is not a number."""
    return _State.chosen or _ordered() or cores()


def held() -> int:
    """Threads that nets compute with: `wanted()` when a net was last made, or `use` was told.

    For passes, since reading the environment takes as long as a small layer.
    """
    return _State.held or wanted()


def decoders() -> int:
    """Threads to decode a batch with: they work beside the layers, and only while these wait for data or will."""
    return min(_MOST_DECODERS, wanted())


def _ordered() -> int | None:
    """The number that the environment asks for, None without one."""
    text = os.environ.get(VARIABLE, "").strip()
    if text:
        if not text.isdecimal() or not int(text):
            raise UsageError(f'{VARIABLE} must be a number of threads from 1, it is "{text}"')
        return int(text)
    first = os.environ.get(_OPENMP, "").split(",")[0].strip()  # the further ones are for nested regions
    return int(first) if first.isdecimal() and int(first) else None


@cache
def cores() -> int:
    """Cores this process may use, at least 1."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cpus = os.sched_getaffinity(0)
    distinct = {_siblings(cpu) for cpu in cpus}
    quota = _quota(Path("/"))
    return max(1, min(len(distinct), math.ceil(quota) if quota else len(cpus)))


def _siblings(cpu: int) -> str:
    """A name of the core that `cpu` is a thread of."""
    try:
        return (_CPU / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _quota(root: Path) -> float | None:
    """CPUs that the cgroups of this process grant together in a period, of both versions; None: no limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    limits: list[float] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            limits += _limits(root / "sys/fs/cgroup", path, "cpu.max")
        elif "cpu" in controllers.split(","):
            limits += _limits(root / "sys/fs/cgroup/cpu", path, "cpu.cfs_quota_us", "cpu.cfs_period_us")
    return min(limits, default=None)


def _limits(mount: Path, path: str, *names: str) -> Iterator[float]:
    """The quotas of a group and of those it is in; in a container the group's own path may not be seen."""
    inner = Path(path.lstrip("/"))
    for group in (inner, *inner.parents):
        try:
            words = " ".join((mount / group / name).read_text() for name in names).split()
            quota, period = float(words[0]), float(words[1])
        except (OSError, ValueError, IndexError):  # not mounted, or "max"
            continue
        if quota > 0 and period > 0:
            yield quota / period


def hold_blas() -> None:
    """Hold NumPy's BLAS to `wanted()` threads; called before a net runs, and cheap when nothing has changed.

    Where no number was set, BLAS is left alone if its own number is `wanted()`: it too starts from the CPU affinity.
    """
    number = _State.held = wanted()
    free = _State.chosen is None and _State.blas is None and VARIABLE not in os.environ
    if number == _State.blas or (free and number >= visible_cpus()):
        return
    import numpy as np  # noqa: F401  # its BLAS has to be there to be found
    from threadpoolctl import ThreadpoolController

    for blas in ThreadpoolController().select(user_api="blas").lib_controllers:
        if not free or blas.num_threads > number:  # the program may have held it to fewer
            blas.set_num_threads(number)
            log.debug("%s: %d threads", blas.filepath, number)
    _State.blas = number


def visible_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def openmp_environment() -> Iterator[None]:
    """Load an OpenMP library inside, and all its threads start with `wanted()`; what the user has set stays.

    They also stop waiting for work soon, so that the update and NumPy find the cores free.
    """
    variables = {_OPENMP: str(wanted())} if _State.chosen or VARIABLE in os.environ or _OPENMP not in os.environ else {}
    if "OMP_WAIT_POLICY" not in os.environ:
        variables |= {name: value for name, value in _WAITS.items() if name not in os.environ}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def has_openmp_team() -> bool:
    """Whether the calling thread has run nets on OpenMP with others beside it."""
    return bool(getattr(_State.openmp, "told", (None, 0))[1] > 1)


def openmp_threads(library: ctypes.CDLL) -> bool:
    """Tell the OpenMP that `library` is linked to, for the calling thread, to use `wanted()` threads.

    OpenMP keeps the number per thread: call it on every thread that runs nets, which costs next to nothing once the
    thread has been told; the environment is read again when a net is made. False: `library` has no OpenMP (a build
    over TBB, or a sequential one).
    """
    number = _State.held or wanted()  # held(), without the call: this is asked before every pass
    told, to = getattr(_State.openmp, "told", (None, 0))
    if told is library and to == number:
        return True
    try:
        tell = library.omp_set_num_threads  # a library's symbols are those of what it is linked to as well
    except AttributeError:
        return False
    tell.argtypes, tell.restype = [ctypes.c_int], None
    tell(number)
    _State.openmp.told = (library, number)
    return True
