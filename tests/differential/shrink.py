"""A failing case made smaller, as long as it fails in the same way and kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .case import Case
from .ways import Failure, check

Change = Callable[[Case], "Case | None"]


def shrink(case: Case, failure: Failure, tries: int = 300) -> tuple[Case, Failure]:
    """The smallest case that was found, and how it fails."""
    best, kind = (case, failure), failure.kind
    before = -1
    while before != (before := _size(best[0])) and tries > 0:
        for change in _changes(best[0]):
            smaller = change(best[0])
            if smaller is None or tries <= 0:
                continue
            tries -= 1
            try:
                found = check(smaller, [failure.way]).failures
            except Exception:
                continue
            if found and found[0].kind == kind:
                best = (smaller, found[0])
    return best


def _size(case: Case) -> int:
    return 1000 * len(case.ops) + sum(len(op.param.SerializeToString()) + op.over for op in case.ops) + len(case.passes)


def _changes(case: Case) -> Iterator[Change]:
    """Things to leave out, the boldest first."""
    yield lambda c: _with(c, passes=c.passes[:1]) if len(c.passes) > 1 else None
    yield lambda c: _with(c, passes=[c.passes[0]] * 2) if len(c.passes) > 1 and c.passes[1] != c.passes[0] else None
    yield lambda c: _with(c, touched=[]) if c.touched else None
    yield lambda c: _with(c, adds=False) if c.adds else None
    yield lambda c: _with(c, force=False) if c.force else None
    weight = {op.name: len(_above(case, op.name)) for op in case.ops}
    for name in sorted(weight, key=lambda n: -weight[n]):
        yield lambda c, name=name: _felled(c, name)  # type: ignore[misc]
    for name in weight:
        yield lambda c, name=name: _bridged(c, name)  # type: ignore[misc]
    for name in weight:
        for what in ("over", "param", "propagate_down", "loss_weight"):
            yield lambda c, name=name, what=what: _plainer(c, name, what)  # type: ignore[misc]


def _with(case: Case, **changes: object) -> Case:
    smaller = case.copy()
    for name, value in changes.items():
        setattr(smaller, name, value)
    return smaller


def _above(case: Case, name: str) -> set[str]:
    """A layer, and all that read what it makes."""
    found, made = set[str](), set[int]()
    for op in case.ops:
        if op.name == name or made & set(op.bottoms):
            found.add(op.name)
            made |= set(op.tops)
    return found


def _felled(case: Case, name: str) -> Case | None:
    """Without a layer, and all that read it; and without inputs that no layer reads then."""
    if all(op.name != name for op in case.ops):
        return None
    smaller = _left(case, _above(case, name))
    read = smaller.readers()
    idle = {op.name for op in smaller.ops if not op.bottoms and not any(read[t] for t in op.tops)}
    smaller = _left(smaller, idle)
    return smaller if smaller.ops else None


def _left(case: Case, gone: set[str]) -> Case:
    smaller = case.copy()
    values = {t for op in smaller.ops if op.name in gone for t in op.tops}
    smaller.ops = [op for op in smaller.ops if op.name not in gone]
    for value in values:
        smaller.values.pop(value, None)
    smaller.passes = [{v: s for v, s in given.items() if v not in values} for given in smaller.passes]
    smaller.touched = [n for n in smaller.touched if n not in gone]
    return smaller


def _bridged(case: Case, name: str) -> Case | None:
    """Without a layer: what reads its first top reads its first bottom."""
    found = [op for op in case.ops if op.name == name]
    if not found or not found[0].bottoms or not found[0].tops:
        return None
    op, read = found[0], case.readers()
    same = case.values[op.bottoms[0]].shape == case.values[op.tops[0]].shape
    if not same or any(read[t] for t in op.tops[1:]):
        return None
    smaller = case.copy()
    for other in smaller.ops:
        other.bottoms = [op.bottoms[0] if b == op.tops[0] else b for b in other.bottoms]
    return _left(smaller, {name})


def _plainer(case: Case, name: str, what: str) -> Case | None:
    """With less said of a layer."""
    found = [place for place, op in enumerate(case.ops) if op.name == name]
    if not found:
        return None
    op = case.ops[found[0]]
    if not (op.over if what == "over" else len(getattr(op.param, what))):
        return None
    smaller = case.copy()
    if what == "over":
        smaller.ops[found[0]].over = False
    else:
        smaller.ops[found[0]].param.ClearField(what)  # type: ignore[arg-type]
    return smaller
