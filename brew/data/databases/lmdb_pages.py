"""A check of an LMDB file's tree, made before LMDB itself may touch it.

Format: LMDB 0.9 (mdb.c, "Page header" and "Meta page content"), little-endian. Two meta pages; the one with the
higher transaction number holds. Every page starts with its own number, and says whether it is a branch or a leaf.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brew.errors import DataError
from brew.files import regular

_MAGIC = 0xBEEFC0DE
_BRANCH, _LEAF = 1, 2
_HEADER = 16  # page number (8), pad (2), flags (2), lower (2), upper (2)
_NODE = 8  # before a node's key: size of its data (4), flags (2), size of its key (2)
_ELSEWHERE = 1  # the flag of a node whose data lies in pages of its own, named by 8 bytes behind the key
_FEW = 4096  # pages looked into at once
_NONE = 0xFFFF_FFFF_FFFF_FFFF  # the root of an empty tree


class _Meta(NamedTuple):
    page_size: int
    depth: int
    flags: int
    root: int
    last_page: int
    transaction: int


def check_pages(file: Path) -> None:
    """Raise DataError unless `file` is an LMDB whose pages are all there and whose tree is of one piece.

    Reads every branch and leaf page, not the pages of records too large for a leaf (2 kB): little of a database of
    images, all of one of digits.
    """
    try:
        head, size = regular.head(file, 1 << 17), file.stat().st_size
    except OSError as error:
        raise DataError(f"LMDB {file} cannot be read: {error.strerror}") from None
    meta = _meta(file, head, size)
    needed = (meta.last_page + 1) * meta.page_size
    if needed > size:
        raise DataError(f"LMDB {file} is truncated: it has {size} bytes, its last page ends at {needed}; copy it again")
    if meta.flags:
        raise DataError(
            f"LMDB {file} has the flags {meta.flags:#x}: several values of a key, or keys of a kind of their own"
        )
    if meta.root != _NONE:
        _check_tree(file, meta)


def _meta(file: Path, head: bytes, size: int) -> _Meta:
    if size == 0:
        raise DataError(f"LMDB {file} is an empty file")
    first = _read_meta(head, 0)
    if first is None:
        raise DataError(f"{file} is not an LMDB file: it does not begin with LMDB's mark")
    second = _read_meta(head, first.page_size)
    if second is None:
        raise DataError(f"LMDB {file} is truncated: it has {size} bytes and lacks its second page; copy it again")
    return max(first, second, key=lambda m: m.transaction)


def _read_meta(head: bytes, start: int) -> _Meta | None:
    body = head[start + _HEADER : start + _HEADER + 136]
    if len(body) < 136:
        return None
    magic, version, _address, _map_size = struct.unpack_from("<IIQQ", body)
    if magic != _MAGIC or version != 1:
        return None
    page_size = struct.unpack_from("<I", body, 24)[0]
    _, flags, depth, _, _, _, _, root = struct.unpack_from("<IHHQQQQQ", body, 24 + 48)
    last_page, transaction = struct.unpack_from("<QQ", body, 24 + 96)
    if page_size < 256 or page_size & page_size - 1:
        return None
    return _Meta(page_size, depth, flags, root, last_page, transaction)


def _check_tree(file: Path, meta: _Meta) -> None:
    """Level by level: the root, the branches below it, the leaves."""
    pages = np.asarray(np.memmap(file, np.uint8, "r", shape=(meta.last_page + 1, meta.page_size)))
    level = np.array([meta.root], np.uint64)
    seen = 0
    for depth in range(1, meta.depth + 1):
        if (level > meta.last_page).any() or (level < 2).any():
            raise _damaged(file, int(level[(level > meta.last_page) | (level < 2)][0]), "lies outside the file")
        seen += len(level)
        if seen > meta.last_page:
            raise _damaged(file, int(level[0]), "or another one stands in the tree more than once")
        headers = pages[level, :_HEADER].copy()
        numbers = headers[:, :8].copy().view("<u8")[:, 0]
        words = headers[:, 8:].copy().view("<u2")
        kind = _LEAF if depth == meta.depth else _BRANCH
        lower, upper = words[:, 2], words[:, 3]
        bad = (numbers != level) | (words[:, 1] & 0x7F != kind)
        bad |= (lower <= _HEADER) | (lower > upper) | (upper > meta.page_size)
        if bad.any():
            kind_name = "leaf" if kind == _LEAF else "branch"
            raise _damaged(file, int(level[bad][0]), f"is not the {kind_name} page it should be")
        for start in range(0, len(level), _FEW):
            few = level[start : start + _FEW]
            inside = _nodes_fit(pages, few, lower[start : start + _FEW], meta, leaf=kind == _LEAF)
            if not inside.all():
                raise _damaged(file, int(few[~inside][0]), "has an entry that leads out of it")
        if kind == _BRANCH:
            level = np.concatenate([_children(pages[p]) for p in level])


def _nodes_fit(
    pages: npt.NDArray[np.uint8],
    few: npt.NDArray[np.uint64],
    lower: npt.NDArray[np.uint16],
    meta: _Meta,
    *,
    leaf: bool,
) -> npt.NDArray[np.bool_]:
    """For each of a `few` of `pages`, whether all its nodes, and the data they name, lie where they may."""
    size = meta.page_size
    counts = (lower.astype(np.intp) - _HEADER) // 2
    page = np.repeat(np.arange(len(few)), counts)
    first_byte = few.astype(np.int64)[page] * size
    ends = np.cumsum(counts)
    slot = np.arange(len(page)) - np.repeat(ends - counts, counts)
    flat = pages.reshape(-1)

    def number(start: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
        """`width` bytes at `start` of every page; a `start` outside of a page is read elsewhere, and refused later."""
        at = first_byte + np.minimum(start, size - width)
        value = np.zeros(len(at), np.int64)
        for byte in range(width):
            value |= flat.take(at + byte).astype(np.int64) << 8 * byte
        return value

    node = number(_HEADER + 2 * slot, 2)
    data, flags, key = number(node, 4), number(node + 4, 2), number(node + 6, 2)
    end = node + _NODE + key
    good = (node >= np.repeat(lower, counts)) & (node + _NODE <= size)
    if leaf:
        elsewhere = flags == _ELSEWHERE
        good &= (flags == 0) | elsewhere
        if elsewhere.any():
            first = number(end, 6)  # of 8 bytes: more pages than 48 bits count are in no file
            behind = number(end + 6, 2)
            there = (behind == 0) & (first >= 2) & (first + (_HEADER + data - 1) // size <= meta.last_page)
            good &= there | ~elsewhere
        end += np.where(elsewhere, 8, data)
    good &= end <= size
    fit: npt.NDArray[np.bool_] = np.bincount(page[~good], minlength=len(few)) == 0
    return fit


def _children(page: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The pages a branch page points to: nodes of (low, high, highest) 16-bit parts of a page number."""
    lower = int(page[12:14].view("<u2")[0])
    offsets = page[_HEADER:lower].view("<u2").astype(np.intp)
    offsets = np.minimum(offsets, page.size - 6)
    parts = page[offsets[:, None] + np.arange(6)].view("<u2").astype(np.uint64)
    children: npt.NDArray[np.uint64] = parts[:, 0] | parts[:, 1] << np.uint64(16) | parts[:, 2] << np.uint64(32)
    return children


def _damaged(file: Path, page: int, how: str) -> DataError:
    return DataError(f"LMDB {file} is damaged: page {page} {how}; copy it again")
