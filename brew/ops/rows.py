"""Copies between blobs that agree in all but one axis (CUDA): Concat and Slice."""

from __future__ import annotations

from brew.cuda import Array, Kernels

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


def copy_rows(
    source: Array, target: Array, rows: int, width: int, source_at: tuple[int, int], target_at: tuple[int, int]
) -> None:
    """Copy `rows` runs of `width` elements; `source_at`, `target_at`: elements from run to run, place of the first."""
    _kernels.rows_copy(rows * width, source, target, width, *source_at, *target_at)
