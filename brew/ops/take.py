"""Rows of a matrix by number: gathered, and added back. BatchReindex, Filter, Embed.

A blob carries row numbers as floats. On the CPU one that is no integer in range is a DataError. A kernel cannot raise:
there it becomes -1, which gathers NaN and is added to nothing. Equal numbers are summed in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from brew.cuda import Kernels
from brew.errors import DataError
from brew.layer import Array, Layer

from .pieces import PIECE, pieces

Numbers = npt.NDArray[np.int64]

_kernels = Kernels(r"""
template <typename T>
__global__ void take_numbers(long long n, const T* values, long long* numbers, long long rows) {
  FOR_EACH(i, n) {
    T value = values[i];
    numbers[i] = value >= 0 && value < (T)rows && value == floor(value) ? (long long)value : -1;
  }
}

template <typename T>
__global__ void take_rows(long long n, const T* table, const long long* numbers, T* out, long long width, T missing) {
  FOR_EACH(i, n) {
    long long row = numbers[i / width];
    out[i] = row < 0 ? missing : table[row * width + i % width];
  }
}

// One block for each row of out or, where there are fewer of them, for each number; of equal numbers the first one's
// block adds the rows of all. The numbers are looked through a block's width at a time.
template <typename T>
__global__ void take_add_rows(long long n, const T* rows, const long long* numbers, T* out, long long count,
                              long long width, bool by_number) {
  __shared__ int hit[256];
  __shared__ int any;
  FOR_EACH_BLOCK(item, n) {
    long long row = by_number ? numbers[item] : item;
    bool first = row >= 0;
    for (long long start = 0; start < count && first; start += blockDim.x) {
      long long j = start + threadIdx.x;
      bool hits = j < count && numbers[j] == row;
      __syncthreads();
      if (threadIdx.x == 0) any = 0;
      hit[threadIdx.x] = hits;
      __syncthreads();
      if (hits) atomicMax(&any, by_number && j < item ? 2 : 1);
      __syncthreads();
      if (any == 2) first = false;
      if (!first || any == 0) continue;
      for (long long column = threadIdx.x; column < width; column += blockDim.x) {
        T sum = 0;
        for (int k = 0; k < blockDim.x; ++k)
          if (hit[k]) sum += rows[(start + k) * width + column];
        out[row * width + column] += sum;
      }
    }
  }
}
""")


def row_numbers(layer: Layer, values: Array, rows: int, out: Numbers) -> None:
    """out = values as row numbers; DataError, naming the first wrong one, unless all are integers in [0, rows)."""
    flat = values.reshape(-1)
    with np.errstate(invalid="ignore"):  # NaN becomes an integer that it does not equal
        out[...] = flat
    wrong = (out != flat) | (out < 0) | (out >= rows)
    if wrong.any():
        first = int(np.argmax(wrong))
        expected = f"expected an integer from 0 to {rows - 1} as each of the {flat.size}" if rows else "there are none"
        raise DataError(
            f'layer "{layer.name}" ({layer.type}): index {flat[first]:g} at position {first} names no row; {expected}',
            place=layer.context.place(),
        )


def row_numbers_cuda(values: Array, rows: int, out: Numbers) -> None:
    """out = values as row numbers, -1 where they are none; device arrays."""
    _kernels.take_numbers(values.size, values, out, rows)


def take_rows(table: Array, numbers: Numbers, out: Array) -> None:
    """out[i] = table[numbers[i]]; table and out seen as matrices of equal width, numbers in range; host arrays."""
    np.take(table, numbers, axis=0, out=out, mode="clip")  # "raise" would go through a buffer


def take_rows_cuda(table: Array, numbers: Numbers, out: Array, *, missing: float = np.nan) -> None:
    """`take_rows` of device arrays; rows with a negative number hold `missing`."""
    width = out.size // max(1, numbers.size)
    _kernels.take_rows(out.size, table, numbers, out, width, missing)


def add_rows(rows: Array, numbers: Numbers, out: Array, scratch: Array) -> None:
    """out[numbers[i]] += rows[i]; matrices of equal width on the host, scratch like rows.

    Rows of equal number are added pairwise: in each round every second one that is left, to the one before it.
    """
    order = _order(numbers, len(out))
    ordered = numbers[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    source, place = rows, order
    while (odd := np.flatnonzero(rank & 1)).size:
        is_even = rank & 1 == 0
        even = np.flatnonzero(is_even)
        if source is rows:
            slots, into = np.arange(len(even)), np.cumsum(is_even)[odd] - 1
            for part in _parts(len(even), rows):
                np.take(rows, place[even[part]], axis=0, out=scratch[part], mode="clip")
        else:
            slots, into = place[even], place[odd - 1]
        _add(source, place[odd], scratch, into)
        source, place, rank = scratch, slots, rank[even] // 2
    _add(source, place, out, ordered[starts])


def _order(numbers: Numbers, height: int) -> Numbers:
    """The places of `numbers`, all below `height`, sorted by number and place: 16 bits at a time, which is fast."""
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    for shift in range(16, (height - 1).bit_length(), 16):
        digits = (numbers[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digits, kind="stable")]
    return order


def _add(source: Array, place: Numbers, target: Array, into: Numbers) -> None:
    """target[into[i]] += source[place[i]]; no number stands twice in `into`."""
    for part in _parts(len(into), source):
        there = into[part]
        target[there] = target.take(there, axis=0) + source.take(place[part], axis=0)


def _parts(count: int, rows: Array) -> Iterator[slice]:
    return pieces(count, max(1, PIECE // max(1, rows.shape[1])))


def add_rows_cuda(rows: Array, numbers: Numbers, out: Array) -> None:
    """`add_rows` of device arrays; negative numbers add to nothing."""
    height, width = out.shape
    by_number = numbers.size < height
    items = numbers.size if by_number else height
    _kernels.take_add_rows.by_block(items, rows, numbers, out, numbers.size, width, by_number)
