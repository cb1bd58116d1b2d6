"""Faults put into the product, one at a time, in one place each: the random nets must find every one of them.

The reference must not have them: it is plain, unfused, unplanned and NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from brew.graph import versions
from brew.layer import Buffer
from brew.layers.onednn import concat, inner_product, scale
from brew.memory import recompute
from brew.memory import uses as memory_uses
from brew.net import parameters
from brew.net.run import fused_step, fusion, step
from brew.solvers import sgd

Wrap = Callable[[Any], Any]


@contextmanager
def changed(owner: Any, name: str, make: Wrap) -> Iterator[None]:
    """`owner` has `make(what it has)` under this name."""
    before = owner.__dict__[name]
    setattr(owner, name, make(before))
    try:
        yield
    finally:
        setattr(owner, name, before)


def _nothing(before: Any) -> Any:
    return lambda *args, **kwargs: None


def _stale_group() -> Any:
    """A group runs backward though its members ran forward."""
    return changed(fusion.FusedGroups, "part", _nothing)


def _missing_version() -> Any:
    """Layers overwrite what others still need."""
    return changed(versions, "separate_tops", lambda before: lambda graph: graph)


def _wrong_reason() -> Any:
    """Other views of a memory are not asked for."""

    def make(before: Any) -> Any:
        def reasons(self: Any, number: int, blob: int) -> Iterator[str]:
            self.tenants = {home: [blob] for home in self.tenants}
            return before(self, number, blob)

        return reasons

    return changed(versions._Uses, "reasons", make)


def _unwritten_buffer() -> Any:
    """What forward saves for backward is scratch."""

    def make(before: Any) -> Any:
        def prepare(self: Any, scratch: Any) -> None:
            before(self, scratch)
            if self.wanted.backward and self.candidates[0] is self.implementation and len(self.candidates) > 1:
                self.buffers = {
                    n: Buffer(b.shape, b.dtype, kept=b.kept, carried=b.carried) for n, b in self.buffers.items()
                }
                scratch.need(self._scratch().values())

        return prepare

    return changed(step.Step, "prepare", make)


def _skipped_copy() -> Any:
    """Gradients in an engine's layout do not go back to the blob."""

    def make(before: Any) -> Any:
        def writes(self: Any, memory: Any, shape: Any, layout: Any) -> Any:
            array = before(self, memory, shape, layout)
            if self._what == "gradients":
                self.after.clear()
            return array

        return writes

    return changed(step.Crossing, "writes", make)


def _wrong_frozen_mask() -> Any:
    """A group takes its last parameter for frozen."""
    return changed(
        fused_step,
        "Wanted",
        lambda before: lambda bottoms, params: before(bottoms, (*params[:-1], False)[: len(params)]),
    )


def _bottoms_confused() -> Any:
    """A group with two bottoms takes one for the other."""

    def make(before: Any) -> Any:
        def init(self: Any, members: Any, how: Any) -> None:
            before(self, members, how)
            if len(self.bottoms) == 2 and self.bottoms[0].shape == self.bottoms[1].shape:
                self.bottoms.reverse()

        return init

    return changed(fused_step.FusedStep, "__init__", make)


def _added_twice() -> Any:
    """A gradient is added to the parameter's twice."""

    def make(before: Any) -> Any:
        def backward(self: Any, io: Any) -> None:
            before(self, io)
            before(self, io)

        return backward

    return changed(inner_product.InnerProductOneDNN, "backward", make)


def _written_not_added() -> Any:
    """The gradient of a scale is written: what another pass, or another layer with the same parameter, added is lost."""

    def make(before: Any) -> Any:
        def backward(self: Any, io: Any) -> None:
            for dw in io.dw:
                if dw is not None:
                    dw.fill(0)
            before(self, io)

        return backward

    return changed(scale._OneDNN, "backward", make)


def _skipped_replay() -> Any:
    """Members go on where their group ended without what it kept."""
    return changed(fusion.FusedGroups, "_replay", _nothing)


def _wrong_span() -> Any:
    """The memory plan forgets that backward reads values."""
    return changed(memory_uses.Turn, "later", lambda before: lambda self, held: self.again)


def _overlapping() -> Any:
    """The memory plan thinks every piece half as large as it is."""

    def make(before: Any) -> Any:
        def note(uses: Any, memory: Any, blob: Any, span: Any, *, written: bool) -> Any:
            use = before(uses, memory, blob, span, written=written)
            use.last = min(use.last, span[1])
            return use

        return note

    return changed(memory_uses, "_note", make)


def _transposed() -> Any:
    """Blobs are joined along the axis behind the right one."""

    def make(before: Any) -> Any:
        def join(self: Any, x: Any, y: Any) -> Any:
            return before(self, x[::-1] if len({a.shape for a in x}) == 1 else x, y)

        return join

    return changed(concat.Joined, "join", make)


def _stale_weights() -> Any:
    """What was derived from weights stays when they change."""
    return changed(parameters.Parameters, "note_changes", _nothing)


def _not_again() -> Any:
    """A segment's forward does not run once more."""

    def make(before: Any) -> Any:
        return lambda self, inside, stays: before(self, inside, stays)[1:]

    return changed(recompute._Cutter, "_again", make)


def _momentum() -> Any:
    """The history is not damped."""
    return changed(sgd.SGD, "constants", lambda before: lambda self, iteration, scale: (1.0,))


FAULTS: dict[str, Callable[[], Any]] = {
    "a stale group": _stale_group,
    "a missing version": _missing_version,
    "a view that nobody asks about": _wrong_reason,
    "a buffer that is not saved": _unwritten_buffer,
    "a skipped copy": _skipped_copy,
    "a wrong frozen mask": _wrong_frozen_mask,
    "two bottoms confused": _bottoms_confused,
    "a gradient added twice": _added_twice,
    "a gradient written, not added": _written_not_added,
    "a skipped replay": _skipped_replay,
    "a span without backward": _wrong_span,
    "a span too short": _overlapping,
    "a join the wrong way round": _transposed,
    "stale weights": _stale_weights,
    "a forward that does not run again": _not_again,
    "momentum that does not fade": _momentum,
}
