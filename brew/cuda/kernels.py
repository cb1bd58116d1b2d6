"""Kernels and their launches: CUDA C++ text beside its NumPy twin, compiled at first launch, every argument checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .door import cupy, when_changed

THREADS = 256  # per block, in every launch
_MAX_BLOCKS = 1 << 16  # beyond it the grid-stride loops take over

PRELUDE = (Path(__file__).with_name("prelude.cu")).read_text()


def check_contiguous(what: str, *arrays: npt.NDArray[Any]) -> None:
    """ValueError for an array with strides: kernels see plain memory."""
    for array in arrays:
        if not array.flags.c_contiguous:
            raise ValueError(f"{what}: a non-contiguous array of shape {array.shape}; kernels ignore strides")


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    type: str  # "T", "int", "long long", ... without const and *
    pointer: bool


# `T` is the element type of the first array passed; the others are fixed.
_DTYPES = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "unsigned int": np.uint32,
    "long long": np.int64,
    "unsigned long long": np.uint64,
    "unsigned char": np.uint8,
    "bool": np.bool_,
}
_KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)")


def _parameters(text: str) -> tuple[_Parameter, ...]:
    """The parameter list of a kernel: `const T* x, long long n` and so on."""
    result = []
    for item in text.split(","):
        words = item.replace("*", " * ").replace("__restrict__", " ").split()
        pointer = "*" in words
        kind = " ".join(w for w in words[:-1] if w not in ("const", "*"))
        if kind != "T" and kind not in _DTYPES:
            raise ValueError(f"kernel parameter {item.strip()!r} has a type the launcher does not know")
        result.append(_Parameter(words[-1], kind, pointer))
    return tuple(result)


class Kernel:
    """One `__global__` function template. Calling it launches; arguments follow its parameter list.

    The first parameter is `long long n`. `kernel(n, ...)` starts a thread per element and the kernel loops with
    `FOR_EACH(i, n)`; `kernel.by_block(n, ...)` starts a block per item for `FOR_EACH_BLOCK(i, n)`.
    Python numbers are converted to the declared types; arrays must have them and be contiguous.
    """

    def __init__(self, module: Kernels, name: str, parameters: tuple[_Parameter, ...]) -> None:
        self.module = module
        self.name = name
        self.parameters = parameters
        self._element = next((i for i, p in enumerate(parameters) if p.pointer and p.type == "T"), None)

    def __call__(self, n: int, *arguments: Any) -> None:
        self._launch(-(-n // THREADS), n, arguments)

    def by_block(self, n: int, *arguments: Any) -> None:
        self._launch(n, n, arguments)

    def _launch(self, blocks: int, n: int, arguments: tuple[Any, ...]) -> None:
        if n == 0:
            return
        values = (n, *arguments)
        if len(values) != len(self.parameters):
            raise TypeError(f"{self.name} takes {len(self.parameters)} arguments, {len(values)} given")
        element = np.dtype(np.float32)
        if self._element is not None:
            element = values[self._element].dtype
        converted = tuple(self._convert(p, v, element) for p, v in zip(self.parameters, values, strict=True))
        function = self.module.function(self.name, element)
        function((min(blocks, _MAX_BLOCKS),), (THREADS,), converted)

    def _convert(self, parameter: _Parameter, value: Any, element: np.dtype[Any]) -> Any:
        dtype = element if parameter.type == "T" else np.dtype(_DTYPES[parameter.type])
        if not parameter.pointer:
            return dtype.type(value)
        if getattr(value, "dtype", None) != dtype:
            came = getattr(value, "dtype", type(value).__name__)
            raise TypeError(f"{self.name}: {parameter.name} must be a {dtype} array, got {came}")
        check_contiguous(f"{self.name}: {parameter.name}", value)
        return value


class Kernels:
    """The kernels of one source text, as attributes: `_kernels.relu_forward(n, x, y, slope)`.

    The text may hold several `template <typename T> __global__` functions and device functions; brew/cuda/prelude.cu
    stands before it. It is compiled at the first launch, for float and for double separately. A name ending in
    ".cu" is read from the file of that name beside the caller's.
    """

    loaded: ClassVar[list[Kernels]] = []

    def __init__(self, source: str, *, file: str | None = None) -> None:
        if file is not None:
            source = Path(file).with_suffix(".cu").read_text()
        self.source = source
        self._functions: dict[tuple[str, str], Any] = {}
        Kernels.loaded.append(self)
        when_changed(self.forget)

    @cached_property
    def kernels(self) -> dict[str, Kernel]:
        return {n: Kernel(self, n, _parameters(p)) for n, p in _KERNEL.findall(self.source)}

    def __getattr__(self, name: str) -> Kernel:
        if "source" not in vars(self):  # a copy in the making asks before there is anything
            raise AttributeError(name)
        try:
            return self.kernels[name]
        except KeyError:
            raise AttributeError(f"no kernel {name!r}; there are {', '.join(self.kernels)}") from None

    def function(self, name: str, element: np.dtype[Any]) -> Any:
        """The compiled kernel for element type float32 or float64."""
        c_type = {"float32": "float", "float64": "double"}[element.name]
        if (name, c_type) not in self._functions:
            names = [f"{k}<{c_type}>" for k in self.kernels]
            module = cupy().RawModule(code=PRELUDE + self.source, options=("--std=c++17",), name_expressions=names)
            for kernel, expression in zip(self.kernels, names, strict=True):
                self._functions[kernel, c_type] = module.get_function(expression)
        return self._functions[name, c_type]

    def forget(self) -> None:
        """Drop what was compiled (the modules behind the door have changed)."""
        self._functions.clear()
