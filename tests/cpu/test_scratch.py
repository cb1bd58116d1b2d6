"""Operations of oneDNN run on any thread, whichever has made them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import numpy as np
import pytest

from brew.cpu import onednn
from brew.cpu.onednn import (
    CONVOLUTION_DIRECT,
    DIFF_DST,
    DIFF_WEIGHTS,
    FORWARD_TRAINING,
    SRC,
    Call,
    Description,
    Operation,
)
from brew.cpu.onednn.scratch import _kept

pytestmark = pytest.mark.onednn

COLUMNS = 4 * 64 * 25 * 26 * 26  # bytes that one image needs, spread out for a product of matrices


def gradient(value: float = 1.0) -> tuple[Call, np.ndarray]:
    """The filters' gradient of a convolution whose code spreads its bottom out in scratch memory, and its result."""
    x, y, w = Description((4, 64, 30, 30), "abcd"), Description((4, 48, 26, 26), "abcd"), Description((48, 64, 5, 5))
    window = [onednn.dims(1, 1), onednn.dims(0, 0), onednn.dims(0, 0), onednn.dims(0, 0)]
    hint = Operation("convolution_forward", FORWARD_TRAINING, CONVOLUTION_DIRECT, x, w, None, y, *window)
    operation = Operation("convolution_backward_weights", CONVOLUTION_DIRECT, x, w, None, y, *window, hint=hint)
    own = operation.description("diff_weights")
    result = np.zeros(own.bytes // 4, np.float32)
    bottom, top = np.full(x.bytes // 4, value, np.float32), np.ones(y.bytes // 4, np.float32)
    return operation.bind({SRC: (x, bottom), DIFF_DST: (y, top), DIFF_WEIGHTS: (own, result)}), result


def on_a_thread(what: Callable[[], None]) -> None:
    thread = threading.Thread(target=what)
    thread.start()
    thread.join()


def test_an_operation_runs_on_another_thread_than_made_it() -> None:
    call, result = gradient()
    on_a_thread(call)
    assert (result == 4 * 26 * 26).all()


def test_one_made_on_a_thread_that_has_ended_runs_here() -> None:
    made: list[tuple[Call, np.ndarray]] = []
    on_a_thread(lambda: made.append(gradient()))
    call, result = made[0]
    call()
    assert (result == 4 * 26 * 26).all()


def test_threads_that_run_at_once_use_memory_of_their_own() -> None:
    calls = [gradient(value) for value in (1.0, 2.0, 3.0)]
    threads = [threading.Thread(target=lambda c=call: [c() for _ in range(20)]) for call, _ in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for value, (_, result) in enumerate(calls, 1):
        assert (result == value * 4 * 26 * 26).all()


def test_operations_share_the_memory_of_their_thread_and_it_goes_with_them() -> None:
    gc.collect()
    (one, _), (other, _) = gradient(), gradient()
    one()
    kept = _kept.stretch
    assert kept is not None
    stretch = kept()
    other()
    assert _kept.stretch is kept and stretch is not None and stretch.nbytes >= COLUMNS // 4
    del one, other, stretch
    gc.collect()
    assert kept() is None
