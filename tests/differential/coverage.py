"""How often everything comes among many random nets: counted from the nets as they are generated, without running one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import brew
from brew.layers.onednn import ENGINE

from . import grammar, pairs
from .case import Case, Op

LEAST = 20


@dataclass(slots=True)
class Coverage:
    """Counts, by what is counted and by name."""

    types: Counter[str] = field(default_factory=Counter)
    neighbours: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    in_place: Counter[tuple[str, bool]] = field(default_factory=Counter)
    frozen: Counter[tuple[str, str]] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case) -> None:
        """Count a case: every type, pair and pattern once."""
        over, maker = case.overwriting(), case.maker()
        types, neighbours, places, frozen = set(), set(), set(), set()
        for op in case.ops:
            types.add(op.type)
            neighbours |= {(maker[b].type, op.type) for b in op.bottoms}
            if op.layer_class.in_place:
                places.add((op.type, op.tops[0] in over))
            if op.param.param or _learns(op):
                frozen.add((op.type, _pattern(op)))
        for counter, found in (
            (self.types, types), (self.neighbours, neighbours), (self.in_place, places), (self.frozen, frozen),
            (self.rows, _rows(case)), (self.other, _other(case)),
        ):  # fmt: skip
            counter.update(found)  # type: ignore[attr-defined]

    def lacking(self) -> list[str]:
        """What comes less often than it should, in words."""
        wanted: list[tuple[str, Counter, Iterable[object]]] = [  # type: ignore[type-arg]
            ("type", self.types, brew.layer_type_list()),
            ("pair", self.neighbours, [p for p in _all_pairs()]),
            ("row", self.rows, [f"{' '.join(row)}{how}" for row in ENGINE.fused for how in ("", ", in place", ", some frozen", ", looked at")]),
            ("in place", self.in_place, [(t, p) for t in brew.layer_type_list() if _may(t) for p in (True, False)]),
            ("frozen", self.frozen, _patterns()),
            ("case", self.other, OTHER),
        ]  # fmt: skip
        return [
            f"{what} {name}: {counter[name]}"
            for what, counter, names in wanted
            for name in names
            if counter[name] < LEAST
        ]

    def table(self) -> str:
        """For people."""
        lines = []
        for name, counter in (
            ("types", self.types), ("rows", self.rows), ("in place", self.in_place), ("frozen", self.frozen), ("cases", self.other),
        ):  # fmt: skip
            lines += [f"{name}:", *(f"  {count:6d}  {key}" for key, count in sorted(counter.items(), key=str))]
        wanted = list(_all_pairs())
        least = sorted((self.neighbours[p], p) for p in wanted)[:10]
        return "\n".join([*lines, f"pairs of neighbours: {len(wanted)}, the rarest {least}"])


OTHER = [
    "TRAIN", "TEST", "force_backward", "batch changes", "gradients add up", "weights change", "shared parameters",
    "propagate_down", "several losses", "loss weights", "unread tops", "views", "chains of 4", "read twice by one",
]  # fmt: skip


def _all_pairs() -> list[tuple[str, str]]:
    names = [*grammar.ROWS, *grammar.ENDS]
    return [(a, b) for a in grammar.ROWS for b in names if pairs.possible(a, b)]


def _may(kind: str) -> bool:
    cls = brew.layer.registry.layer_class(kind)
    return cls is not None and cls.in_place


LEARNERS = {
    "Convolution": 2, "Deconvolution": 2, "InnerProduct": 2, "Scale": 2, "Bias": 1, "PReLU": 1, "Embed": 2, "LSTM": 3, "RNN": 3,
    "Parameter": 1,
}  # fmt: skip


def _learns(op: Op) -> bool:
    return op.type in LEARNERS


def _patterns() -> list[tuple[str, str]]:
    """Every subset of the first parameters that may be frozen."""
    found = []
    for kind, count in LEARNERS.items():
        found += [(kind, "")]
        for mask in range(1, 1 << min(count, 2)):
            found.append((kind, "".join("f" if mask >> i & 1 else "l" for i in range(min(count, 2)))))
    return found


def _pattern(op: Op) -> str:
    """Which of the first two parameters are frozen; nothing where none is."""
    marks = ["f" if s.HasField("lr_mult") and s.lr_mult == 0 else "l" for s in op.param.param][:2]
    marks += ["l"] * (min(LEARNERS.get(op.type, 0), 2) - len(marks))
    return "".join(marks) if "f" in marks else ""


def _rows(case: Case) -> set[str]:
    """Rows of oneDNN that stand in the net one after the other, and how."""
    readers: dict[int, list[Op]] = {}
    for op in case.ops:
        for b in op.bottoms:
            readers.setdefault(b, []).append(op)
    over, found = case.overwriting(), set()
    for row in ENGINE.fused:
        for first in case.ops:
            members = [first] if first.type == row[0] else []
            while members and len(members) < len(row):
                after = (
                    [o for o in readers.get(members[-1].tops[0], []) if o.type == row[len(members)]]
                    if members[-1].tops
                    else []
                )
                members = [*members, after[0]] if after else []
            if members:
                found |= {" ".join(row) + how for how in _how(members, over, readers)}
    return found


def _how(members: list[Op], over: dict[int, int], readers: dict[int, list[Op]]) -> set[str]:
    how = {""}
    if all(m.tops[0] in over for m in members[1:]):
        how.add(", in place")
    if any("f" in _pattern(m) for m in members) or (len(members) > 1 and not any(_learns(m) for m in members)):
        how.add(", some frozen")
    if any(len(readers.get(m.tops[0], [])) > 1 for m in members[:-1]):
        how.add(", looked at")
    return how


def _other(case: Case) -> set[str]:
    from .case import weights

    params = [op.param for op in case.ops]
    losses = sum(any(weights(op)) for op in case.ops)
    facts = {
        "TRAIN": not case.phase, "TEST": bool(case.phase), "force_backward": case.force, "gradients add up": case.adds,
        "batch changes": any(p != case.passes[0] for p in case.passes), "weights change": bool(case.touched),
        "shared parameters": any(s.name for p in params for s in p.param), "several losses": losses > 1,
        "propagate_down": any(p.propagate_down for p in params), "loss weights": any(w not in (0, 1) for p in params for w in p.loss_weight),
        "unread tops": len(case.unread()) > losses, "views": any(p.type in grammar.VIEWS for p in params),
        "chains of 4": _longest(case) >= 4, "read twice by one": any(len(set(op.bottoms)) < len(op.bottoms) for op in case.ops),
    }  # fmt: skip
    return {name for name, true in facts.items() if true}


def _longest(case: Case) -> int:
    length: dict[int, int] = {}
    for top, bottom in case.overwriting().items():
        length[top] = length.get(bottom, 1) + 1
    return max(length.values(), default=1)
