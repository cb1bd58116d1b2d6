"""Every random number, counter-based: a pure function of (seed, stream name, pass or record, element).

Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), through NumPy on the host and
`philox_uint32` of brew.cuda's prelude in kernels: the same numbers on every device, for any number of threads, and
after a resume. Key = (seed, hash of the name); counter = (block, pass, 0, 0); a block is four 64-bit words, that is
eight 32-bit or sixteen 16-bit draws, low part first.
"""

from __future__ import annotations

import hashlib
import operator
import secrets
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

BLOCK = 4  # 64-bit words
_STRETCH = 256  # records whose words are drawn at once


def fresh_seed() -> int:
    """A seed from the operating system, for runs without random_seed; 63 bits, which fit every format."""
    return secrets.randbits(63)


class Seed:
    """The seed of a net, shared by all its streams: a resume puts the stored run's seed in its place."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    __int__ = __index__


def in_use(seed: SupportsIndex | None) -> Seed:
    """The seed of a net: a `Seed` shared with other nets as it is, a number as a new one, None as a fresh one."""
    if isinstance(seed, Seed):
        return seed
    return Seed(fresh_seed() if seed is None else operator.index(seed))


class Stream:
    """One named sequence of draws. `name` tells layers, sources and purposes apart: "ip1/dropout"."""

    def __init__(self, seed: SupportsIndex, name: str) -> None:
        self._seed = seed
        self._name_key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")

    @property
    def key(self) -> tuple[int, int]:
        """The key for kernels: the present seed and the hash of the name, 64 bits each."""
        return operator.index(self._seed) & 0xFFFF_FFFF_FFFF_FFFF, self._name_key

    def words(self, count: int, *, index: int = 0, block: int = 0) -> npt.NDArray[np.uint64]:
        """`count` 64-bit words of pass (or record range) `index`, from block `block` on."""
        # NumPy advances the counter before it makes a block: start one below, modulo 2^256.
        counter = (index << 64 | block) - 1 & (1 << 256) - 1
        words = [counter >> 64 * i & 0xFFFF_FFFF_FFFF_FFFF for i in range(4)]
        generator = np.random.Philox(key=np.array(self.key, np.uint64), counter=np.array(words, np.uint64))
        return np.asarray(generator.random_raw(count), np.uint64)

    def uint32(self, count: int, *, index: int = 0) -> npt.NDArray[np.uint32]:
        """`count` 32-bit draws of pass `index`; element i is draw i whatever `count` is."""
        return self.words((count + 1) // 2, index=index).view("<u4")[:count]

    def permutation(self, count: int, *, index: int = 0) -> npt.NDArray[np.intp]:
        """The numbers below `count` in the order of epoch `index`."""
        return np.argsort(self.words(count, index=index), kind="stable")

    def uint16(self, count: int, *, index: int = 0, start: int = 0) -> npt.NDArray[np.uint16]:
        """`count` 16-bit draws of pass `index`, from draw `start` (a multiple of 16) on."""
        return self.words(-(-count // 4), index=index, block=start // 16).view("<u2")[:count]

    def generator(self, index: int = 0) -> np.random.Generator:
        """A NumPy generator at pass `index`, for fillers and shuffles (host only)."""
        counter: Any = np.array([0, index, 0, 0], np.uint64)
        return np.random.Generator(np.random.Philox(key=np.array(self.key, np.uint64), counter=counter))


class RecordWords:
    """A block of random words for each record. Those of a stretch of records are drawn at once, and kept.

    Any thread may ask.
    """

    def __init__(self) -> None:
        self._drawn: tuple[tuple[int, str] | None, int, npt.NDArray[np.uint64]] = None, 0, np.empty((0, 0), np.uint64)

    def of(self, seed: SupportsIndex, name: str, first: int, count: int) -> npt.NDArray[np.uint64]:
        """(count, BLOCK) of the stream `name`, for the records from number `first` on."""
        drawn_for = operator.index(seed), name
        held_for, start, words = self._drawn  # replaced as one: another thread may draw meanwhile
        if held_for != drawn_for or not start <= first <= first + count <= start + len(words):
            start, many = first // _STRETCH * _STRETCH, first % _STRETCH + max(count, _STRETCH)
            words = Stream(seed, name).words(many * BLOCK, block=start).reshape(many, BLOCK)
            self._drawn = drawn_for, start, words
        return words[first - start : first - start + count]
