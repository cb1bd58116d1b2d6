"""Random nets by seed and number: rows that are computed together and their near misses, chains in place, views that
are changed while others read them, pairs of neighbouring types, and what else there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import own_rows

from brew.errors import BrewError
from brew.layer import TEST, TRAIN
from brew.layers.onednn import ENGINE

from . import pairs
from .builder import Builder, Misfit
from .case import Case, shapes_of, weights
from .rows import ELEMENTWISE, Row, filler, plain
from .rows_ends import ENDS, LOSSES, SOURCES, WEIGHED
from .rows_learned import LEARNED, batch_norm, convolution, inner_product, scale
from .rows_shapes import SHAPES

ROWS: dict[str, Row] = {**ELEMENTWISE, **SHAPES, **LEARNED}
for _name, _own in own_rows.of("RANDOM_NETS", {*ROWS, *ENDS}).items():
    _ends = own_rows.cls(_name).is_loss or own_rows.cls(_name).is_score
    (ENDS if _ends else ROWS)[_name] = Row(**_own) if _own else plain(_name)
_TURNS = [
    *ENGINE.fused,
    *(row for row in ENGINE.fused if (len(row) > 2 and "Eltwise" in row) or row[1:] == ("Scale", "ReLU")),
]  # those twice: much must be right for one
CHAINED = [
    "ReLU", "BatchNorm", "Scale", "Sigmoid", "TanH", "ELU", "Exp", "Softmax", "MVN", "Power", "Bias", "Dropout", "PReLU",
    "BNLL", "Swish", "Clip", "Eltwise", "Log", "Python", "Threshold",
]  # fmt: skip
VIEWS = ["Split", "Reshape", "Flatten", "Slice", "Concat"]


def make(seed: int, number: int, length: int = pairs.LENGTH) -> Case:
    """The case of this seed and number; `length` is that of walks through pairs."""
    b = Builder(seed, number)
    _first(b, number)
    if number % 3:
        pairs.walk(b, number - number // 3 - 1, length, ROWS, ENDS)
        styles: list[Callable[[Builder], None]] = [_row] if b.chance(0.2) else []
    else:
        styles = [b.pick(_row, _row, _row, _row, _chain, _views)]
        if b.chance(0.7):
            styles.append(b.pick(_row, _row, _chain, _views, _free, _free))
    for style in styles:
        b.style = style.__name__.strip("_")
        b.case.styles.append(b.style)
        style(b)
    b.style = "end"
    _end(b)
    _prune(b)
    _share(b)
    _plan(b)
    return b.case


def _first(b: Builder, number: int) -> None:
    """Something to begin with: of every type of source by turns, mostly an Input."""
    kinds = list(SOURCES)
    if number % 5 == 0:
        try:
            SOURCES[kinds[number // 5 % len(kinds)]](b, b.shape(4))
        except Misfit:
            b.source(4)
    else:
        b.source(4)


def step(b: Builder, x: int, kind: str) -> int:
    """One more layer of this type on a value, its first top; the value itself where that does not fit."""
    row = ROWS[kind]
    if row.takes(b.value(x)):
        for _ in range(3):
            try:
                tops = row.build(b, x)
            except Misfit:
                continue
            return tops[0] if tops else x
    return x


def _begin(b: Builder, axes: int | None = None) -> int:
    """A value to go on from."""
    able = [n for n in b.smooth() if axes is None or len(b.value(n).shape) == axes]
    if able and b.chance(0.7):
        return b.rng.choice(able[-4:])
    if b.chance(0.15):
        try:
            kind = b.pick(
                *(["DummyData", "Parameter"] * 3), "MemoryData", "Data", "HDF5Data", "ImageData", "WindowData"
            )
            if kind != "HDF5Data" or all(op.type != kind for op in b.case.ops):  # its tops have names of their own
                return SOURCES[kind](b, b.shape(axes or 4))[0]
        except Misfit:
            pass
    return b.source(axes)


# --- styles -----------------------------------------------------------------------------------------------------------


def _row(b: Builder) -> None:
    """One row of layers that is computed as a fused group, or nearly: one left out, changed, or read by another."""
    rows = _TURNS
    types = list(rows[(b.case.number // 3 + len(b.case.styles)) % len(rows)])
    draw = b.rng.random()
    if draw < 0.1 and len(types) > 2:
        types.pop(b.rng.randrange(1, len(types)))
    elif draw < 0.2:
        types.insert(
            b.rng.randrange(1, len(types) + 1),
            b.pick("Bias", "Dropout", "PReLU", "ELU", "ReLU", "Scale", "BatchNorm", "Power"),
        )
    b.inplace = b.pick(1.0, 1.0, 1.0, 1.0, 0.0, 0.5, 0.8)
    if len(types) == 5 and draw > 0.4:
        b.inplace = 1.0
    x = _begin(b, 4)
    if types[0] != "Convolution" and b.chance(0.7):
        x = step(b, x, b.pick("Convolution", "Pooling", "Eltwise", "Dropout"))
    if types == list(rows[(b.case.number // 3 + len(b.case.styles)) % len(rows)]) and b.chance(0.7):
        with suppress(Misfit):
            _tidy(b, types)
        return
    shortcut = x
    tap = b.rng.randrange(len(types)) if b.chance(0.35) else -1
    for place, kind in enumerate(types):
        x = _member(b, x, kind, shortcut)
        if place == tap:
            step(b, x, b.pick("ReLU", "TanH", "Pooling", "Split", "Scale", "Power"))
    if b.chance(0.3):
        step(b, x, b.pick("Convolution", "InnerProduct", "Pooling", "ReLU", "Concat", "Slice", "LRN", "Eltwise"))


def _tidy(b: Builder, types: list[str]) -> None:
    """A row as people write it, which is computed as one: planes that keep their size, one number for each channel, what
    can be in place so but for a sum, which has a top of its own."""
    if types[0] == "Convolution" and b.chance(0.7):
        b.case.phase = TEST
    elif types[0] == "BatchNorm" and "Eltwise" in types:
        b.case.phase, b.case.force = TRAIN, b.chance(0.3)
    channels = b.pick(8, 16, 16, 32, 3, 13)
    x = convolution(
        b, b.input((b.pick(1, 2), b.pick(1, 3, 8), b.pick(4, 5), b.pick(4, 6))), same=1.0, outputs=channels
    )[0]
    shortcut = convolution(b, b.case.ops[-1].bottoms[0], same=1.0, outputs=channels)[0] if "Eltwise" in types else x
    if types[0] == "InnerProduct":
        x = b.input((b.pick(32, 40), b.pick(3, 16)))
    text = {
        "BatchNorm": "",
        "Scale": f"scale_param {{ filler {{ {filler(b, 'around')} }} bias_term: {b.pick('true', 'true', 'false')} }}",
        "ReLU": "",
        "Eltwise": "",
    }
    for place, kind in enumerate(types):
        if place and b.chance(0.2):
            step(b, x, b.pick("TanH", "Pooling", "Power"))
        b.inplace = float(kind != "Eltwise" or b.chance(0.2))
        most = b.value(x).most + 3
        if kind == "Convolution":
            x = convolution(b, x, same=1.0, outputs=channels)[0]
        elif kind == "InnerProduct":
            x = inner_product(b, x)[0]
        else:
            bottoms = [x, shortcut] if b.chance(0.7) else [shortcut, x]
            x = b.add(kind, bottoms if kind == "Eltwise" else [x], text[kind], most=most)[0]


def _member(b: Builder, x: int, kind: str, shortcut: int) -> int:
    v = b.value(x)
    try:
        if kind == "Convolution" and len(v.shape) in (3, 4, 5):
            return convolution(b, x, same=0.6, outputs=b.value(shortcut).shape[1] if b.chance(0.5) else 0)[0]
        if kind == "Eltwise" and b.value(shortcut).shape == v.shape and shortcut != x and b.chance(0.6):
            bottoms = [x, shortcut] if b.chance(0.85) else [shortcut, x]
            return b.add("Eltwise", bottoms, most=v.most + b.value(shortcut).most)[0]
        if kind in ("BatchNorm", "Scale", "InnerProduct"):
            build = {"BatchNorm": batch_norm, "Scale": scale, "InnerProduct": inner_product}[kind]
            return build(b, x)[0]
    except Misfit:
        return x
    return step(b, x, kind)


def _chain(b: Builder) -> None:
    """One blob that many layers write one after the other."""
    x = _begin(b)
    x = step(
        b, x, b.pick("Convolution", "InnerProduct", "Convolution", "Split", "Reshape", "Power", "Eltwise", "Pooling")
    )
    b.inplace = b.pick(1.0, 1.0, 0.85)
    for _ in range(b.rng.randint(3, 7)):
        x = step(b, x, b.rng.choice(CHAINED))
    b.inplace = 0.5


def _views(b: Builder) -> None:
    """Views of one memory; layers that write some of them in place, while others still read."""
    x = _begin(b)
    if b.chance(0.6):
        x = step(b, x, b.pick("Convolution", "InnerProduct", "Power", "Sigmoid", "ReLU", "BatchNorm"))
    seen = [x]
    for _ in range(b.rng.randint(1, 3)):
        v = b.rng.choice(seen)
        kind = b.rng.choice(VIEWS)
        before = set(b.case.values)
        step(b, v, kind)
        seen += [n for n in b.case.values if n not in before and b.case.maker()[n].type == kind]
    b.inplace = 0.9
    for v in seen:
        if b.chance(0.7):
            for _ in range(b.pick(1, 1, 2)):
                v = step(b, v, b.rng.choice(CHAINED))
    for v in seen:
        if b.chance(0.5):
            step(b, v, b.pick("Power", "TanH", "Eltwise", "Concat", "InnerProduct", "Convolution"))
    b.inplace = 0.5


def _free(b: Builder) -> None:
    for _ in range(b.rng.randint(2, 5)):
        step(b, _begin(b), b.rng.choice(list(ROWS)))


def _end(b: Builder) -> None:
    """Losses on some of the values that no layer reads yet; one at least, mostly."""
    b.inplace = 0.5
    open_ends = [
        n for n in b.case.unread() if b.value(n).smooth and not b.value(n).classes and b.case.maker()[n].type != "Input"
    ]
    b.rng.shuffle(open_ends)
    for place, x in enumerate(open_ends):
        if not (b.chance(0.9) if place == 0 else b.chance(0.3 if len(b.case.ops) > 25 else 0.5)):
            continue
        if b.chance(0.15) and len(b.value(x).shape) > 1:
            x = step(b, x, "InnerProduct")
        kinds = [k for k, row in ENDS.items() if row.takes(b.value(x)) and (k in LOSSES or b.chance(0.15))]
        rows = [ENDS[k] for k in kinds] + ([WEIGHED] if WEIGHED.takes(b.value(x)) else [])
        if any(any(weights(op)) for op in b.case.maker()[x].layer_class.is_loss * [b.case.maker()[x]]) or not rows:
            continue
        try:
            b.rng.choice(rows).build(b, x)
        except Misfit:
            continue


# --- what is chosen when all layers are there -------------------------------------------------------------------------


def _prune(b: Builder) -> None:
    """Without inputs that were made for layers which did not fit, but for one now and then."""
    read = b.case.readers()
    gone = [
        op for op in b.case.ops if op.type == "Input" and not read[op.tops[0]] and len(b.case.ops) > 1 and b.chance(0.9)
    ]
    b.case.ops = [op for op in b.case.ops if op not in gone] or b.case.ops
    for op in gone:
        if op not in b.case.ops:
            del b.case.values[op.tops[0]]


def _share(b: Builder) -> None:
    """Two layers of one type share their parameters, now and then."""
    if not b.chance(0.15):
        return
    shapes: dict[tuple[object, ...], list[int]] = {}
    given = {n: b.value(n).shape for n in b.case.inputs}
    for number, (op, _, _, params) in enumerate(shapes_of(b.case, given)):
        if params and op.type not in ("BatchNorm", "Python"):
            shapes.setdefault((op.type, tuple(params)), []).append(number)
    for place, ((_, params), numbers) in enumerate(shapes.items()):
        if len(numbers) > 1:
            first, second = (b.case.ops[n].param for n in numbers[:2])
            del second.param[:]
            for i in range(len(params)):  # type: ignore[arg-type]
                while len(first.param) <= i:
                    first.param.add()
                first.param[i].Clear() if b.chance(0.5) else None
                first.param[i].name = f"shared{place}/{i}"
                second.param.add(name=f"shared{place}/{i}")


def _plan(b: Builder) -> None:
    """The passes: mostly two, the second with other shapes where the net can."""
    first = {n: b.value(n).shape for n in b.case.inputs}
    b.case.passes = [first] * b.pick(2, 2, 2, 3)
    if b.chance(0.4):
        batch = {s[0] for s in first.values() if s}
        new = b.rng.choice([n for n in (1, 2, 3, 4) if n not in batch] or [2])
        second = {n: (new, *s[1:]) if s else s for n, s in first.items()}
        if _stands(b.case, second):
            b.case.passes = [first, second, first] if b.chance(0.3) else [first, second]
    b.case.adds = b.chance(0.25)
    if b.chance(0.4):
        b.case.touched = [op.name for op in b.case.ops if b.chance(0.5)]


def _stands(case: Case, given: dict[int, Sequence[int]]) -> bool:  # type: ignore[type-arg]
    """Whether the net takes these shapes with the parameters it has."""
    try:
        before = [p for *_, p in shapes_of(case, {n: case.values[n].shape for n in case.inputs})]
        found = list(shapes_of(case, given))  # type: ignore[arg-type]
        after = [p for *_, p in found]
    except (BrewError, KeyError):
        return False
    named = all(x[0][0] >= case.values[op.bottoms[1]].classes for op, x, *_ in found if op.type == "BatchReindex")
    return before == after and named
