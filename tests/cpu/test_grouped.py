"""Direct convolutions in groups of any size in code of our own, against sums in float64."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from native_blobs import blocked, close, flat, plain, run

from brew.cpu import threads
from brew.cpu.native.blocked import Blocked
from brew.cpu.native.grouped import Multiplied, Summed
from brew.cpu.native.grouped_plan import Filters
from brew.cpu.native.winograd import Finish

pytestmark = pytest.mark.native

# images, group, inputs and outputs of a group, height, width, kernel, stride, pad, dilation
Case = tuple[int, int, int, int, int, int, tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
ONE, NO = (1, 1), (0, 0)
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


def drawn(seed: int) -> Case:
    draw = random.Random(seed)

    def pair(*numbers: int) -> tuple[int, int]:
        return draw.choice(numbers), draw.choice(numbers)

    group = draw.choice((1, 2, 3, 4, 5, 8))
    sizes = [draw.choice((1, 2, 3, 4, 7, 8, 16)) for _ in range(2)]
    kernel, dilation = pair(1, 2, 3, 4), pair(1, 1, 2)
    height, across = (draw.randint((k - 1) * d + 1, (k - 1) * d + 9) for k, d in zip(kernel, dilation, strict=True))
    return (draw.randint(1, 3), group, *sizes, height, across, kernel, pair(1, 2, 3), pair(0, 1, 2), dilation)


class Problem:
    """A convolution with random numbers, and its results in float64."""

    def __init__(self, case: Case) -> None:
        n, group, inputs, outputs, h, w, kernel, stride, pad, dilation = case
        out = [(size + 2 * p - d * (k - 1) - 1) // s + 1
               for size, k, s, p, d in zip((h, w), kernel, stride, pad, dilation, strict=True)]  # fmt: skip
        source, target = Blocked(n, group * inputs, h, w), Blocked(n, group * outputs, *out)
        self.of = Filters(source, target, group, kernel, stride, pad, dilation)
        values = np.random.default_rng(5)
        self.x = values.standard_normal((n, source.channels, h, w), np.float32)
        self.dy = values.standard_normal((n, target.channels, *out), np.float32)
        self.w = values.standard_normal((target.channels, inputs, *kernel), np.float32)
        self.b = values.standard_normal(target.channels, np.float32)
        padded = np.pad(self.x.astype(np.float64), [NO, NO, (pad[0],) * 2, (pad[1],) * 2])
        self.y, self.dw, back = np.zeros(self.dy.shape), np.zeros(self.w.shape), np.zeros(padded.shape)
        for i, j in product(*map(range, kernel)):
            places = [
                slice(k * d, k * d + s * (o - 1) + 1, s)
                for k, d, s, o in zip((i, j), dilation, stride, out, strict=True)
            ]
            for g in range(group):
                ins, outs = slice(g * inputs, (g + 1) * inputs), slice(g * outputs, (g + 1) * outputs)
                part = padded[:, ins, places[0], places[1]]
                self.y[:, outs] += np.einsum("nihw,oi->nohw", part, self.w[outs, :, i, j])
                self.dw[outs, :, i, j] = np.einsum("nihw,nohw->oi", part, self.dy[:, outs])
                back[:, ins, places[0], places[1]] += np.einsum(
                    "nohw,oi->nihw", self.dy[:, outs], self.w[outs, :, i, j]
                )
        self.dx = back[:, :, pad[0] : pad[0] + h, pad[1] : pad[1] + w]

    def multiplied(
        self, source: np.ndarray, target: np.ndarray, finish: Finish | None = None, *, turned: bool = False
    ) -> np.ndarray:
        way = Multiplied(self.of, threads.wanted(), turned=turned)
        packed, scratch, result = flat(way.filters), flat(way.scratch), blocked(np.zeros_like(target))
        result[...] = np.nan
        run(way.transform(self.w, packed))
        run(way.bind(blocked(source), result, packed, scratch, finish))
        return plain(result, target.shape[1])


@pytest.mark.parametrize("case", [*CASES, *(pytest.param(drawn(seed), id=f"drawn {seed}") for seed in range(40))])
def test_it_is_the_definition(case: Case) -> None:
    problem = Problem(case)
    close(problem.multiplied(problem.x, problem.y.astype(np.float32)), problem.y)
    close(problem.multiplied(problem.dy, problem.x, turned=True), problem.dx)
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
    found = problem.multiplied(problem.x, problem.y.astype(np.float32), Finish(problem.b, blocked(added), slope))
    close(found, wanted)


def test_large_targets_are_written_past_the_caches() -> None:
    problem = Problem((9, 4, 4, 4, 56, 56, (3, 3), ONE, ONE, ONE))
    close(problem.multiplied(problem.x, problem.y.astype(np.float32)), problem.y)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, found = Problem((5, 8, 4, 4, 11, 9, (3, 3), ONE, ONE, ONE)), []
    for number in (1, 2, 3):
        monkeypatch.setattr(threads._State, "chosen", number)
        monkeypatch.setattr(threads._State, "held", number)
        way, dw = Summed(problem.of, number), np.zeros_like(problem.w)
        run(way.bind(blocked(problem.x), blocked(problem.dy), dw, flat(way.scratch)))
        found.append((dw, problem.multiplied(problem.x, problem.y.astype(np.float32))))
    for dw, y in found[1:]:
        np.testing.assert_array_equal(dw, found[0][0])
        np.testing.assert_array_equal(y, found[0][1])
