"""oneDNN's C library: where a libdnnl is, whether it is one we can use (3.x), and its one engine."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int64, c_size_t, c_uint, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from brew.errors import DeviceError
from brew.layer import Unsupported

from . import threads

log = logging.getLogger("brew")

VARIABLE = "BREW_ONEDNN"  # a path to the library; "0" or "off" for none
_NAMES = ("libdnnl.so.3", "libdnnl.so", "libdnnl.3.dylib", "libdnnl.dylib", "dnnl.dll")
_PACKAGES = ("onednn-cpu-gomp", "onednn-cpu-iomp", "onednn-cpu-tbb", "onednn")


@dataclass(frozen=True, slots=True)
class Found:
    """A library that was loaded, or the reason why there is none."""

    library: ctypes.CDLL | None
    path: str
    reason: str | None


class _Version(ctypes.Structure):
    _fields_ = (
        ("major", c_int), ("minor", c_int), ("patch", c_int), ("hash", c_char_p), ("cpu_runtime", c_uint),
        ("gpu_runtime", c_uint),
    )  # fmt: skip


def why_not() -> str | None:
    """Why oneDNN cannot be used here; None when it can."""
    return _found().reason


@cache
def _found() -> Found:
    found = search()
    if found.library is not None:
        log.debug("oneDNN: %s", found.path)
    return found


def library() -> ctypes.CDLL:
    found = _found()
    if found.library is None:
        raise DeviceError(f"oneDNN cannot be used: {found.reason}", hint="pip install onednn-cpu-gomp")
    return found.library


def version() -> str:
    found = library().dnnl_version().contents
    return f"{found.major}.{found.minor}.{found.patch}"


@cache
def engine() -> tuple[c_void_p, c_void_p]:
    """The CPU engine and its one stream."""
    made, stream = c_void_p(), c_void_p()
    check("engine", library().dnnl_engine_create(byref(made), 1, 0))
    check("stream", library().dnnl_stream_create(byref(stream), made, 1))
    return made, stream


def check(what: str, status: int) -> None:
    if status in (1, 2, 3, 5):  # out of memory, invalid arguments, unimplemented, a failure such as of sizes
        raise Unsupported(what)
    if status:
        raise RuntimeError(f"oneDNN: {what} failed with status {status}")


def search() -> Found:
    """The first candidate that loads."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted.lower() in ("0", "off", "no"):
        return Found(None, "", f"{VARIABLE}={wanted} switches it off")
    reasons = []
    for path in [wanted] if wanted else _candidates():
        try:
            with threads.openmp_environment():
                library = ctypes.CDLL(path)
            _declare(library)
        except (OSError, AttributeError) as error:
            reasons.append(_explained(path, str(error)))
            continue
        version = library.dnnl_version().contents
        if version.major != 3:
            reasons.append(f"{path} is version {version.major}.{version.minor}, 3.x is needed")
            continue
        return Found(library, path, None)
    return Found(None, "", "; ".join(reasons) or "no libdnnl is installed")


def _candidates() -> Iterator[str]:
    """The environment's own folder, the installed package's files, conda's folder, then wherever the system looks."""
    yield from (str(path) for name in _NAMES if (path := Path(sys.prefix) / "lib" / name).is_file())
    from importlib import metadata  # slow to import, and seldom needed: pip puts the library where we looked just now

    for package in _PACKAGES:
        try:
            files = metadata.files(package) or []
        except metadata.PackageNotFoundError:
            continue
        located = [Path(str(file.locate())) for file in files if file.name in _NAMES]
        yield from (str(path) for path in located if path.is_file())
    prefix = os.environ.get("CONDA_PREFIX")
    for name in _NAMES:
        if prefix and (path := Path(prefix) / "lib" / name).is_file():
            yield str(path)
    yield from _NAMES[:1] if os.name != "nt" else _NAMES[-1:]


def _explained(path: str, error: str) -> str:
    if "libgomp" in error:
        return f"{path} needs libgomp.so.1, which is missing (on Debian: apt-get install libgomp1)"
    return error


def _declare(library: ctypes.CDLL) -> None:
    """Results and arguments where ctypes' own guess would be wrong."""
    library.dnnl_version.restype = POINTER(_Version)
    library.dnnl_memory_desc_get_size.restype = c_size_t
    library.dnnl_memory_desc_get_size.argtypes = [c_void_p]
    library.dnnl_primitive_desc_query_md.restype = c_void_p
    library.dnnl_primitive_desc_query_md.argtypes = [c_void_p, c_int, c_int]
    library.dnnl_primitive_execute.argtypes = [c_void_p, c_void_p, c_int, c_void_p]
    library.dnnl_engine_create.argtypes = [c_void_p, c_int, c_size_t]
    library.dnnl_post_ops_append_eltwise.argtypes = [c_void_p, c_int, c_float, c_float]
    library.dnnl_sgemm.argtypes = [
        ctypes.c_char, ctypes.c_char, c_int64, c_int64, c_int64, c_float, c_void_p, c_int64, c_void_p, c_int64, c_float,
        c_void_p, c_int64,
    ]  # fmt: skip
    void = [c_void_p]
    for name in (
        "memory_desc_destroy", "memory_destroy", "primitive_desc_destroy", "primitive_destroy", "post_ops_destroy",
    ):  # fmt: skip
        getattr(library, f"dnnl_{name}").argtypes = void
