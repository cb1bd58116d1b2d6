"""An LMDB file written front to back, page by page: nothing is written twice, and a kill costs what came last.

Format: LMDB 0.9 (mdb.c, "Page header", "Meta page content", "Node header"), little-endian, pages of 4096 bytes. LMDB
itself keeps a tree that is valid at every commit, for which it writes pages over and over; records that come in order
need no tree before the last of them. So leaves and large values are appended, then the branches above them, and at last
the two meta pages, without which the file is no LMDB.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brew.errors import DataError

PAGE = 4096
MOST_KEY = 511  # bytes
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW, _META = 1, 2, 4, 8
_HEADER = struct.Struct("<QHHHH")  # page number, pad, flags, lower, upper; of overflow pages their number, 32 bits
_NODE = struct.Struct("<HHHH")  # size of the data, low and high; flags; size of the key. Of branches: the page, 48 bits
_ELSEWHERE = 1  # the flag of a node whose data lies in pages of its own
_LARGEST = 2038  # bytes of a node within a leaf: two fit
_NONE = 0xFFFF_FFFF_FFFF_FFFF  # the root of an empty tree
_ROOM = PAGE - _HEADER.size
_MOST_VALUE = 0xFFFF_FFFF
_BUFFER = 4 << 20
_INTEGER_KEYS = 8  # the flag of the tree of free pages


@dataclass
class Written:
    """What is in the file: pages, records, pages of large values, the first key and the page of every leaf."""

    pages: int = 2  # the meta pages
    records: int = 0
    overflow: int = 0
    last: bytes = b""
    leaves: list[tuple[bytes, int]] = field(default_factory=list)


class LmdbAppender:
    """The file of an LMDB that grows by records in ascending order of their keys; OSError where it cannot be written.

    With `written`, as `settle` gave it, the file is cut to that and goes on from there.
    """

    def __init__(self, file: Path, written: Written | None = None) -> None:
        self.written = written or Written()
        self._file = file.open("wb" if written is None else "r+b", buffering=0)
        try:
            self._file.truncate(self.written.pages * PAGE)
            self._file.seek(0, os.SEEK_END)
        except OSError:
            self._file.close()
            raise
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._keys: list[bytes] = []  # of the open leaf
        self._nodes: list[bytes] = []
        self._left = _ROOM

    def put(self, key: bytes, value: bytes) -> None:
        """Append a record. DataError for a key that is not behind the last one, or too long, and for a huge value."""
        if not 0 < len(key) <= MOST_KEY:
            raise DataError(f"key {key!r} has {len(key)} bytes; 1 to {MOST_KEY} are allowed")
        if key <= self.written.last:
            raise DataError(f"key {key!r} does not come behind the one before it")
        if len(value) > _MOST_VALUE:
            raise DataError(f"the record {key!r} has {len(value)} bytes; {_MOST_VALUE} are allowed")
        if _NODE.size + len(key) + len(value) > _LARGEST:
            node = _node(len(value), _ELSEWHERE, key, self._overflow(value).to_bytes(8, "little"))
        else:
            node = _node(len(value), 0, key, value)
        if len(node) + 2 > self._left:
            self._close_leaf()
        self._keys.append(key)
        self._nodes.append(node)
        self._left -= len(node) + 2
        self.written.last = key
        self.written.records += 1

    def settle(self) -> Written:
        """Bring all that was put to the disk, so that it survives the machine; the next record begins a new leaf."""
        self._close_leaf()
        self._flush()
        os.fsync(self._file.fileno())
        return self.written

    def finish(self) -> None:
        """Make it an LMDB, on disk and closed. Doing so again, after a kill, gives the same file."""
        self._close_leaf()
        settled = self.written.pages
        root, depth = self._tree()
        total, branches = self.written.pages, self.written.pages - settled
        self._flush()
        body = struct.pack("<QQQQ", branches, len(self.written.leaves), self.written.overflow, self.written.records)
        self._file.seek(0)
        _write(self._file.fileno(), _meta(0, total, 1, _tree_of(0, b"\0" * 32, _NONE)))
        _write(self._file.fileno(), _meta(1, total, total - 1, _tree_of(depth, body, root)))
        os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        """Close the file; what was not settled is lost."""
        self._file.close()

    def _overflow(self, value: bytes) -> int:
        """The number of the first page of a large value."""
        count = (_HEADER.size - 1 + len(value)) // PAGE + 1
        first = self.written.pages
        header = _HEADER.pack(first, 0, _OVERFLOW, count & 0xFFFF, count >> 16)
        self._append(header, value, bytes(count * PAGE - _HEADER.size - len(value)))
        self.written.pages += count
        self.written.overflow += count
        return first

    def _close_leaf(self) -> None:
        if self._nodes:
            self.written.leaves.append((self._keys[0], self._page(_LEAF, self._nodes)))
            self._keys, self._nodes, self._left = [], [], _ROOM

    def _page(self, flags: int, nodes: Sequence[bytes]) -> int:
        """Append a leaf or a branch; nodes lie at its end, the first one last."""
        number = self.written.pages
        upper, offsets = PAGE, []
        for node in nodes:
            upper -= len(node)
            offsets.append(upper)
        lower = _HEADER.size + 2 * len(nodes)
        pointers = struct.pack(f"<{len(nodes)}H", *offsets)
        self._append(_HEADER.pack(number, 0, flags, lower, upper), pointers, bytes(upper - lower), *reversed(nodes))
        self.written.pages += 1
        return number

    def _tree(self) -> tuple[int, int]:
        """Append the branches, level by level; the root's page, and the depth of the tree."""
        level, depth = self.written.leaves, 1
        if not level:
            return _NONE, 0
        while len(level) > 1:
            level = [
                (children[0][0], self._page(_BRANCH, [_branch(i, key, page) for i, (key, page) in enumerate(children)]))
                for children in _families(level)
            ]
            depth += 1
        return level[0][1], depth

    def _append(self, *pieces: bytes) -> None:
        self._buffer += pieces
        self._buffered += sum(map(len, pieces))
        if self._buffered >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        _write(self._file.fileno(), b"".join(self._buffer))
        self._buffer, self._buffered = [], 0


