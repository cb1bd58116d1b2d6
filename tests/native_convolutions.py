"""Convolutions with random numbers for the tests of brew.cpu.native, and their results in float64."""

from __future__ import annotations

import random
from itertools import product

import numpy as np

from brew.cpu.native.blocked import Blocked
from brew.cpu.native.grouped_plan import Filters

# images, group, inputs and outputs of a group, height, width, kernel, stride, pad, dilation
Case = tuple[int, int, int, int, int, int, tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
ONE, NO = (1, 1), (0, 0)


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
