"""One blob that holds several side by side along an axis: Concat joins, Slice parts; each is the other's backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array

_kernels = Kernels(r"""
template <typename T>
__global__ void rows_copy(long long n, const T* source, T* target, long long width, long long source_pitch,
                          long long source_start, long long target_pitch, long long target_start) {
  FOR_EACH(i, n) {
    long long row = i / width, column = i % width;
    target[row * target_pitch + target_start + column] = source[row * source_pitch + source_start + column];
  }
}
""")


def join(pieces: Sequence[Array], whole: Array, axis: int) -> None:
    """whole = the pieces one behind the other along `axis`; host arrays."""
    np.concatenate(pieces, axis, out=whole)


def part(whole: Array, pieces: Sequence[Array | None], widths: Sequence[int], axis: int) -> None:
    """Each piece = its part of `whole`, `widths[i]` long along `axis`; host arrays, those that are None skipped."""
    before = (slice(None),) * axis
    start = 0
    for piece, width in zip(pieces, widths, strict=True):
        if piece is not None:
            np.copyto(piece, whole[(*before, slice(start, start + width))])
        start += width


def join_cuda(pieces: Sequence[Array], whole: Array, axis: int) -> None:
    """`join` of device arrays."""
    for piece, run, pitch, start in _runs(pieces, [p.shape[axis] for p in pieces], whole, axis):
        _kernels.rows_copy(piece.size, piece, whole, run, run, 0, pitch, start)


def part_cuda(whole: Array, pieces: Sequence[Array | None], widths: Sequence[int], axis: int) -> None:
    """`part` of device arrays."""
    for piece, run, pitch, start in _runs(pieces, widths, whole, axis):
        _kernels.rows_copy(piece.size, whole, piece, run, pitch, start, run, 0)


def _runs(
    pieces: Sequence[Array | None], widths: Sequence[int], whole: Array, axis: int
) -> Iterator[tuple[Array, int, int, int]]:
    """Each piece, how many elements of it lie together, and in `whole`: from run to run, and where the first is."""
    inner = 1
    for n in whole.shape[axis + 1 :]:
        inner *= n
    start = 0
    for piece, width in zip(pieces, widths, strict=True):
        if piece is not None:
            yield piece, width * inner, whole.shape[axis] * inner, start
        start += width * inner
