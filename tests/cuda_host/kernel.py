"""TEST EQUIPMENT. RawModule and its kernels: CUDA text in, checked host launches out."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import compiler, memory, rewrite

_MOST_STAMPS = 1 << 31  # then the shadows start afresh; a launch may use as many again
_GLOBAL = 0


class KernelError(Exception):
    """A launch broke a rule: bounds, a race, a divergent barrier, arguments that do not fit."""


class _Array(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_void_p),
        ("count", ctypes.c_longlong),
        ("shadow", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_int),
    )


class _Argument(ctypes.Structure):
    _fields_ = (("array", _Array), ("value", ctypes.c_ubyte * 8))


class _Schedule:
    lock = threading.Lock()
    seed = 1701
    launches = 0
    stamp = 0


@contextmanager
def schedule(seed: int) -> Iterator[None]:
    """Blocks and threads run in the order that `seed` gives, launch by launch."""
    before = _Schedule.seed, _Schedule.launches
    _Schedule.seed, _Schedule.launches = seed, 0
    try:
        yield
    finally:
        _Schedule.seed, _Schedule.launches = before


class RawModule:
    """CuPy's, as brew/cuda/device.py uses it: `name_expressions` say which template instances are wanted."""

    def __init__(self, *, code: str, options: Sequence[str] = (), name_expressions: Sequence[str] = ()) -> None:
        text = rewrite.without_comments(code)
        self._functions = {f.name: f for f in rewrite.functions(text) if f.is_kernel}
        self._meeting = rewrite.meeting_functions(text)
        self._names = list(name_expressions)
        for name in self._names:
            if re.split("<", name)[0] not in self._functions:
                raise KernelError(f"no kernel for the name expression {name!r}")
        self._library = compiler.build("\n".join([_OPENING, rewrite.rewrite(text), *self._doors()]))

    def _doors(self) -> Iterator[str]:
        for i, name in enumerate(self._names):
            yield f"BREW_DOOR({i}, ({name}))"

    def get_function(self, name: str) -> RawKernel:
        if name not in self._names:
            raise KernelError(f"{name!r} is none of the module's name expressions {self._names}")
        stem = name.split("<")[0]
        function = self._functions[stem]
        return RawKernel(name, function, self._library, self._names.index(name), stem in self._meeting)


_OPENING = """#include "device.h"
#define BREW_EXPORT extern "C" __attribute__((visibility("default")))
#define BREW_DOOR(i, kernel)                                                                    \\
  BREW_EXPORT const char* const* brew_signature_##i() { return brew_host::signature kernel; }   \\
  BREW_EXPORT void brew_body_##i(const Argument* a) { brew_host::call(BREW_BARE kernel, a); }
#define BREW_BARE(...) __VA_ARGS__
#line 1 "kernels.cu\""""


class RawKernel:
    """One kernel instance; a call launches it, with arguments of exactly the types it declares."""

    def __init__(self, name: str, function: rewrite.Function, library: ctypes.CDLL, number: int, fibers: bool) -> None:
        self.name = name
        self._function = function
        self._fibers = fibers
        self._body = getattr(library, f"brew_body_{number}")
        signature = getattr(library, f"brew_signature_{number}")
        signature.restype = ctypes.POINTER(ctypes.c_char_p)
        types = signature()
        self.types = [types[i].decode() for i in range(len(function.parameters))]
        self._launch = library.brew_launch
        self._launch.restype = ctypes.c_char_p

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        if len(args) != len(self.types):
            raise KernelError(f"{self.name} takes {len(self.types)} arguments, not {len(args)}")
        grid3, block3 = self._dimensions(grid, 2**31 - 1), self._dimensions(block, 1024)
        if int(np.prod(list(block3))) > 1024:
            raise KernelError(f"{self.name}: a block of {block} threads; at most 1024")
        with _Schedule.lock:
            if _Schedule.stamp >= _MOST_STAMPS:
                memory.clear_shadows()
                _Schedule.stamp = 0
            arguments = (_Argument * max(len(args), 1))()
            labels = self._function.parameters
            for slot, value, kind, label in zip(arguments, args, self.types, labels, strict=False):
                self._pass(slot, value, kind, label)
            error = self._run(arguments, grid3, block3)
        if error is not None:
            raise KernelError(f"{self.name}: {error.decode()}")

    def _run(self, arguments: Any, grid: Any, block: Any) -> bytes | None:
        _Schedule.launches += 1
        seed = ctypes.c_uint64(_Schedule.seed * 1_000_003 + _Schedule.launches)
        stamp = ctypes.c_uint32(_Schedule.stamp)
        error: bytes | None = self._launch(
            self._body, arguments, grid, block, int(self._fibers), seed, ctypes.byref(stamp)
        )
        _Schedule.stamp = stamp.value
        return error

    def _dimensions(self, wanted: tuple[int, ...], most: int) -> Any:
        if not 1 <= len(wanted) <= 3 or any(not 1 <= d <= most for d in wanted):
            raise KernelError(f"{self.name}: grid or block {wanted} is not 1 to 3 numbers from 1 to {most}")
        return (ctypes.c_uint32 * 3)(*wanted, *(1,) * (3 - len(wanted)))

    def _pass(self, slot: _Argument, value: Any, kind: str, label: str) -> None:
        """Fill one argument. CuPy would pass what it is given, of whatever type; here it must fit exactly."""
        where = f"{self.name}: argument {label}"
        if not kind.endswith("*"):
            if not isinstance(value, np.generic) or value.dtype.name != kind:
                raise KernelError(f"{where} must be a {kind} scalar, not {_described(value)}")
            ctypes.memmove(slot.value, value.tobytes(), value.nbytes)
            return
        if value is None:  # CuPy's null pointer
            return
        if not isinstance(value, memory.ndarray) or value.dtype.name != kind[:-1]:
            raise KernelError(f"{where} must be a {kind[:-1]} device array, not {_described(value)}")
        if not value.flags.c_contiguous:
            raise KernelError(f"{where} is not contiguous: shape {value.shape}")
        owner = value.allocation
        if owner.itemsize != value.itemsize:
            raise KernelError(f"{where} reinterprets memory of {owner.itemsize}-byte elements")
        first = (value.data.ptr - owner.pointer) // owner.itemsize
        shadow = owner.shadow.ctypes.data + first * memory.SHADOW_BYTES
        slot.array = _Array(value.data.ptr, value.size, shadow, label.encode(), _GLOBAL)


def _described(value: Any) -> str:
    return f"{type(value).__name__} of {value.dtype}" if hasattr(value, "dtype") else repr(value)
