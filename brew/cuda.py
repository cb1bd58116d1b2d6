"""The one door to CuPy: devices, arrays, kernel launches, GEMM. Importable without a GPU and without CuPy.

Kernels are CUDA C++ text beside their NumPy twins in a layer's file; `Kernels` compiles them at first launch and
checks every argument, because CuPy's RawKernel checks none. GEMM is cuBLAS in true fp32 (DECISIONS 12).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from brew.errors import DeviceError

Array = npt.NDArray[Any]  # a CuPy array; CuPy has no usable stubs

THREADS = 256  # per block, in every launch
_MAX_BLOCKS = 1 << 16  # beyond it the grid-stride loops take over

PRELUDE = (Path(__file__).with_name("prelude.cu")).read_text()

_EXTRA = 'pip install "brew-caffe[cuda13]" (or [cuda12] for drivers older than 580)'


class _Door:
    """The modules behind the door: CuPy and its cuBLAS binding, or what a test installs in their place."""

    cupy: ModuleType | None = None
    cublas: ModuleType | None = None
    failure: str | None = None


def _cupy() -> Any:
    """CuPy, or DeviceError saying why it cannot be used."""
    if _Door.cupy is None:
        if _Door.failure is None:
            _load()
        if _Door.failure is not None:
            raise DeviceError(f"no usable GPU: {_Door.failure}", hint=None)
    return _Door.cupy


def _load() -> None:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        _Door.failure = f"CuPy is not installed ({error}); {_EXTRA}"
        return
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises its runtime's own classes, which only CuPy names
        _Door.failure = f"the CUDA driver does not answer ({error})"
        return
    if devices == 0:
        _Door.failure = "the driver sees no device"
        return
    _Door.cupy, _Door.cublas = cupy, importlib.import_module("cupy_backends.cuda.libs.cublas")


@contextmanager
def install(cupy: Any, cublas: Any) -> Iterator[None]:
    """Put stand-ins for CuPy and its cuBLAS binding behind the door, for the length of a `with`."""
    before = _Door.cupy, _Door.cublas, _Door.failure
    _Door.cupy, _Door.cublas, _Door.failure = cupy, cublas, None
    for module in Kernels.loaded:
        module.forget()
    try:
        yield
    finally:
        _Door.cupy, _Door.cublas, _Door.failure = before
        for module in Kernels.loaded:
            module.forget()


def why_not() -> str | None:
    """None when a GPU can be used, else the reason it cannot."""
    try:
        _cupy()
    except DeviceError as error:
        return error.message
    return None


def device_count() -> int:
    """Number of usable devices; 0 without CuPy or driver."""
    return 0 if why_not() else int(_cupy().cuda.runtime.getDeviceCount())


def use_device(number: int) -> None:
    """Make device `number` the current one of this thread."""
    have = int(_cupy().cuda.runtime.getDeviceCount())
    if not 0 <= number < have:
        raise DeviceError(f"GPU {number} was asked for; this machine has {have} (0 to {have - 1})")
    _cupy().cuda.Device(number).use()


def device_properties(number: int) -> dict[str, Any]:
    """What the CUDA runtime says of device `number`."""
    return dict(_cupy().cuda.runtime.getDeviceProperties(number))


def synchronize() -> None:
    """Wait for everything launched on the current stream."""
    _cupy().cuda.get_current_stream().synchronize()


# --- arrays -----------------------------------------------------------------------------------------------------


def empty(shape: Sequence[int] | int, dtype: npt.DTypeLike) -> Array:
    """An uninitialised device array; DeviceError's sibling ResourceError when memory runs out is the caller's."""
    array: Array = _cupy().empty(shape, dtype)
    return array


def zeros(shape: Sequence[int] | int, dtype: npt.DTypeLike) -> Array:
    array: Array = _cupy().zeros(shape, dtype)
    return array


def asarray(host: npt.ArrayLike) -> Array:
    """A device copy of a host array."""
    array: Array = _cupy().asarray(np.ascontiguousarray(host))
    return array


def upload(device: Array, host: npt.NDArray[Any]) -> None:
    """Copy a host array of the same shape and type into a device array."""
    device.set(np.ascontiguousarray(host, dtype=device.dtype).reshape(device.shape))  # type: ignore[attr-defined]


def download(device: Array, host: npt.NDArray[Any]) -> None:
    """Copy a device array into a contiguous host array of the same shape and type."""
    device.get(out=host)  # type: ignore[attr-defined]


def asnumpy(device: Array) -> npt.NDArray[Any]:
    """A host copy of a device array."""
    host: npt.NDArray[Any] = device.get()  # type: ignore[attr-defined]
    return host


def copy(destination: Array, source: Array) -> None:
    """Device-to-device copy of contiguous arrays of the same number of bytes."""
    _check_contiguous("copy", destination, source)
    if destination.nbytes != source.nbytes:
        raise ValueError(f"copy: {source.nbytes} bytes into {destination.nbytes}")
    if source.nbytes:
        runtime = _cupy().cuda.runtime
        stream = _cupy().cuda.get_current_stream().ptr
        runtime.memcpyAsync(
            destination.data.ptr,  # type: ignore[attr-defined]
            source.data.ptr,  # type: ignore[attr-defined]
            source.nbytes,
            runtime.memcpyDeviceToDevice,
            stream,
        )


def zero(array: Array) -> None:
    """Set every byte of a contiguous device array to zero."""
    _check_contiguous("zero", array)
    if array.nbytes:
        stream = _cupy().cuda.get_current_stream().ptr
        _cupy().cuda.runtime.memsetAsync(array.data.ptr, 0, array.nbytes, stream)  # type: ignore[attr-defined]


def _check_contiguous(what: str, *arrays: Array) -> None:
    for array in arrays:
        if not array.flags.c_contiguous:
            raise ValueError(f"{what}: a non-contiguous array of shape {array.shape}; kernels ignore strides")


# --- kernels ----------------------------------------------------------------------------------------------------


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
        _check_contiguous(f"{self.name}: {parameter.name}", value)
        return value


class Kernels:
    """The kernels of one source text, as attributes: `_kernels.relu_forward(n, x, y, slope)`.

    The text may hold several `template <typename T> __global__` functions and device functions; brew/prelude.cu
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

    @cached_property
    def kernels(self) -> dict[str, Kernel]:
        return {n: Kernel(self, n, _parameters(p)) for n, p in _KERNEL.findall(self.source)}

    def __getattr__(self, name: str) -> Kernel:
        try:
            return self.kernels[name]
        except KeyError:
            raise AttributeError(f"no kernel {name!r}; there are {', '.join(self.kernels)}") from None

    def function(self, name: str, element: np.dtype[Any]) -> Any:
        """The compiled kernel for element type float32 or float64."""
        c_type = {"float32": "float", "float64": "double"}[element.name]
        if (name, c_type) not in self._functions:
            names = [f"{k}<{c_type}>" for k in self.kernels]
            module = _cupy().RawModule(code=PRELUDE + self.source, options=("--std=c++17",), name_expressions=names)
            for kernel, expression in zip(self.kernels, names, strict=True):
                self._functions[kernel, c_type] = module.get_function(expression)
        return self._functions[name, c_type]

    def forget(self) -> None:
        """Drop what was compiled (the modules behind the door have changed)."""
        self._functions.clear()


