"""A pass of a convolution in training while it is not decided which way it goes: each way in turn, by the stopwatch.

Every way gives the pass's result, so nothing is computed twice; a trial costs what the slower runs are slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from brew.layer import Array, Arrays, Buffer, count
from brew.layer.choices import Choices

from ._passes import NOTHING, Added, Pass

_LINE = 16  # float32 of a cache line, on which each of a way's buffers begins


class Trial(Pass):
    """The ways of one pass, the rule's first, under the key that `choices` knows it by.

    The ways take turns with their memory too, so none of it may be kept; in training none is. The first run of each
    after `bind` is not timed: it finds memory that has not been touched yet.
    """

    def __init__(self, choices: Choices, key: str, ways: Sequence[Pass]) -> None:
        super().__init__()
        assert not any(buffer.kept for one in ways for buffer in one.buffers.values())
        self.choices, self.key, self.ways = choices, key, list(ways)
        self.name = f"trial of {key.partition(':')[0]}"
        self.buffers[self.name] = Buffer((max(_extent(one) for one in ways),))
        self.runs = 0

    @property
    def way(self) -> str:  # type: ignore[override]
        return self.ways[0].way if len(self.ways) == 1 else "timed"

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.runs, memory = 0, io.work[self.name]
        self.io = {one.way: replace(io, work=_carved(one, memory)) for one in self.ways}
        for one in self.ways:
            one.bind(self.io[one.way], added)

    def run(self, io: Arrays) -> None:
        if len(self.ways) > 1 and (decided := self.choices.decided.get(self.key)) is not None:
            self.ways = [one for one in self.ways if one.way == decided]
        one = self.ways[self.runs % len(self.ways)]
        if len(self.ways) == 1:
            one.run(self.io[one.way])
            return
        clock = self.choices.clock
        began = clock()
        one.run(self.io[one.way])
        if self.runs >= len(self.ways):
            self.choices.timed(self.key, one.way, clock() - began)
        self.runs += 1


def _extent(one: Pass) -> int:
    return sum(_up(count(buffer.shape)) for buffer in one.buffers.values())


def _carved(one: Pass, memory: Array) -> dict[str, Array]:
    """The buffers of a way, one behind the other."""
    work, start = {}, 0
    for name, buffer in one.buffers.items():
        size = count(buffer.shape)
        work[name] = memory[start : start + size].reshape(buffer.shape)
        start += _up(size)
    return work


def _up(size: int) -> int:
    return -(-size // _LINE) * _LINE
