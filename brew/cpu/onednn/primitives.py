"""oneDNN's primitives (libdnnl 3.x) through ctypes; cpu/library.py has found and loaded the library.

oneDNN's objects are wrapped in small classes: a `Description` is the layout of an array in memory, a `BoundArray` an
array with its description, an `Operation` a primitive for given descriptions, a `Call` an operation bound to arrays,
ready to run again and again. Each is destroyed with the last reference to it.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from ctypes import byref, c_char_p, c_float, c_int, c_int64, c_void_p
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.cpu import after_fork
from brew.cpu.after_fork import Inherited
from brew.cpu.library import check as check
from brew.cpu.library import engine
from brew.cpu.library import library as library
from brew.cpu.library import version as version
from brew.cpu.library import why_not as why_not
from brew.layer import Array, Unsupported
from brew.layer.layout import PLAIN, Layout, Shape

from .scratch import Scratchpad, plain_attributes

# Where an argument of an operation goes (DNNL_ARG_*).
SRC, SRC_1, DST, WEIGHTS, BIAS, SCALE, SHIFT, MEAN, VARIANCE = 1, 2, 17, 33, 41, 51, 52, 49, 50
WORKSPACE, SCRATCHPAD, MULTIPLE_SRC, SCALE_OF = 64, 80, 1024, 4096  # SCALE_OF | SRC: what that is multiplied by
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS, DIFF_BIAS, DIFF_SCALE, DIFF_SHIFT = 129, 145, 161, 169, 255, 256

FORWARD_TRAINING, FORWARD_INFERENCE, BACKWARD, BACKWARD_DATA = 64, 96, 128, 160
CONVOLUTION_DIRECT, CONVOLUTION_WINOGRAD, CONVOLUTION_AUTO, DECONVOLUTION_DIRECT = 1, 2, 3, 10
RELU, ELU, LINEAR, RELU_FROM_TOP, TANH_FROM_TOP, ELU_FROM_TOP, LOGISTIC_FROM_TOP = 32, 34, 38, 256, 257, 258, 260
POOLING_MAX, POOLING_AVERAGE_WITH_PADDING, POOLING_AVERAGE = 511, 767, 1023
LRN_ACROSS_CHANNELS, LRN_WITHIN_CHANNEL, SOFTMAX = 2815, 3071, 196608
ADD, MULTIPLY, SUBTRACT = 131056, 131057, 131061
USE_GLOBAL_STATS, USE_SCALE, USE_SHIFT, FUSE_RELU = 1, 2, 4, 8

# dnnl_query_t
_IMPLEMENTATION, _WORKSPACE_MD, _SCRATCHPAD_MD = 8, 135, 136
_MD_QUERIES = {"src": 129, "diff_src": 130, "weights": 131, "diff_weights": 132, "dst": 133, "diff_dst": 134}

_TAGS = {  # dnnl_format_tag_t; fixed within major version 3
    "any": 1, "a": 2, "ab": 3, "abc": 4, "abcd": 5, "abcde": 6, "ba": 14, "acdb": 22, "aBcd16b": 78, "aBcd8b": 102,
    "bacd": 25, "acbde": 32,
}  # fmt: skip
_TYPES = {np.dtype(np.float32): 3, np.dtype(np.int32): 4, np.dtype(np.uint8): 6}
_MOST_AXES = 12
_LARGEST = (1 << 62) - 1  # of 64 bits, with room for sums
_Dims = c_int64 * _MOST_AXES


class _Arg(ctypes.Structure):
    _fields_ = (("arg", c_int), ("memory", c_void_p))


class Description:
    """How an array lies in memory: dims, type, and a tag for the order of its axes ("abcd", "aBcd16b", "any")."""

    def __init__(self, dims: Sequence[int], tag: str = "any", dtype: npt.DTypeLike = np.float32) -> None:
        if any(dim > _LARGEST for dim in dims):
            raise Unsupported(f"an axis of more than {_LARGEST}")
        handle = c_void_p()
        kind = _TYPES[np.dtype(dtype)]
        status = library().dnnl_memory_desc_create_with_tag(
            byref(handle), len(dims), _Dims(*dims), kind, _TAGS[tag]
        )  # fmt: skip
        check(f"description {tuple(dims)} {tag}", status)
        self._adopt(handle)

    def _adopt(self, handle: c_void_p) -> None:
        self.handle = handle
        weakref.finalize(self, library().dnnl_memory_desc_destroy, handle)

    @classmethod
    def copy_of(cls, handle: c_void_p) -> Description:
        """A description of its own from one that belongs to an operation."""
        copy = c_void_p()
        check("description", library().dnnl_memory_desc_clone(byref(copy), handle))
        result = cls.__new__(cls)
        result._adopt(copy)
        return result

    def part(self, dims: Sequence[int], offsets: Sequence[int]) -> Description:
        """The description of a box of these dims in the same memory, `offsets` from its first element."""
        handle = c_void_p()
        create = library().dnnl_memory_desc_create_submemory
        check("part", create(byref(handle), self.handle, _Dims(*dims), _Dims(*offsets)))
        result = Description.__new__(Description)
        result._adopt(handle)
        return result

    @property
    def bytes(self) -> int:
        return int(library().dnnl_memory_desc_get_size(self.handle))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Description) and bool(library().dnnl_memory_desc_equal(self.handle, other.handle))

    __hash__ = None  # type: ignore[assignment]


class BoundArray:
    """An array seen through a description. Keeps both alive."""

    def __init__(self, description: Description, array: Array) -> None:
        if array.nbytes < description.bytes or not array.flags.c_contiguous:
            raise ValueError(f"array of {array.nbytes} bytes for a description of {description.bytes}")
        self.array, self.description = array, description
        handle = c_void_p()
        pointer = c_void_p(array.ctypes.data)
        check("memory", library().dnnl_memory_create(byref(handle), description.handle, engine()[0], pointer))
        self.handle = handle
        weakref.finalize(self, library().dnnl_memory_destroy, handle)


class Call:
    """An operation bound to arrays. Calling it runs it."""

    def __init__(self, operation: Operation, memories: Mapping[int, BoundArray]) -> None:
        self._keep = (dict(memories), operation)
        self._scratch = operation.scratchpad()
        handles = {number: memory.handle for number, memory in memories.items()}
        if self._scratch is not None:
            handles[SCRATCHPAD] = self._scratch.handle
        self._args = (_Arg * len(handles))(*(_Arg(number, handle) for number, handle in handles.items()))
        self._run = library().dnnl_primitive_execute
        self._fixed = (operation.primitive, engine()[1], len(handles), self._args)

    def __call__(self) -> None:
        if self._scratch is not None:
            self._scratch.lend()
        thread = Inherited.thread  # None but in a child made by fork
        status = self._run(*self._fixed) if thread is None else after_fork.run(self._run, *self._fixed)
        if status:
            raise RuntimeError(f"oneDNN: execution failed with status {status}")


class Operation:
    """A primitive. `description("src")` and its like tell what oneDNN has chosen where "any" was asked.

    Making one is Unsupported where oneDNN has only its reference code for it, which may run thousands of times slower
    than its other code, and than NumPy.
    """

    def __init__(
        self, kind: str, *arguments: Any, hint: Operation | None = None, attributes: Any = None, hint_only: bool = False
    ) -> None:
        """`kind` is the name between dnnl_ and _primitive_desc_create; `arguments` stand between engine and hint.

        With `hint_only` it never runs, and may be reference code: it is a hint for other operations.
        """
        converted = [a.handle if isinstance(a, Description) else a for a in arguments]
        tail: list[Any] = [hint.description_handle] if hint is not None else []
        self.hint = hint
        self._create(kind, engine()[0], *converted, *tail, attributes or plain_attributes(), hint_only=hint_only)

    def _create(self, kind: str, *arguments: Any, hint_only: bool = False) -> None:
        """Make descriptor and primitive; `arguments` follow the descriptor's place in oneDNN's function."""
        create = getattr(library(), f"dnnl_{kind}_primitive_desc_create")
        description, primitive = c_void_p(), c_void_p()
        check(kind, create(byref(description), *arguments))
        self.description_handle = description
        weakref.finalize(self, library().dnnl_primitive_desc_destroy, description)
        if hint_only:
            return
        if "ref" in (name := self.implementation):  # "ref:any", and "conv:any+ref:any" of a deconvolution
            raise Unsupported(f"{kind}: only the reference code, {name}")
        check(kind, library().dnnl_primitive_create(byref(primitive), description))
        self.primitive = primitive
        weakref.finalize(self, library().dnnl_primitive_destroy, primitive)

    @classmethod
    def _of(cls, kind: str, *arguments: Any) -> Operation:
        """An operation whose arguments do not stand between engine and hint."""
        self = cls.__new__(cls)
        self.hint = None
        self._create(kind, *arguments)
        return self

    @classmethod
    def reorder(cls, source: Description, target: Description, attributes: Any = None) -> Operation:
        """Copies from one way of lying in memory to another."""
        here = engine()[0]
        return cls._of("reorder", source.handle, here, target.handle, here, attributes or plain_attributes())

    @classmethod
    def sum(cls, target: Description, scales: Sequence[float], sources: Sequence[Description]) -> Operation:
        """The sources times their scales, added up."""
        handles = (c_void_p * len(sources))(*(s.handle for s in sources))
        factors = (c_float * len(scales))(*scales)
        return cls._of("sum", engine()[0], target.handle, len(sources), factors, handles, plain_attributes())

    def description(self, which: str) -> Description:
        """ "src", "weights", "dst", "diff_src"...: how oneDNN wants it to lie."""
        query = library().dnnl_primitive_desc_query_md
        return Description.copy_of(c_void_p(query(self.description_handle, _MD_QUERIES[which], 0)))

    @property
    def workspace(self) -> Description | None:
        """The values that forward keeps for backward; None when it keeps none."""
        handle = library().dnnl_primitive_desc_query_md(self.description_handle, _WORKSPACE_MD, 0)
        description = Description.copy_of(c_void_p(handle)) if handle else None
        return description if description is not None and description.bytes else None

    def scratchpad(self) -> Scratchpad | None:
        """Scratch memory for one call; None where the operation needs none."""
        handle = library().dnnl_primitive_desc_query_md(self.description_handle, _SCRATCHPAD_MD, 0)
        description = c_void_p(handle)
        if not handle or not library().dnnl_memory_desc_get_size(description):
            return None
        return Scratchpad(description)

    @property
    def implementation(self) -> str:
        """oneDNN's name for the code it chose."""
        text = c_char_p()
        library().dnnl_primitive_desc_query(self.description_handle, _IMPLEMENTATION, 0, byref(text))
        return (text.value or b"").decode()

    def bind(self, arrays: Mapping[int, tuple[Description, Array]]) -> Call:
        """The operation on these arrays, by argument number."""
        memories = {number: BoundArray(description, array) for number, (description, array) in arrays.items()}
        return Call(self, memories)


def block() -> int:
    """How many channels lie together in this processor's layout: 16 with AVX-512, else 8."""
    return 16 if library().dnnl_get_effective_cpu_isa() & 0x20 else 8


def describe(shape: Shape, layout: Layout = PLAIN) -> Description:
    """The description of a blob of `shape` that lies as `layout` says."""
    if layout == PLAIN:
        return Description(shape, "abcde"[: len(shape)])
    tag = f"aBcd{layout.block}b"
    if tag in _TAGS:
        return Description(shape, tag)
    if layout.block != shape[1]:
        raise Unsupported(f"{shape[1]} channels in blocks of {layout.block}")
    return Description(shape, "acdb")


def copy(source: Array, from_layout: Layout, target: Array, to_layout: Layout, shape: Shape) -> Call:
    """A call that copies a blob of `shape` from one layout to another."""
    here, there = describe(shape, from_layout), describe(shape, to_layout)
    return Operation.reorder(here, there).bind({SRC: (here, source), DST: (there, target)})


def dims(*values: int) -> Any:
    """Strides, kernel sizes, paddings, as oneDNN takes them."""
    return _Dims(*values)
