"""Direct convolutions in groups of any size in code of our own, against sums in float64."""

from __future__ import annotations

import numpy as np
import pytest
from native_blobs import blocked, close, flat, plain, run
from native_convolutions import NO, ONE, Case, Problem, drawn

from brew.cpu import threads
from brew.cpu.native.grouped import Multiplied, Summed
from brew.cpu.native.winograd import Finish

pytestmark = pytest.mark.native

CASES: list[Case] = [
    (1, 1, 1, 1, 1, 1, ONE, ONE, NO, ONE),
    (2, 32, 4, 4, 9, 14, (3, 3), ONE, ONE, ONE),  # ResNeXt
    (2, 4, 16, 12, 7, 7, (3, 3), ONE, ONE, ONE),
    (2, 3, 20, 80, 5, 6, ONE, ONE, NO, ONE),  # ShuffleNet
    (2, 8, 12, 48, 7, 7, ONE, ONE, NO, ONE),
    (2, 2, 24, 32, 13, 13, (5, 5), ONE, (2, 2), ONE),  # AlexNet
    (2, 3, 2, 3, 8, 9, (5, 5), ONE, (2, 2), ONE),
    (3, 40, 1, 1, 12, 13, (5, 5), ONE, (2, 2), ONE),
    (2, 33, 1, 1, 12, 13, (3, 3), (2, 2), (1, 1), (2, 2)),
    (2, 21, 1, 1, 12, 12, (4, 4), (2, 2), (1, 1), ONE),  # enlarging by two, the other way round
    (1, 2, 1, 1, 64, 64, (16, 16), (8, 8), (4, 4), ONE),
    (2, 1, 64, 64, 6, 7, ONE, ONE, ONE, ONE),
    (2, 1, 13, 32, 11, 10, (3, 3), (2, 2), ONE, ONE),
    (1, 1, 3, 64, 23, 24, (7, 7), (2, 2), (3, 3), ONE),
    (2, 5, 3, 2, 7, 8, (2, 3), (3, 1), (0, 2), (1, 2)),
    (2, 2, 3, 4, 9, 9, ONE, (2, 2), NO, ONE),  # places that no tap meets
    (1, 2, 8, 8, 4, 200, (3, 1), ONE, (4, 0), ONE),
    (1, 1, 17, 17, 1, 1, (3, 3), (2, 2), ONE, ONE),  # a stride longer than the blob leaves taps out
    (2, 17, 1, 1, 1, 1, (3, 3), (2, 2), ONE, ONE),
    (2, 3, 5, 6, 2, 1, (5, 4), (4, 3), (2, 2), ONE),
    (1, 2, 9, 10, 1, 7, (3, 3), (3, 2), ONE, ONE),
]  # fmt: skip


def multiplied(
    of: Problem, source: np.ndarray, target: np.ndarray, finish: Finish | None = None, *, turned: bool = False
) -> np.ndarray:
    way = Multiplied(of.of, threads.wanted(), turned=turned)
    packed, scratch, result = flat(way.filters), flat(way.scratch), blocked(np.zeros_like(target))
    result[...] = np.nan
    run(way.transform(of.w, packed))
    run(way.bind(blocked(source), result, packed, scratch, finish))
    return plain(result, target.shape[1])


@pytest.mark.parametrize("case", [*CASES, *(pytest.param(drawn(seed), id=f"drawn {seed}") for seed in range(40))])
def test_it_is_the_definition(case: Case) -> None:
    problem = Problem(case)
    close(multiplied(problem, problem.x, problem.y.astype(np.float32)), problem.y)
    close(multiplied(problem, problem.dy, problem.x, turned=True), problem.dx)
    way = Summed(problem.of, threads.wanted())
    found = np.ones_like(problem.w)
    run(way.bind(blocked(problem.x), blocked(problem.dy), found, flat(way.scratch)))
    close(found - 1, problem.dw, 3e-5)


@pytest.mark.parametrize("slope", [1, 0, 0.25])
def test_how_it_ends(slope: float) -> None:
    problem = Problem(CASES[2])
    added = np.random.default_rng(6).standard_normal(problem.y.shape, np.float32)
    wanted = problem.y + problem.b[:, np.newaxis, np.newaxis] + added
    wanted = np.where(wanted > 0, wanted, wanted * slope)
    found = multiplied(problem, problem.x, problem.y.astype(np.float32), Finish(problem.b, blocked(added), slope))
    close(found, wanted)


def test_large_targets_are_written_past_the_caches() -> None:
    problem = Problem((9, 4, 4, 4, 56, 56, (3, 3), ONE, ONE, ONE))
    close(multiplied(problem, problem.x, problem.y.astype(np.float32)), problem.y)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, found = Problem((5, 8, 4, 4, 11, 9, (3, 3), ONE, ONE, ONE)), []
    for number in (1, 2, 3):
        monkeypatch.setattr(threads._State, "chosen", number)
        monkeypatch.setattr(threads._State, "held", number)
        way, dw = Summed(problem.of, number), np.zeros_like(problem.w)
        run(way.bind(blocked(problem.x), blocked(problem.dy), dw, flat(way.scratch)))
        found.append((dw, multiplied(problem, problem.x, problem.y.astype(np.float32))))
    for dw, y in found[1:]:
        np.testing.assert_array_equal(dw, found[0][0])
        np.testing.assert_array_equal(y, found[0][1])
