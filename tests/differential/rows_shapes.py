"""Rows of the types that move values about: views, joins, cuts, sums."""

from __future__ import annotations

from .builder import Builder, Misfit
from .case import Value
from .rows import Row, axes, positive, small  # noqa: F401


def _axis(b: Builder, x: int, start: int = 0) -> int:
    """An axis, from the front or the end; mostly the channels."""
    n = len(b.value(x).shape)
    axis = 1 if n > 1 and b.chance(0.5) else b.rng.randrange(min(start, n - 1), n)
    return axis - n if b.chance(0.2) else axis


def _split(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    return b.add("Split", [x], tops=b.pick(1, 2, 2, 3), most=v.most, low=v.low, smooth=v.smooth)


def _flatten(b: Builder, x: int) -> list[int]:
    v, n = b.value(x), len(b.value(x).shape)
    axis = b.pick(1, 1, *range(n))
    end = b.pick(-1, *range(axis, n))
    return b.add(
        "Flatten", [x], f"flatten_param {{ axis: {axis} end_axis: {end} }}", most=v.most, low=v.low, smooth=v.smooth
    )


def _reshape(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    n = len(v.shape)
    if n == 4:
        dims = b.pick(
            "dim: 0 dim: -1",
            "dim: 0 dim: 0 dim: -1",
            "dim: 0 dim: -1 dim: 1 dim: 1",
            "dim: 0 dim: 0 dim: -1 dim: 1",
            "dim: 0 dim: 0 dim: 0 dim: 0",
        )
    elif n == 2 and v.shape[1] % 2 == 0:
        dims = b.pick(
            "dim: 0 dim: 2 dim: -1", "dim: 0 dim: -1 dim: 1 dim: 1", "dim: 0 dim: 2 dim: -1 dim: 1", "dim: 0 dim: 0"
        )
    else:
        dims = b.pick("dim: 0 dim: -1 dim: 1", "dim: 0 dim: -1 dim: 1 dim: 1", "dim: 0 dim: -1")
    return b.add("Reshape", [x], f"reshape_param {{ shape {{ {dims} }} }}", most=v.most, low=v.low, smooth=v.smooth)


def _slice(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    axis = _axis(b, x)
    size = v.shape[axis]
    most = b.pick(1, 1, 2, 2, 3)
    points = sorted(b.rng.sample(range(1, size), min(most - 1, size - 1))) if size > 1 else []
    text = " ".join(f"slice_point: {p}" for p in points)
    tops = len(points) + 1
    return b.add(
        "Slice", [x], f"slice_param {{ axis: {axis} {text} }}", tops=tops, most=v.most, low=v.low, smooth=v.smooth
    )


def _concat(b: Builder, x: int) -> list[int]:
    v, axis = b.value(x), _axis(b, x)
    at = axis % len(v.shape)

    def rest(shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:at], *shape[at + 1 :])

    able = [n for n in b.smooth() if len(b.value(n).shape) == len(v.shape) and rest(b.value(n).shape) == rest(v.shape)]
    more = [b.rng.choice(able) if able and b.chance(0.8) else b.like(x) for _ in range(b.pick(0, 0, 1, 1, 2))]
    b.rng.shuffle(more)
    most = max(b.value(n).most for n in (x, *more))
    lows = [b.value(n).low for n in (x, *more)]
    low = None if None in lows else min(n for n in lows if n is not None)
    return b.add("Concat", [x, *more], f"concat_param {{ axis: {axis} }}", most=most, low=low)


def _eltwise(b: Builder, x: int) -> list[int]:
    operation = b.pick("SUM", "SUM", "SUM", "PROD", "MAX")
    others = [b.like(x, fresh=operation == "MAX") for _ in range(b.pick(1, 1, 1, 2))]
    bottoms, mosts = [x, *others], [b.value(n).most for n in (x, *others)]
    if operation != "MAX" and b.chance(0.2):
        b.rng.shuffle(bottoms)
    text = f"operation: {operation}"
    if operation == "SUM" and b.chance(0.4):
        text += " " + " ".join(f"coeff: {b.pick(1, -1, 0.5)}" for _ in bottoms)
    if operation == "PROD":
        if max(mosts) > 8:
            raise Misfit("would grow too large")
        text += " stable_prod_grad: true"
    most = {"SUM": sum(mosts), "MAX": max(mosts), "PROD": max(mosts) ** len(mosts)}[operation]
    return b.add("Eltwise", bottoms, f"eltwise_param {{ {text} }}", most=most)


def _crop(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    n = len(v.shape)
    axis = b.rng.randrange(1, n)
    like = tuple(d if i < axis else b.rng.randint(1, d) for i, d in enumerate(v.shape))
    offsets = [b.rng.randint(0, d - k) for d, k in zip(v.shape[axis:], like[axis:], strict=True)]
    able = [m for m in b.smooth() if b.value(m).shape == like]
    reference = b.rng.choice(able) if able and b.chance(0.5) else b.input(like)
    text = " ".join(f"offset: {o}" for o in offsets)
    return b.add("Crop", [x, reference], f"crop_param {{ axis: {axis} {text} }}", most=v.most, low=v.low)


def _tile(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    return b.add("Tile", [x], f"tile_param {{ axis: {_axis(b, x)} tiles: {b.pick(1, 2, 3)} }}", most=v.most, low=v.low)


def _reduction(b: Builder, x: int) -> list[int]:
    v, axis = b.value(x), _axis(b, x, start=1)
    size = 1
    for n in v.shape[axis % len(v.shape) :]:
        size *= n
    operation = b.pick("SUM", "ASUM", "SUMSQ", "MEAN")
    scale = {"SUM": 1 / size, "ASUM": 1 / size, "SUMSQ": 1 / size / max(v.most, 1), "MEAN": 1.0}[operation]
    coeff = b.pick(1, -1.5) * scale
    text = f"reduction_param {{ operation: {operation} axis: {axis} coeff: {coeff:.4g} }}"
    return b.add("Reduction", [x], text, most=1.5 * v.most)


def _argmax(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    axis = f"axis: {b.rng.randrange(len(v.shape))}" if b.chance(0.6) else ""
    text = f"argmax_param {{ {axis} top_k: 1 out_max_val: {str(b.chance(0.3)).lower()} }}"
    return b.add("ArgMax", [x], text, most=max(v.most, 3), smooth=False)


def _batch_reindex(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    index = b.labels((b.pick(1, 2, 3, 4),), v.shape[0])
    return b.add("BatchReindex", [x, index], most=v.most, low=v.low)


def _filter(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    same = [n for n in b.smooth() if b.value(n).shape[:1] == v.shape[:1]]
    bottoms = [x, *([b.rng.choice(same)] if same and b.chance(0.2) else [])]
    loose = b.chance(0.5)
    keep = b.input(v.shape[:1], classes=-1 if loose else -2)
    return b.add(
        "Filter",
        [*bottoms, keep],
        tops=len(bottoms),
        most=max(b.value(n).most for n in bottoms),
        low=v.low if len(bottoms) == 1 else None,
        loose=loose,
    )


def _repeats(v: Value) -> bool:
    return 1 <= len(v.shape) <= 5 and v.count <= 600 and v.most <= 60 and not v.classes


SHAPES: dict[str, Row] = {
    "ArgMax": Row(_argmax, axes(1)),
    "BatchReindex": Row(_batch_reindex, _repeats),
    "Concat": Row(_concat, axes(2)),
    "Crop": Row(_crop, axes(2)),
    "Eltwise": Row(_eltwise, axes(1, limit=20)),
    "Filter": Row(_filter, axes(1)),
    "Flatten": Row(_flatten, axes(2)),
    "Reduction": Row(_reduction, axes(1)),
    "Reshape": Row(_reshape, axes(2, 5)),
    "Slice": Row(_slice, axes(1)),
    "Split": Row(_split),
    "Tile": Row(_tile, _repeats),
}
