"""The matrices of Winograd's convolutions, and code that applies them.

F(m, r) computes m neighbouring outputs of a filter of r taps from m + r - 1 inputs d with as many multiplications:
y = At [(G g) * (Bt d)], and in two dimensions y = At [(G g Gt) * (Bt d B)] A. The gradient of the filter is
Gt [(Bt d B) * (A dy At)] G. Matrices follow from the points at which polynomials are evaluated and multiplied: with
five and infinity m + r - 1 is 6, which makes F(4, 3) and F(2, 5); with seven it is 8, and F(4, 5).

The usual points 0, 1, -1, 2, -2 lose four times as much to rounding as those below, which keep the powers of points
and the distances between them near 1: they came out best of all multiples of 1/8 up to 2. Measured against float64,
errors are then about four times those of the direct way.

Source: Winograd, Arithmetic Complexity of Computations, 1980; Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, 2015; the derivation from points as Blahut, Fast Algorithms for Signal Processing, 2010, has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from brew.cpu.llvm.values import Vector
from brew.cpu.llvm.writer import Writer

Matrix: TypeAlias = tuple[tuple[Fraction, ...], ...]


def _symmetric(*eighths: int) -> tuple[Fraction, ...]:
    return (Fraction(0), *(Fraction(sign * p, 8) for p in eighths for sign in (1, -1)))


_POINTS = {6: _symmetric(6, 12), 8: _symmetric(4, 8, 14)}  # by the side of a tile; and infinity


def transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


@dataclass(frozen=True)
class Scheme:
    """F(m, r) for filters of `taps` on tiles of `side` rows and columns."""

    taps: int
    side: int

    @property
    def name(self) -> str:
        """Names its code."""
        return f"{self.outputs} {self.taps}"

    @property
    def outputs(self) -> int:
        """The m of F(m, r), and how far tiles are apart."""
        return self.side + 1 - self.taps

    @property
    def elements(self) -> int:
        """Of a tile."""
        return self.side * self.side

    @cached_property
    def a(self) -> Matrix:
        """side x m: a polynomial of m coefficients at the points."""
        last = self.outputs - 1
        infinity = tuple(Fraction(k == last) for k in range(last + 1))
        return (*(tuple(p**k for k in range(last + 1)) for p in _POINTS[self.side]), infinity)

    @cached_property
    def g(self) -> Matrix:
        """side x r: the filter at the points, over the products of their distances."""
        rows = []
        for p in _POINTS[self.side]:
            distance = Fraction(1)
            for other in _POINTS[self.side]:
                distance *= p - other if other != p else 1
            rows.append(tuple(p**k / distance for k in range(self.taps)))
        return (*rows, tuple(Fraction(k == self.taps - 1) for k in range(self.taps)))

    @cached_property
    def bt(self) -> Matrix:
        """side x side: the coefficients of the product of (x - point) over all points but the row's own."""
        points = _POINTS[self.side]
        return tuple(self._product(p for p in points if p != own) for own in (*points, None))

    def _product(self, roots: Iterable[Fraction]) -> tuple[Fraction, ...]:
        result = [Fraction(1)]
        for root in roots:
            pairs = zip([Fraction(0), *result], [*result, Fraction(0)], strict=True)
            result = [high - root * low for high, low in pairs]
        return (*result, *[Fraction(0)] * (self.side - len(result)))


SCHEMES = {3: (Scheme(3, 6),), 5: (Scheme(5, 6), Scheme(5, 8))}  # by taps


# --- code -----------------------------------------------------------------------------------------------------------


def apply(writer: Writer, matrix: Matrix, values: Sequence[Vector]) -> list[Vector]:
    """matrix times values. What rows of opposite points have in common is computed once."""
    pairs = _opposite(transposed(matrix))
    if pairs:  # of columns: their values are added and subtracted first
        values = list(values)
        columns = [list(column) for column in transposed(matrix)]
        for one, other in pairs:
            values[one], values[other] = values[one] + values[other], values[one] - values[other]
            columns[one], columns[other] = (
                [c if i % 2 == odd else Fraction(0) for i, c in enumerate(columns[one])] for odd in (0, 1)
            )
        return [_combined(writer, row, values) for row in zip(*columns, strict=True)]
    results: dict[int, Vector] = {}
    for one, other in _opposite(matrix):
        parts = ([c if k % 2 == odd else Fraction(0) for k, c in enumerate(matrix[one])] for odd in (0, 1))
        even, odd = (_combined(writer, part, values) for part in parts)
        results[one], results[other] = even + odd, even - odd
    for i, row in enumerate(matrix):
        if i not in results:
            results[i] = _combined(writer, row, values)
    return [results[i] for i in range(len(matrix))]


def _opposite(matrix: Matrix) -> list[tuple[int, int]]:
    """Pairs of rows that differ in the sign of every second element only."""
    found = []
    for one, row in enumerate(matrix):
        flipped = tuple(-c if k % 2 else c for k, c in enumerate(row))
        found += [(one, other) for other in range(one + 1, len(matrix)) if matrix[other] == flipped != row]
    return found


def _combined(writer: Writer, factors: Sequence[Fraction], values: Sequence[Vector]) -> Vector:
    """The sum of factor * value."""
    terms = sorted(((f, v) for f, v in zip(factors, values, strict=True) if f), key=lambda term: term[0] != 1)
    if not terms:
        return writer.splat(0.0)
    (factor, value), *rest = terms
    total = value if factor == 1 else value * float(factor)
    for factor, value in rest:
        if abs(factor) == 1:
            total = total + value if factor == 1 else total - value
        else:
            total = value.times_plus(float(factor), total)
    return total


def apply_twice(writer: Writer, matrix: Matrix, tile: Sequence[Sequence[Vector]]) -> list[list[Vector]]:
    """matrix times tile times the matrix, transposed."""
    columns = [apply(writer, matrix, column) for column in zip(*tile, strict=True)]
    return [apply(writer, matrix, row) for row in zip(*columns, strict=True)]
