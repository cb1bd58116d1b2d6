"""The equipment that runs kernels on the host (tests/cuda_host) computes right and catches what it says it catches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cuda_host import KernelError, RewriteError, fake_cupy, kernel

Launch = Callable[..., None]


@pytest.fixture
def launch() -> Launch:
    """launch(body, parameters, *args, blocks=, threads=): run a kernel of that body, in float."""

    def run(
        body: str, parameters: str, *args: Any, blocks: int = 1, threads: int = 64, seed: int = 1, before: str = ""
    ) -> None:
        code = f"{before} template <typename T> __global__ void k({parameters}) {{ {body} }}"
        module = fake_cupy.RawModule(code=code, options=(), name_expressions=["k<float>"])
        with kernel.schedule(seed):
            module.get_function("k<float>")((blocks,), (threads,), args)

    return run


def floats(*values: float) -> Any:
    return fake_cupy.asarray(np.array(values, np.float32))


ID = "int i = blockIdx.x * blockDim.x + threadIdx.x; "


# --- numbers ----------------------------------------------------------------------------------------------------


def test_elements_keep_their_type(launch: Launch) -> None:
    x, y = floats(1, 2, 3), floats(0, 0, 0)
    launch(ID + "y[i] = true ? x[i] / 4 : 0; y[i] += 1; y[i] *= x[i]; --y[i];", "const T* x, T* y", x, y, threads=3)
    assert y.get().tolist() == [0.25, 2.0, 4.25]


def test_pointers_move_cast_and_pass_to_functions(launch: Launch) -> None:
    x, y = floats(1, 2, 4, 8), floats(0, 0)
    launch(
        "const T* p = x + 1; ++p; T* out = &y[1]; *out = pair(p) + (p - x); out[-1] = __ldg(&x[3]);",
        "const T* __restrict__ x, T* y",
        x,
        y,
        threads=1,
        before="template <typename U> __device__ U pair(const U* p) { return p[0] + p[1]; }",
    )
    assert y.get().tolist() == [8.0, 14.0]


def test_null_pointers_can_be_asked_for_and_not_followed(launch: Launch) -> None:
    y = floats(0)
    launch("y[0] = bias ? bias[0] : T(7);", "const T* bias, T* y", None, y, threads=1)
    assert y.get()[0] == 7
    with pytest.raises(KernelError, match="null pointer"):
        launch("y[0] = bias[0];", "const T* bias, T* y", None, y, threads=1)


# Sums by lanes 0 to 31 of 1 to 32, and what each lane sees.
@pytest.mark.parametrize(
    ("step", "lane0", "lane5"),
    [
        ("for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);", 528, None),
        ("for (int d = 16; d; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);", 528, 528),
        ("v = __shfl_up_sync(0xffffffff, v, 2);", 1, 4),
        ("v = __shfl_sync(0xffffffff, v, 3, 8);", 4, 4),
        ("v = __popc(__ballot_sync(0xffffffff, v > 20));", 12, 12),
        ("v = __any_sync(0xffffffff, v == 9) + 2 * __all_sync(0xffffffff, v > 1);", 1, 1),
    ],
)
def test_warps_exchange_by_lane(launch: Launch, step: str, lane0: float, lane5: float | None) -> None:
    y = fake_cupy.empty(64, np.float32)
    launch(f"T v = threadIdx.x % 32 + 1; {step} y[threadIdx.x] = v;", "T* y", y)
    both = y.get().reshape(2, 32)
    assert both[:, 0].tolist() == [lane0] * 2
    if lane5 is not None:
        assert both[:, 5].tolist() == [lane5] * 2


# --- bounds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y[i] = x[i + 1];", r"k<float>: x\[4\] is read by thread 3 of block 0; it has 4 elements"),
        ("y[i] = x[i - 1];", r"x\[-1\] is read by thread 0"),
        ("y[i + 1] = x[i];", r"y\[4\] is written by thread 3"),
        ("atomicAdd(y + 4, x[i]);", r"y\[4\] is written"),
        ("__shared__ T s[2][8]; s[i / 2][i % 2 + 7] = 0;", r"s\[8\] is written"),
        ("int at[3] = {0, 1, 2}; y[i] = at[i];", r"at\[3\] is read by thread 3"),
    ],
)
def test_an_index_out_of_bounds_ends_the_launch(launch: Launch, body: str, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        launch(ID + body, "const T* x, T* y", floats(1, 2, 3, 4), floats(0, 0, 0, 0), threads=4)


def test_a_view_has_its_own_bounds(launch: Launch) -> None:
    whole = floats(1, 2, 3, 4)
    launch(ID + "y[i] = 9;", "T* y", whole[1:3], threads=2)
    assert whole.get().tolist() == [1, 9, 9, 4]
    with pytest.raises(KernelError, match=r"y\[2\] is written"):
        launch(ID + "y[i] = 9;", "T* y", whole[1:3], threads=3)


# --- races ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        ("y[0] = 1;", 1),
        ("if (threadIdx.x == 0) y[0] = blockIdx.x;", 2),
        ("y[0] += x[i];", 1),
        ("y[i] = x[i]; y[63] = y[i / 2];", 1),
        ("y[i] = y[63 - i];", 1),
        ("atomicAdd(&y[0], x[i]); if (i == 9) x[i] = y[0];", 1),
        ("T v = y[0]; if (i == 40) y[0] = v;", 1),
        ("T v = y[0]; if (i == 100) y[0] = v;", 2),
        ("__shared__ T s[64]; s[i] = x[i]; y[i] = s[(i + 1) % 64];", 1),
        ("__shared__ T s[64]; s[i] = x[i]; __syncwarp(); y[i] = s[63 - i];", 1),
        ("__shared__ T total; if (i == 0) total = 0; atomicAdd(&total, x[i]);", 1),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_race_ends_the_launch(launch: Launch, body: str, blocks: int, seed: int) -> None:
    x, y = fake_cupy.zeros(128, np.float32), fake_cupy.zeros(128, np.float32)
    with pytest.raises(KernelError, match=r"data race on|before anything was written to it"):
        launch(ID + body, "T* x, T* y", x, y, blocks=blocks, seed=seed)


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        ("y[i] += x[i]; y[i] += x[0];", 2),
        ("atomicAdd(&y[0], x[i]);", 2),
        ("__shared__ T s[64]; s[i] = x[i]; __syncthreads(); y[i] = s[63 - i];", 1),
        ("__shared__ T s[64]; s[i] = x[i]; __syncwarp(); y[i] = s[i ^ 31];", 1),
        ("__shared__ T total; if (i == 0) total = 0; __syncthreads(); atomicAdd(&total, x[i]); "
         "__syncthreads(); y[i] = total;", 1),
        ("y[i] = x[i]; __syncthreads(); if (i == 0) for (int k = 0; k < 64; ++k) y[k] += y[63 - k];", 1),
    ],
)  # fmt: skip
def test_what_is_ordered_is_no_race(launch: Launch, body: str, blocks: int) -> None:
    x, y = fake_cupy.zeros(128, np.float32), fake_cupy.zeros(128, np.float32)
    for seed in range(3):  # again and again on the same memory: launches are ordered
        launch(ID + body, "const T* x, T* y", x, y, blocks=blocks, seed=seed)


def test_views_of_the_same_memory_race(launch: Launch) -> None:
    whole = fake_cupy.zeros(65, np.float32)
    with pytest.raises(KernelError, match="data race on"):
        launch(ID + "y[i] = x[i];", "const T* x, T* y", whole[:64], whole[1:])


def test_races_are_seen_when_the_stamps_start_again(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    y = fake_cupy.zeros(64, np.float32)
    for stamp in ((1 << 31) - 10, (1 << 31) + 10):
        monkeypatch.setattr(kernel._Schedule, "stamp", stamp)
        launch(ID + "y[i] = i;", "T* y", y)
        with pytest.raises(KernelError, match="data race on"):
            launch(ID + "y[i / 2] = i;", "T* y", y)


# --- shared memory, barriers, warps -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("__shared__ T s[64]; if (i) s[i] = 1; __syncthreads(); y[i] = s[i];", r"shared s\[0\] is read .* before"),
        ("__shared__ T s[13000]; s[i] = 1;", "52000 bytes of shared memory"),
        ("if (i == 7) return; __syncthreads();", "divergent __syncthreads .* thread 7 has returned"),
        ("if (i < 32) { __syncthreads(); } else {\n __syncthreads(); }", "divergent threads in block 0"),
        ("if (i < 40) y[i] = __shfl_down_sync(0xffffffff, y[i], 1);", "shuffles from lane"),
        ("y[i] = __shfl_sync(0xffff, y[i], 0);", "not in its own mask"),
        ("if (i % 2) { __syncwarp(); } else {\n __syncwarp(); }", "divergent threads .* __syncwarp at line 2.* line 1"),
    ],
)
def test_threads_that_do_not_meet_end_the_launch(launch: Launch, body: str, message: str) -> None:
    y = fake_cupy.zeros(64, np.float32)
    with pytest.raises(KernelError, match=message):
        launch(ID + body, "T* y", y)


def test_shared_memory_is_new_for_every_block(launch: Launch) -> None:
    body = "__shared__ T s[1]; if (blockIdx.x == 1) s[0] = 1; if (blockIdx.x != 1) y[0] = s[0];"
    with pytest.raises(KernelError, match="before anything was written"):
        launch(body, "T* y", floats(0), blocks=2, threads=1)


def test_after_an_error_the_next_launch_is_clean(launch: Launch) -> None:
    y = fake_cupy.zeros(64, np.float32)
    body = ID + "__shared__ T s[64]; s[i] = i; __syncthreads(); y[i + off] = s[63 - i];"
    for off in (1, 0):
        if off:
            with pytest.raises(KernelError, match="written"):
                launch(body, "T* y, int off", y, np.int32(off))
        else:
            launch(body, "T* y, int off", y, np.int32(off))
    assert y.get().tolist() == list(range(63, -1, -1))


def test_the_seed_decides_the_order(launch: Launch) -> None:
    def order(seed: int) -> list[float]:
        y, ticket = fake_cupy.zeros(256, np.float32), fake_cupy.zeros(1, np.int32)
        body = ID + "__syncthreads(); y[i] = atomicAdd(&ticket[0], 1);"
        launch(body, "T* y, int* ticket", y, ticket, blocks=4, seed=seed)
        return list(y.get())

    assert sorted(order(1)) == list(range(256))
    assert order(1) == order(1) != order(2)


# --- arguments and forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "takes 2 arguments, not 0"),
        ((floats(1), 3), r"argument n must be a int64 scalar, not 3"),
        ((floats(1), np.int32(3)), r"argument n must be a int64 scalar, not int32 of int32"),
        ((fake_cupy.zeros(1, np.float64), np.int64(3)), r"argument y must be a float32 device array"),
        ((np.zeros(1, np.float32), np.int64(3)), r"argument y must be a float32 device array, not ndarray"),
        ((fake_cupy.zeros((4, 4), np.float32)[:, 1:], np.int64(3)), "argument y is not contiguous"),
    ],
)
def test_arguments_must_fit_exactly(launch: Launch, args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(KernelError, match=message):
        launch("", "T* y, long long n", *args)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("extern __shared__ float s[];", RewriteError, "dynamic shared memory"),
        ("const T** p = 0;", RewriteError, "pointer to a pointer"),
        ("x[0] = 1;", RuntimeError, "host compiler refuses"),  # x is const
        ("long long v = 0;\natomicAdd(&v, 1ll);", RuntimeError, "kernels.cu:2"),
    ],
)
def test_forms_that_are_not_understood_are_refused(
    launch: Launch, body: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        launch(body, "const T* x", floats(1))
