"""The door to LLVM, through llvmlite: compiles functions for this processor, and keeps their code in a folder.

It is `native` in the user's cache (files.cache). Files there are named by a digest of all that they depend on (the
code that writes the function, processor, LLVM), so that no outdated code is run. Where it cannot be written,
code is made anew in every process.

In memory a function takes about 60 KiB and three of the 65,530 mappings that Linux allows a process. New sizes want new
functions, so those that nobody holds any more are freed, all but the last ones.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from brew.files.cache import keep, read

from .writer import Writer

log = logging.getLogger("brew")

VARIABLE = "BREW_NATIVE"  # "0" or "off" switches it off; "avx2" keeps to vectors of 8
_FOLDER = "native"
_LATEST = 256  # functions that stay though nobody holds them: nets that are made anew, or reshaped back, find them
_WRITERS = tuple(
    Path(__file__).parents[1] / room for room in ("llvm", "native", "pixels")
)  # what writes functions: `origin` digests it


class Target(NamedTuple):
    """The processor code is made for, and how many float32 its vectors hold."""

    cpu: str
    features: str
    width: int


@cache
def why_not() -> str | None:
    """Why there can be no code of our own here; None when there can."""
    wanted = os.environ.get(VARIABLE, "").lower()
    if wanted in ("0", "off", "no"):
        return f"{VARIABLE}={wanted} switches it off"
    try:
        target()
        return None
    except ImportError as error:
        return f"llvmlite is not installed ({error})"
    except (OSError, RuntimeError) as error:
        return f"llvmlite: {error}"


@cache
def _binding() -> Any:
    import llvmlite.binding as binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@cache
def target() -> Target:
    """This processor; RuntimeError where its vectors are of no size we write code for."""
    binding = _binding()
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and os.environ.get(VARIABLE, "").lower() != "avx2":
        return Target(binding.get_host_cpu_name(), features.flatten(), 16)
    if features.get("avx2") and features.get("fma"):
        for name in [name for name in features if name.startswith("avx512") or name.startswith("avx10")]:
            features[name] = False
        return Target("haswell", features.flatten(), 8)
    raise RuntimeError("the processor has neither AVX-512 nor AVX2")


class Function:
    """A function in memory. Its code is freed with it, so what has its address holds it too: `bound` (.team),
    tables (.slots) and calls on pixels (brew.cpu.pixels) do, and nothing else asks for the address."""

    def __init__(self, address: int, engine: Any) -> None:
        self.address, self._engine = address, engine


class Made:
    """Functions in memory by their names: all that are held somewhere, and the `latest` asked for."""

    def __init__(self, latest: int = _LATEST) -> None:
        self._most = latest
        self._held: WeakValueDictionary[str, Function] = WeakValueDictionary()
        self._latest: dict[str, Function] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, name: str, make: Callable[[], Function]) -> Function:
        """The function of this name, by `make` where there is none."""
        with self._lock:
            function = self._held.get(name)
            if function is None:
                function = self._held[name] = make()
            self._latest.pop(name, None)
            self._latest[name] = function
            oldest = self._latest.pop(next(iter(self._latest))) if len(self._latest) > self._most else None
        del oldest  # it may be freed now
        return function


_made = Made()


def function(name: str, write: Callable[[Writer], None]) -> Function:
    """The function that `write` writes, which is the same whenever `name` is."""

    def text() -> str:
        writer = Writer(target().width)
        write(writer)
        return writer.text()

    return _function(name, text)


def assembled(name: str, text: str) -> Function:
    """The function `Writer.ENTRY` of this text."""
    return _function(name, lambda: text)


def _function(name: str, text: Callable[[], str]) -> Function:
    return _made.get(name, lambda: _make(name, text))


def _make(name: str, text: Callable[[], str]) -> Function:
    binding, kept = _binding(), f"{_digest(name)}.o"
    code = read(_FOLDER, kept)
    made = code is None
    if code is None:
        code = _compile(text())
        keep(_FOLDER, kept, code)
    # llvmlite's memory manager lays a function's sections side by side. With LLVM's own they may end up more than 2 GiB
    # apart, around the terabyte that an LMDB maps, which LLVM answers with an abort.
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine(), use_lmm=True)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    log.debug("native: %s %s, %d bytes", name, "made" if made else "read", len(code))
    return Function(engine.get_function_address(Writer.ENTRY), engine)


def _machine() -> Any:
    """A new one for every use: an engine owns the one that it is given."""
    binding, processor = _binding(), target()
    found = binding.Target.from_triple(binding.get_process_triple())
    return found.create_target_machine(
        cpu=processor.cpu, features=processor.features, opt=3, reloc="pic", codemodel="default", jit=True
    )


def _compile(text: str) -> bytes:
    binding = _binding()
    module = binding.parse_assembly(f'target triple = "{binding.get_process_triple()}"\n{text}')
    module.verify()
    machine, passes, builder = _passes()
    passes.run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


@cache
def _passes() -> tuple[Any, Any, Any]:
    """What compiles, made once: llvmlite frees no passes."""
    binding, machine = _binding(), _machine()
    passes = binding.create_new_module_pass_manager()
    passes.add_sroa_pass()  # the writer's cells become values
    passes.add_instruction_combine_pass()
    return machine, passes, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=1))


# --- names of what is kept ------------------------------------------------------------------------------------------


@cache
def origin() -> bytes:
    """A digest of what every function depends on: the code that writes, LLVM, and the processor."""
    from llvmlite import __version__

    digest = hashlib.sha256(repr((__version__, _binding().llvm_version_info, target())).encode())
    for path in [path for folder in _WRITERS for path in sorted(folder.glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.digest()


def _digest(name: str) -> str:
    return hashlib.sha256(origin() + name.encode()).hexdigest()[:40]
