"""TEST EQUIPMENT. Host compilation of one module, kept in a cache by the hash of all that goes into it."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
_HEADERS = ("runtime.h", "launch.h", "checked.h", "device.h")
_RUNTIME = ("runtime.cpp", "races.cpp", "fibers.cpp")
_KEPT_DAYS = 30
# -w: warnings about kernels are NVRTC's business. No contraction: multiply and add round apart, as in NumPy.
_FLAGS = ("-std=c++17", "-O1", "-fPIC", "-w", "-ffp-contract=off", "-fvisibility=hidden", "-U_FORTIFY_SOURCE")


@cache
def compiler() -> tuple[str, ...]:
    """The system's C++ compiler, else the one in the ziglang wheel."""
    for name in ("g++", "clang++", "c++"):
        if path := shutil.which(name):
            return (path,)
    # Its debug build traps on things CUDA defines, such as a shift or a cast out of range.
    return (sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=undefined")


def cache_folder() -> Path:
    """Where built modules are kept; BREW_CUDA_HOST_CACHE overrides the user's cache folder."""
    kept = os.environ.get("BREW_CUDA_HOST_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(kept) if kept else base / "brew-tests" / "cuda_host"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _throwaway_folder()
    return folder


@cache
def _throwaway_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="brew-cuda-host-"))


def build(text: str) -> ctypes.CDLL:
    """The loaded library of C++ `text` (which includes device.h) and the runtime."""
    return ctypes.CDLL(str(_built(text.encode(), ".so", tuple(str(o) for o in _runtime()))))


def _runtime() -> list[Path]:
    return [_built((_HERE / name).read_bytes(), ".o", ()) for name in _RUNTIME]


@cache
def _environment() -> bytes:
    """What every build depends on besides its own text."""
    sources = b"".join((_HERE / name).read_bytes() for name in (*_HEADERS, *_RUNTIME))
    return sources + repr((compiler(), _FLAGS)).encode()


def _built(text: bytes, suffix: str, objects: tuple[str, ...]) -> Path:
    digest = hashlib.sha256(_environment() + text).hexdigest()[:32]
    target = cache_folder() / (digest + suffix)
    if target.exists():
        return target
    kind = ("-c",) if suffix == ".o" else ("-shared",)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        source, output = Path(scratch, "module.cpp"), Path(scratch, "module" + suffix)
        source.write_bytes(text)
        command = [*compiler(), *_FLAGS, *kind, f"-I{_HERE}", str(source), *objects, "-o", str(output)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the host compiler refuses the kernels:\n{done.stderr[:4000]}")
        output.replace(target)  # at once: another process may build the same
    _drop_old(target.parent)
    return target


def _drop_old(folder: Path) -> None:
    """Kernels change and leave their builds behind."""
    for path in folder.glob("*.[os]*"):
        with contextlib.suppress(OSError):  # another test process was first
            if time.time() - path.stat().st_mtime > _KEPT_DAYS * 86400:
                path.unlink()