def _write(descriptor: int, content: bytes) -> None:
    """All of it: where the disk is full, the system writes a part, and the next call tells."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _node(size: int, flags: int, key: bytes, data: bytes) -> bytes:
    node = _NODE.pack(size & 0xFFFF, size >> 16, flags, len(key)) + key + data
    return node + b"\0" if len(node) & 1 else node


def _branch(place: int, key: bytes, page: int) -> bytes:
    """A node of a branch; the key of its first child is never asked for."""
    key = key if place else b""
    node = _NODE.pack(page & 0xFFFF, page >> 16 & 0xFFFF, page >> 32, len(key)) + key
    return node + b"\0" if len(node) & 1 else node


def _families(level: Sequence[tuple[bytes, int]]) -> list[list[tuple[bytes, int]]]:
    """The pages of a level by the branch that holds them: as many as fit, and two at least."""
    families: list[list[tuple[bytes, int]]] = []
    left = 0
    for key, page in level:
        need = _NODE.size + len(key) + (len(key) & 1) + 2
        if need > left:
            families.append([])
            left = _ROOM
        families[-1].append((key, page))
        left -= need
    if len(families[-1]) == 1:
        families[-1].insert(0, families[-2].pop())
    return families


def _tree_of(depth: int, body: bytes, root: int) -> bytes:
    return struct.pack("<IHH", 0, 0, depth) + body + struct.pack("<Q", root)


def _meta(number: int, pages: int, last: int, tree: bytes) -> bytes:
    """A meta page: of two the one with the higher transaction number, which is its page number, holds."""
    free = struct.pack("<IHH", PAGE, _INTEGER_KEYS, 0) + bytes(32) + struct.pack("<Q", _NONE)
    head = struct.pack("<IIQQ", _MAGIC, _VERSION, 0, pages * PAGE)
    page = _HEADER.pack(number, 0, _META, 0, 0) + head + free + tree + struct.pack("<QQ", last, number)
    return page + bytes(PAGE - len(page))
