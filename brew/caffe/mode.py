"""Where nets run, and what else pycaffe keeps for the whole process."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from brew import cuda
from brew.net import mode

_log = logging.getLogger("brew")


@dataclass
class _Process:
    told: bool = False  # that there is no GPU
    count: int = 1
    rank: int = 0
    several: bool = False


_process = _Process()


def set_mode_cpu() -> None:
    """Nets made from now on run on the CPU."""
    mode.set_mode_cpu()


def set_mode_gpu() -> None:
    """Nets made from now on run on the GPU. Where there is none they run on the CPU, and one warning says so."""
    if _there_is_a_gpu():
        mode.set_mode_gpu()


def set_device(number: int) -> None:
    """The GPU that this process uses from now on. Where there is none, as `set_mode_gpu`."""
    if _there_is_a_gpu():
        mode.set_device(number)


def _there_is_a_gpu() -> bool:
    reason = cuda.why_not()
    if reason is not None and not _process.told:
        _process.told = True
        _log.warning("the script asks for a GPU, and there is none that can be used (%s): the CPU computes", reason)
    return reason is None


def set_random_seed(seed: int) -> None:
    """Nets and solvers made from now on draw from this seed."""
    mode.set_random_seed(seed)


def solver_count() -> int:
    """How many processes train together."""
    return _process.count


def set_solver_count(count: int) -> None:
    """Brew trains in one process; for more, `NCCL` is an error."""
    _process.count = int(count)


def solver_rank() -> int:
    """The number of this process among them."""
    return _process.rank


def set_solver_rank(rank: int) -> None:
    _process.rank = int(rank)


def set_multiprocess(several: bool) -> None:
    """Whether others train in other processes; kept for scripts that set it."""
    _process.several = bool(several)


def multiprocess() -> bool:
    return _process.several
