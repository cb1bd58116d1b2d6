"""Every kernel of Brew compiles for the GPUs it is meant for, in float and double, within its budget of registers.

NVRTC needs neither a GPU nor a driver. Its log says what each kernel uses: a spill or a crowd of registers costs
speed that no other test here would see.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import rooms
from rooms import ROOT

from brew import cuda

if not sys.platform.startswith("linux"):
    pytest.skip("NVRTC comes with the test dependencies on Linux only", allow_module_level=True)

from cupy_backends.cuda.libs import nvrtc

ARCHITECTURES = ("sm_80", "sm_90")
MOST_REGISTERS = 128  # blocks of 256 threads: two to a multiprocessor at the least


@dataclass(frozen=True, slots=True)
class Usage:
    registers: int
    spill_stores: int


def compiled(kernels: cuda.Kernels, architecture: str) -> tuple[str, dict[str, Usage]]:
    """NVRTC's log for all kernels of one source, in float and double, and what each instance uses."""
    program = nvrtc.createProgram(cuda.PRELUDE + kernels.source, "kernels.cu", [], [])
    try:
        names = [f"{name}<{kind}>" for name in kernels.kernels for kind in ("float", "double")]
        for name in names:
            nvrtc.addNameExpression(program, name)
        options = (f"--gpu-architecture={architecture}", "--std=c++17", "--ptxas-options=-v")
        try:
            nvrtc.compileProgram(program, options)
        except nvrtc.NVRTCError:
            pytest.fail(f"NVRTC for {architecture}:\n{nvrtc.getProgramLog(program)}")
        log = nvrtc.getProgramLog(program)
        return log, {name: _usage(log, nvrtc.getLoweredName(program, name)) for name in names}
    finally:
        nvrtc.destroyProgram(program)


def _usage(log: str, lowered: str) -> Usage:
    part = log.split(f"Compiling entry function '{lowered}'")[1].split("Compiling entry function")[0]
    (registers,) = re.findall(r"Used (\d+) registers", part)
    spills = re.findall(r"(\d+) bytes spill stores", part)  # of the kernel, and of functions it calls
    return Usage(int(registers), sum(map(int, spills)))


def files() -> Iterator[tuple[str, Path]]:
    """(module, file) of all that may hold kernels."""
    for room in ("brew", "layers", "solvers"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.stem not in ("__init__", "__main__"):
                yield rooms.module_of(path), path


def modules_with_kernels() -> Iterator[tuple[str, cuda.Kernels]]:
    """(module and name, Kernels) of all that Brew's modules hold."""
    for module, _ in files():
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, cuda.Kernels):
                yield f"{module}:{name}", value


MODULES = dict(modules_with_kernels())


def test_every_source_that_makes_kernels_is_here() -> None:
    making = {module for module, path in files() if re.search(r"= (cuda\.)?Kernels\(", path.read_text())}
    found = {name.split(":")[0] for name in MODULES}
    assert making <= found
    assert {"brew.layers.relu", "brew.solvers.sgd", "brew.solver.update.cuda", "brew.solver.training.losses"} <= found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("module", MODULES)
def test_kernels_compile_within_their_budget(module: str, architecture: str) -> None:
    log, usage = compiled(MODULES[module], architecture)
    assert usage, f"{module} holds no kernel"
    assert "warning" not in log, log
    over = {n: u for n, u in usage.items() if u.spill_stores or u.registers > MOST_REGISTERS}
    assert not over


def test_a_spill_is_read_off_the_log() -> None:
    crowded = cuda.Kernels(r"""
    template <typename T>
    __global__ void __launch_bounds__(1024) crowded(long long n, const T* x, T* y) {
      T v[80];
      for (int k = 0; k < 80; ++k) v[k] = x[k * n];
      for (int r = 0; r < n; ++r)
    #pragma unroll
        for (int k = 0; k < 80; ++k) v[k] = v[k] * v[(k * 7 + 1) % 80] + x[r];
    #pragma unroll
      for (int k = 0; k < 80; ++k) y[k * n] = v[k];
    }
    """)
    _, usage = compiled(crowded, "sm_90")
    cuda.Kernels.loaded.remove(crowded)
    assert usage["crowded<double>"].spill_stores > 0
    assert usage["crowded<double>"].registers <= 64


def test_what_does_not_compile_fails_with_nvrtcs_words() -> None:
    wrong = cuda.Kernels("template <typename T> __global__ void wrong(long long n, T* y) { y[0] = undefined_name; }")
    cuda.Kernels.loaded.remove(wrong)
    with pytest.raises(pytest.fail.Exception, match="undefined_name"):
        compiled(wrong, "sm_80")
