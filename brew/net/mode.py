"""Process-wide defaults: pycaffe's set_mode_cpu, set_mode_gpu, set_device and set_random_seed; the engine; fusion.

They hold for nets and solvers made without a `device`, `seed`, `engine` or `fuse` of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from brew import cuda
from brew.errors import DeviceError


@dataclass
class _Mode:
    device: str = "cpu"
    seed: int | None = None
    engine: str = "default"
    fuse: bool = True


_mode = _Mode()


def set_mode_cpu() -> None:
    """Nets made from now on run on the CPU."""
    _mode.device = "cpu"


def set_mode_gpu() -> None:
    """Nets made from now on run on CUDA; DeviceError when no GPU can be used."""
    reason = cuda.why_not()
    if reason is not None:
        raise DeviceError(f"set_mode_gpu: no usable GPU: {reason}")
    _mode.device = "cuda"


def set_device(number: int) -> None:
    """The GPU this process uses from now on."""
    cuda.use_device(number)


def set_random_seed(seed: int) -> None:
    """Nets and solvers made from now on draw from this seed; negative means a fresh one each time."""
    _mode.seed = seed if seed >= 0 else None


def set_engine(name: str) -> None:
    """The CPU engine of nets made from now on: "default", "onednn", or "caffe", which is NumPy."""
    _mode.engine = name


def set_fuse(wanted: bool) -> None:
    """Whether layers of nets made from now on run together where that changes no value (brew.net.run.fusion)."""
    _mode.fuse = wanted


def default_fuse() -> bool:
    return _mode.fuse


def default_engine() -> str:
    return _mode.engine


def default_device() -> str:
    return _mode.device


def default_seed() -> int | None:
    return _mode.seed
