"""Kernels count elements in 64 bits: by their parameter lists, and by the places they reach for.

A blob beyond 2^31 elements need not exist for that: a kernel told of one, and given a few elements, is stopped by the
host-run equipment at its first access, which names the place it computed. In 32 bits it would be another.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable

import numpy as np
import pytest
from cuda_host import KernelError, host_cuda
from google.protobuf import text_format

import brew
import brew.solvers
from brew import cuda
from brew.cuda import Kernel, Kernels
from brew.errors import NetError
from brew.layer import Context, Layer
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter
from brew.testing import run_layer

# Parameters that are not 64 bits wide: the size of one axis, of a window along one axis, or a choice.
AXES = {"channels", "height", "width", "images", "out_height", "out_width"}
WINDOWS = {"kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w", "half"}
CHOICES = {"axes", "clip", "decoupled", "fresh", "k", "kind", "l1", "top_k", "with_decay", "with_mask", "within"}
# Arrays of int: places in a plane, which Pooling keeps below 2^31; which bottom; right or wrong.
ARRAYS = {"place", "winner", "right"}

SIDE = 1 << 16  # of a plane with 2^32 elements
X = np.arange(16.0).reshape(1, 1, 4, 4)


def kernels() -> list[Kernel]:
    brew.layer_type_list()
    for module in pkgutil.iter_modules(brew.solvers.__path__):
        importlib.import_module(f"brew.solvers.{module.name}")
    ours = [module for name, module in sys.modules.items() if name.startswith("brew.")]
    texts = {id(v): v for module in ours for v in vars(module).values() if isinstance(v, Kernels)}
    return [kernel for text in texts.values() for kernel in text.kernels.values()]


def test_only_sizes_of_single_axes_and_choices_have_32_bits() -> None:
    found = kernels()
    assert len(found) > 80
    for kernel in found:
        first = kernel.parameters[0]
        assert (first.name, first.type, first.pointer) == ("n", "long long", False), kernel.name
        for parameter in kernel.parameters:
            if parameter.type == "int":
                allowed = ARRAYS if parameter.pointer else AXES | WINDOWS | CHOICES
                assert parameter.name in allowed, f"{kernel.name}: {parameter.name} is an int"


def module(name: str) -> Kernels:
    return importlib.import_module(f"brew.{name}")._kernels


def few(dtype: str = "float32") -> cuda.Array:
    return cuda.zeros(4, dtype)


def crop(kernel: Kernels) -> None:
    spans = cuda.asarray(np.array([[2, 2, 0], [SIDE, 1, 40000], [SIDE, 1, 5]], np.int64))
    kernel.crop_forward(2, few(), few(), spans, 3)


def im2col(kernel: Kernels) -> None:
    plan = cuda.asarray(np.array([[SIDE, 1, SIDE, 0, 1, 1]] * 2, np.int64))
    kernel.im2col(2, few(), few(), plan, 2, 1, 2, 1, 1, SIDE * SIDE, 2, 1)


def lrn(kernel: Kernels) -> None:
    kernel.lrn_forward(1, few(), few(), few(), 2, SIDE, SIDE, 1, 0, 1.0, 1.0, 0.75)


def average_pool(kernel: Kernels) -> None:
    kernel.average_pool_forward(2, few(), few(), SIDE, SIDE, 1, 1, 1, 1, 1, 1, 0, 0)


def max_pool(kernel: Kernels) -> None:
    kernel.max_pool_forward(2, few(), few(), few("int32"), few(), SIDE, SIDE, 1, 1, 1, 1, 1, 1, 0, 0, 0)


def max_pool_backward(kernel: Kernels) -> None:
    kernel.max_pool_backward(2, few(), few("int32"), few(), 1, 1, SIDE, SIDE, 1, 1, 1, 1, 0, 0)


def stochastic_pool(kernel: Kernels) -> None:
    kernel.stochastic_pool_mean(2, few(), few(), SIDE, SIDE, 1, 1, 1, 1, 1, 1)


def lstm(kernel: Kernels) -> None:
    kernel.lstm_forward(1, *(few() for _ in range(8)), SIDE * SIDE, 0)


@pytest.mark.parametrize(
    ("name", "launch", "place"),
    [
        ("layers.crop", crop, 40000 * SIDE + 5),
        ("layers.lrn", lrn, SIDE * SIDE),
        ("ops.windows.average_pool", average_pool, SIDE * SIDE),
        ("ops.windows.correlation_cuda", lambda k: k.swap_first(2, few(), few(), 2, SIDE * SIDE, 1), SIDE * SIDE),
        ("ops.windows.im2col", im2col, SIDE * SIDE),
        ("ops.lstm", lstm, SIDE * SIDE),
        ("ops.windows.max_pool", max_pool, SIDE * SIDE),
        ("ops.windows.max_pool", max_pool_backward, SIDE * SIDE),
        ("ops.rows", lambda k: k.rows_copy(2, few(), few(), 1, SIDE * SIDE, 0, 1, 0), SIDE * SIDE),
        ("ops.windows.stochastic_pool", stochastic_pool, SIDE * SIDE),
        ("ops.take", lambda k: k.take_rows(2, few(), cuda.asarray(np.ones(4, np.int64)), few(), SIDE * SIDE, 0.0),
         SIDE * SIDE),
    ],
)  # fmt: skip
def test_a_place_beyond_32_bits_is_reached_for(name: str, launch: Callable[[Kernels], None], place: int) -> None:
    with host_cuda(), pytest.raises(KernelError, match=rf"\[{place}\]"):
        launch(module(name))


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ("kernel_size: 2 stride: 4000000000", (4, 4)),
        ("kernel_size: 3000000000 stride: 3000000000", (4, 4)),
        ("kernel_size: 2", (SIDE, SIDE)),
        ("global_pooling: true", (SIDE, SIDE)),
    ],
)
def test_pooling_refuses_what_it_cannot_count_in_32_bits(fields: str, size: tuple[int, int]) -> None:
    pooling = layer("Pooling", f"pooling_param {{ {fields} }}")
    with pytest.raises(NetError, match=r"\(Pooling\): .* counted in 32 bits"):
        pooling.infer_shapes([(1, 1, *size)])


def test_spp_refuses_what_it_cannot_count_in_32_bits() -> None:
    with pytest.raises(NetError, match=r"\(SPP\): .* counted in 32 bits"):
        layer("SPP", "spp_param { pyramid_height: 1 }").infer_shapes([(1, 1, SIDE, SIDE)])


def test_windows_of_any_size_reach_the_columns(device: str) -> None:
    fields = "kernel_size: 2 stride: 4000000000 dilation: 3"
    text = f'type: "Im2col" convolution_param {{ {fields} }}'
    run = run_layer(text, [X], top_diffs=[np.ones((1, 4, 1, 1))], device=device)
    assert run.tops[0].shape == (1, 4, 1, 1)
    np.testing.assert_array_equal(run.tops[0].ravel(), X[0, 0, ::3, ::3].ravel())


def layer(name: str, fields: str) -> Layer:
    cls = layer_class(name)
    assert cls is not None
    return cls(text_format.Parse(f'name: "l" type: "{name}" {fields}', LayerParameter()), Context())