# --- GEMM -------------------------------------------------------------------------------------------------------


def gemm(
    a: Array,
    b: Array,
    out: Array,
    *,
    trans_a: bool = False,
    trans_b: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
) -> None:
    """out = alpha * op(a) @ op(b) + beta * out, row-major, contiguous.

    Shapes: a (m, k) or its transpose, b (k, n) or its transpose, out (m, n). Each may have a leading batch axis;
    a or b without one is used for every item of out's batch. Elements: float32 or float64, all the same.
    """
    _check_contiguous("gemm", a, b, out)
    if not a.dtype == b.dtype == out.dtype:
        raise TypeError(f"gemm: mixed types {a.dtype}, {b.dtype}, {out.dtype}")
    m, n = out.shape[-2:]
    k = a.shape[-2] if trans_a else a.shape[-1]
    wanted = ((k, m) if trans_a else (m, k)), ((n, k) if trans_b else (k, n))
    if (a.shape[-2:], b.shape[-2:]) != wanted:
        raise ValueError(f"gemm: shapes {a.shape} {b.shape} do not give {out.shape}")
    batch = out.shape[0] if out.ndim == 3 else 1
    if any(array.ndim == 3 and array.shape[0] != batch for array in (a, b)):
        raise ValueError(f"gemm: batches of {a.shape} {b.shape} and {out.shape} differ")
    if out.size == 0:
        return
    if k == 0:
        if beta == 0.0:
            zero(out)
        return
    _gemm(a, b, out, (m, n, k, batch), (trans_a, trans_b), (alpha, beta))


def _gemm(
    a: Array,
    b: Array,
    out: Array,
    sizes: tuple[int, int, int, int],
    trans: tuple[bool, bool],
    scale: tuple[float, float],
) -> None:
    """Row-major through column-major cuBLAS: the transposes of all three, hence b before a."""
    m, n, k, batch = sizes
    cublas = _Door.cublas
    handle = _cupy().cuda.device.get_cublas_handle()
    op = [int(t) for t in (trans[1], trans[0])]  # CUBLAS_OP_N = 0, CUBLAS_OP_T = 1
    alpha, beta = (np.array(s, a.dtype) for s in scale)
    ld = b.shape[-1], a.shape[-1], n
    pointers = [array.data.ptr for array in (b, a, out)]  # type: ignore[attr-defined]
    single = a.dtype == np.float32
    if batch == 1:
        call = cublas.sgemm if single else cublas.dgemm  # type: ignore[union-attr]
        call(handle, *op, n, m, k, alpha.ctypes.data, pointers[0], ld[0], pointers[1], ld[1],
             beta.ctypes.data, pointers[2], ld[2])  # fmt: skip
        return
    call = cublas.sgemmStridedBatched if single else cublas.dgemmStridedBatched  # type: ignore[union-attr]
    stride = [array.shape[-2] * array.shape[-1] if array.ndim == 3 else 0 for array in (b, a)]
    call(handle, *op, n, m, k, alpha.ctypes.data, pointers[0], ld[0], stride[0], pointers[1], ld[1], stride[1],
         beta.ctypes.data, pointers[2], ld[2], m * n, batch)  # fmt: skip
