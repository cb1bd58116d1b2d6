"""A failing case made smaller, as long as it fails in the same way and kind."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from .case import Case
from .ways import Failure, check


def shrink(case: Case, failure: Failure, tries: int = 250) -> tuple[Case, Failure]:
    """The smallest case that was found, and how it fails."""
    best, kind = (case, failure), failure.kind
    changed = True
    while changed and tries > 0:
        changed = False
        for smaller in _smaller(best[0]):
            tries -= 1
            if tries <= 0:
                break
            try:
                found = check(smaller, [failure.way]).failures
            except Exception:
                continue
            if found and found[0].kind == kind:
                best, changed = (smaller, found[0]), True
                break
    return best


def _smaller(case: Case) -> Iterator[Case]:
    """Cases with one thing less, the boldest first."""
    if len(case.passes) > 1:
        yield _with(case, passes=case.passes[:1])
        yield _with(case, passes=case.passes[-2:] if len(case.passes) > 2 else [case.passes[0]] * 2)
    if case.touched:
        yield _with(case, touched=[])
    if case.adds:
        yield _with(case, adds=False)
    if case.force:
        yield _with(case, force=False)
    for op in reversed(case.ops):
        if (without := _without(case, op.name)) is not None:
            yield without
    for place, op in enumerate(case.ops):
        for change in ("over", "param", "propagate_down", "loss_weight"):
            if getattr(op, change, None) or (change != "over" and len(getattr(op.param, change))):
                smaller = copy.deepcopy(case)
                if change == "over":
                    smaller.ops[place].over = False
                else:
                    smaller.ops[place].param.ClearField(change)  # type: ignore[arg-type]
                yield smaller


def _with(case: Case, **changes: object) -> Case:
    smaller = copy.deepcopy(case)
    for name, value in changes.items():
        setattr(smaller, name, value)
    return smaller


def _without(case: Case, name: str) -> Case | None:
    """The case without a layer: what reads its first top reads its first bottom, or goes too."""
    smaller = copy.deepcopy(case)
    [op] = [o for o in smaller.ops if o.name == name]
    gone = set(op.tops)
    read = smaller.readers()
    if any(read[t] for t in op.tops):
        same = op.bottoms and case.values[op.bottoms[0]].shape == case.values[op.tops[0]].shape
        if not same or any(read[t] for t in op.tops[1:]):
            return None
        for other in smaller.ops:
            other.bottoms = [op.bottoms[0] if b == op.tops[0] else b for b in other.bottoms]
    smaller.ops.remove(op)
    if not smaller.ops:
        return None
    for value in gone:
        smaller.values.pop(value, None)
        for given in smaller.passes:
            given.pop(value, None)
    smaller.touched = [n for n in smaller.touched if n != name]
    return smaller
