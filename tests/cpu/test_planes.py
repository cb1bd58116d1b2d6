"""Convolutions on plain blobs in code of our own, against sums in float64."""

from __future__ import annotations

import numpy as np
import pytest
from native_blobs import close, flat, run
from native_convolutions import NO, ONE, Case, Problem, drawn

from brew.cpu import threads
from brew.cpu.native.planes import Multiplied, Summed
from brew.cpu.native.winograd import Finish

pytestmark = pytest.mark.native

CASES: list[Case] = [
    (1, 1, 1, 1, 1, 1, ONE, ONE, NO, ONE),
    (2, 32, 4, 4, 9, 14, (3, 3), ONE, ONE, ONE),  # ResNeXt
    (1, 2, 8, 8, 56, 56, (3, 3), ONE, ONE, ONE),
    (2, 3, 80, 20, 14, 14, ONE, ONE, NO, ONE),  # ShuffleNet
    (9, 3, 20, 80, 16, 12, ONE, ONE, NO, ONE),
    (2, 8, 13, 48, 3, 3, ONE, ONE, NO, ONE),
    (2, 3, 2, 3, 8, 9, (5, 5), ONE, (2, 2), ONE),
    (3, 40, 1, 1, 28, 28, (3, 3), ONE, (2, 2), (2, 2)),
    (2, 1, 17, 19, 6, 33, ONE, ONE, ONE, ONE),
    (1, 1, 40, 3, 70, 70, (3, 3), ONE, ONE, ONE),  # several bands
    (1, 2, 8, 8, 4, 200, (3, 1), ONE, (4, 0), ONE),
    (1, 2, 3, 5, 1, 1, (3, 3), ONE, (2, 2), ONE),
    (3, 5, 1, 1, 40, 70, (5, 5), ONE, (2, 2), ONE),
    (2, 3, 1, 1, 9, 40, (2, 9), ONE, (0, 4), ONE),
    (1, 3, 1, 1, 20, 20, (9, 8), ONE, (4, 4), ONE),  # too many taps to be written out
    (2, 4, 8, 8, 57, 56, (3, 3), (2, 2), ONE, ONE),
    (2, 7, 1, 1, 28, 28, (5, 5), (2, 2), (2, 2), ONE),
    (2, 7, 1, 1, 29, 71, (4, 3), (2, 2), (1, 5), (2, 2)),
    (2, 2, 3, 5, 9, 9, ONE, (2, 2), NO, ONE),
]  # fmt: skip


def of_our_strides(seed: int) -> Case:
    case = drawn(seed)
    return (*case[:7], ONE if seed % 2 else (2, 2), *case[8:])


def multiplied(
    of: Problem, source: np.ndarray, target: np.ndarray, finish: Finish | None = None, *, turned: bool = False
) -> np.ndarray:
    way, guard = Multiplied(of.of, threads.wanted(), turned=turned), 64
    packed, scratch, result = flat(way.filters), flat(way.scratch), flat(target.size + guard)
    run(way.transform(of.w, packed))
    run(way.bind(source, result, packed, scratch, finish))
    assert np.isnan(result[-guard:]).all(), "it writes behind its target"
    return result[:-guard].reshape(target.shape)


@pytest.mark.parametrize(
    "case", [*CASES, *(pytest.param(of_our_strides(seed), id=f"drawn {seed}") for seed in range(40))]
)
def test_it_is_the_definition(case: Case) -> None:
    problem = Problem(case)
    close(multiplied(problem, problem.x, problem.y), problem.y)
    if problem.of.stride == ONE:
        close(multiplied(problem, problem.dy, problem.x, turned=True), problem.dx)
    way = Summed(problem.of, threads.wanted())
    dw, db = np.ones_like(problem.w), np.ones_like(problem.b)
    run(way.bind(problem.x, problem.dy, dw, flat(way.scratch), db))
    close(dw - 1, problem.dw, 3e-5)
    close(db - 1, problem.dy.astype(np.float64).sum(axis=(0, 2, 3)), 3e-5)


@pytest.mark.parametrize("slope", [1, 0, 0.25])
def test_how_it_ends(slope: float) -> None:
    problem = Problem(CASES[1])
    added = np.random.default_rng(6).standard_normal(problem.y.shape, np.float32)
    wanted = problem.y + problem.b[:, np.newaxis, np.newaxis] + added
    wanted = np.where(wanted > 0, wanted, wanted * slope)
    close(multiplied(problem, problem.x, problem.y, Finish(problem.b, added, slope)), wanted)


def test_filters_that_change_count_at_the_next_run() -> None:
    problem = Problem(CASES[4])
    way = Multiplied(problem.of, threads.wanted(), turned=True)
    packed, result = flat(way.filters), flat(problem.x.size)
    calls = way.transform(problem.w, packed) + way.bind(problem.dy, result, packed, flat(way.scratch))
    run(calls)
    problem.w *= 2
    run(calls)
    close(result.reshape(problem.dx.shape), 2 * problem.dx)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, found = Problem((5, 8, 4, 4, 11, 9, (3, 3), ONE, ONE, ONE)), []
    for number in (1, 2, 3):
        monkeypatch.setattr(threads._State, "chosen", number)
        monkeypatch.setattr(threads._State, "held", number)
        way, dw = Summed(problem.of, number), np.zeros_like(problem.w)
        run(way.bind(problem.x, problem.dy, dw, flat(way.scratch)))
        found.append((dw, multiplied(problem, problem.x, problem.y)))
    for dw, y in found[1:]:
        np.testing.assert_array_equal(dw, found[0][0])
        np.testing.assert_array_equal(y, found[0][1])
